"""The cart: what a browser or a customer is about to buy."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from sojourn.envs.web.sites.framework import Context, Entry, NotFound, Reply, Routes
from sojourn.envs.web.sites.shop.prices import discount_cents

routes = Routes()
MAX_QUANTITY = 10_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Cart:
    """A cart with what it costs before shipping."""

    id: int | None
    """None for a browser that has put nothing into a cart yet."""
    lines: tuple[sqlite3.Row, ...]
    """Product columns and ``quantity``, in the order of products."""
    coupon: sqlite3.Row | None

    @property
    def subtotal_cents(self) -> int:
        return sum(line["price_cents"] * line["quantity"] for line in self.lines)

    @property
    def discount_cents(self) -> int:
        """What the coupon takes off; nothing while the goods are worth less than it asks for."""
        if self.coupon is None or self.subtotal_cents < self.coupon["minimum_cents"]:
            return 0
        return discount_cents(self.subtotal_cents, self.coupon)

    @property
    def goods_cents(self) -> int:
        return self.subtotal_cents - self.discount_cents


def find_cart(ctx: Context) -> Cart:
    """The cart of who is logged in, else of this browser."""
    session = ctx.session
    if session is None:
        return Cart(id=None, lines=(), coupon=None)
    owner = ("customer_id", session.user_id) if session.user_id is not None else ("session_id", session.id)
    row = ctx.db.execute(f"SELECT * FROM shop_cart WHERE {owner[0]} = ?", (owner[1],)).fetchone()
    if row is None:
        return Cart(id=None, lines=(), coupon=None)
    lines = ctx.db.execute(
        "SELECT p.id, p.slug, p.name, p.price_cents, p.stock, p.is_enabled, i.quantity FROM shop_cart_item i"
        " JOIN shop_product p ON p.id = i.product_id WHERE i.cart_id = ? ORDER BY p.id",
        (row["id"],),
    ).fetchall()
    return Cart(id=row["id"], lines=tuple(lines), coupon=usable_coupon(ctx, row["coupon_code"]))


def usable_coupon(ctx: Context, code: str) -> sqlite3.Row | None:
    """The coupon with this code if it is active and not expired, whatever its minimum."""
    row: sqlite3.Row | None = ctx.db.execute(
        "SELECT * FROM shop_coupon WHERE code = ? AND is_active AND expires_on >= ?", (code, ctx.now[:10])
    ).fetchone()
    return row


def require_cart(ctx: Context) -> int:
    """Id of the cart of who is logged in, else of this browser; made now if there is none."""
    found = find_cart(ctx).id
    if found is not None:
        return found
    session = ctx.require_session()
    key = None if session.user_id is not None else session.id
    made = ctx.db.execute("INSERT INTO shop_cart (customer_id, session_id) VALUES (?, ?)", (session.user_id, key))
    return int(made.lastrowid or 0)


def take_over(ctx: Context, customer_id: int) -> None:
    """Add the browser's cart to that of the customer who is about to log in, as far as stock allows."""
    guest = find_cart(ctx)
    if guest.id is None or (ctx.session is not None and ctx.session.user_id is not None):
        return
    row = ctx.db.execute("SELECT id FROM shop_cart WHERE customer_id = ?", (customer_id,)).fetchone()
    if row is None:
        ctx.db.execute("UPDATE shop_cart SET customer_id = ?, session_id = NULL WHERE id = ?", (customer_id, guest.id))
        return
    for line in guest.lines:
        _put(ctx, row["id"], line, line["quantity"])
    ctx.db.execute("DELETE FROM shop_cart WHERE id = ?", (guest.id,))


def _put(ctx: Context, cart: int, product: sqlite3.Row, quantity: int) -> bool:
    """Whether so many more of a product fit its stock; if so they are in the cart."""
    held = ctx.db.execute(
        "SELECT quantity FROM shop_cart_item WHERE cart_id = ? AND product_id = ?", (cart, product["id"])
    ).fetchone()
    wanted = quantity + (held[0] if held else 0)
    if wanted > product["stock"]:
        return False
    ctx.db.execute("INSERT OR REPLACE INTO shop_cart_item VALUES (?, ?, ?)", (cart, product["id"], wanted))
    return True


def is_added(ctx: Context, product: sqlite3.Row, quantity: int) -> bool:
    """Put a product into the cart; False, and nothing done, if there is not enough of it."""
    return quantity <= product["stock"] and _put(ctx, require_cart(ctx), product, quantity)


def added_notice(ctx: Context, product: sqlite3.Row, quantity: int) -> str:
    """Put a product into the cart; the sentence that says whether that went well."""
    if is_added(ctx, product, quantity):
        return f"You added {product['name']} to your shopping cart."
    return f"The requested quantity of {product['name']} is not available."


def sent_product(ctx: Context) -> sqlite3.Row:
    """The enabled product whose id the form sends; raises `NotFound`."""
    row: sqlite3.Row | None = ctx.db.execute(
        "SELECT * FROM shop_product WHERE id = ? AND is_enabled", (ctx.form.integer("product", 0),)
    ).fetchone()
    if row is None:
        raise NotFound("We do not have this product.")
    return row


@routes.get("/cart")
def show(ctx: Context) -> Reply:
    """The cart with its quantities, coupon and total."""
    return ctx.render("cart.html", cart=find_cart(ctx))


@routes.post("/cart/add")
def add(ctx: Context) -> Reply:
    """Put ``quantity`` (one if not said) of a product into the cart."""
    product = sent_product(ctx)
    entry = Entry(ctx.form)
    quantity = entry.integer("quantity", "Qty", low=1, high=MAX_QUANTITY) if "quantity" in ctx.form else 1
    notice = next(iter(entry.errors.values()), "") or added_notice(ctx, product, quantity)
    return ctx.redirect(f"/product/{product['slug']}", notice)


@routes.post("/cart/update")
def update(ctx: Context) -> Reply:
    """Set the quantity of a product that is in the cart; 0 takes it out."""
    line = _sent_line(ctx)
    entry = Entry(ctx.form)
    quantity = entry.integer("quantity", "Qty", low=0, high=MAX_QUANTITY)
    if entry.errors:
        return ctx.redirect("/cart", next(iter(entry.errors.values())))
    if quantity > line["stock"]:
        return ctx.redirect("/cart", f"The requested quantity of {line['name']} is not available.")
    if quantity == 0:
        return remove(ctx)
    ctx.db.execute(
        "UPDATE shop_cart_item SET quantity = ? WHERE cart_id = ? AND product_id = ?",
        (quantity, find_cart(ctx).id, line["id"]),
    )
    return ctx.redirect("/cart", f"You changed the quantity of {line['name']}.")


@routes.post("/cart/remove")
def remove(ctx: Context) -> Reply:
    """Take a product out of the cart."""
    line = _sent_line(ctx)
    ctx.db.execute("DELETE FROM shop_cart_item WHERE cart_id = ? AND product_id = ?", (find_cart(ctx).id, line["id"]))
    return ctx.redirect("/cart", f"You removed {line['name']} from your shopping cart.")


def _sent_line(ctx: Context) -> sqlite3.Row:
    wanted = ctx.form.integer("product", 0)
    line = next((line for line in find_cart(ctx).lines if line["id"] == wanted), None)
    if line is None:
        raise NotFound("This product is not in your cart.")
    return line


@routes.post("/cart/coupon")
def apply_coupon(ctx: Context) -> Reply:
    """Use a coupon code, or none any more if the field is empty."""
    code = ctx.form.get("coupon")[:40].upper()
    cart = find_cart(ctx)
    if cart.id is None:
        return ctx.redirect("/cart", "You have no items in your shopping cart.")
    coupon = usable_coupon(ctx, code) if code else None
    if code and (coupon is None or cart.subtotal_cents < coupon["minimum_cents"]):
        return ctx.redirect("/cart", f'The coupon code "{code}" is not valid.')
    ctx.db.execute("UPDATE shop_cart SET coupon_code = ? WHERE id = ?", (code, cart.id))
    return ctx.redirect("/cart", f'You used coupon code "{code}".' if code else "You canceled the coupon code.")
