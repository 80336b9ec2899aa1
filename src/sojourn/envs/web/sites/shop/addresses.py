"""The address book and the wish list of a customer."""

from __future__ import annotations

import sqlite3

from sojourn.envs.web.sites.framework import Context, Entry, NotFound, Reply, Routes, local_path
from sojourn.envs.web.sites.shop.cart import is_added, sent_product
from sojourn.envs.web.sites.shop.queries import PRODUCT_COLUMNS

routes = Routes()
FIELDS = (
    ("name", "Name", 120),
    ("street", "Street Address", 160),
    ("city", "City", 80),
    ("state", "State/Province", 80),
    ("postcode", "Zip/Postal Code", 20),
    ("phone", "Phone Number", 40),
)
"""Fields of an address: column, label, longest value."""


@routes.get("/account/addresses")
def addresses(ctx: Context) -> Reply:
    """All addresses, the default one first."""
    customer = ctx.require_user()
    rows = ctx.db.execute(
        "SELECT * FROM shop_address WHERE customer_id = ? ORDER BY is_default DESC, id", (customer["id"],)
    ).fetchall()
    return ctx.render("addresses.html", addresses=rows)


@routes.get("/account/addresses/new")
def new_form(ctx: Context) -> Reply:
    """The form for a new address."""
    customer = ctx.require_user()
    values = {name: "" for name, _, _ in FIELDS}
    values |= {"name": f"{customer['first_name']} {customer['last_name']}", "next": ctx.query.get("next")}
    return _form(ctx, Entry(ctx.form, values))


@routes.post("/account/addresses/new")
def new(ctx: Context) -> Reply:
    """Add an address; the first one is the default."""
    customer = ctx.require_user()
    entry = Entry(ctx.form, {"next": ctx.form.get("next")})
    values = [entry.text(name, label, max_length=limit) for name, label, limit in FIELDS]
    is_default = entry.flag("is_default")
    if entry.errors:
        return _form(ctx, entry)
    is_first = ctx.db.execute("SELECT 1 FROM shop_address WHERE customer_id = ?", (customer["id"],)).fetchone() is None
    made = ctx.db.execute(
        "INSERT INTO shop_address (customer_id, name, street, city, state, postcode, phone, is_default)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, 0)",
        (customer["id"], *values),
    )
    if is_default or is_first:
        _make_default(ctx, customer["id"], int(made.lastrowid or 0))
    return ctx.redirect(local_path(ctx.form.get("next"), "/account/addresses"), "You saved the address.")


@routes.get("/account/addresses/<int:key>")
def edit_form(ctx: Context, key: int) -> Reply:
    """The form for an address that there is."""
    return _form(ctx, Entry(ctx.form, {**dict(_own(ctx, key)), "next": ""}))


@routes.post("/account/addresses/<int:key>")
def edit(ctx: Context, key: int) -> Reply:
    """Change an address."""
    row = _own(ctx, key)
    entry = Entry(ctx.form, {"next": ""})
    values = [entry.text(name, label, max_length=limit) for name, label, limit in FIELDS]
    if entry.flag("is_default") and not entry.errors:
        _make_default(ctx, row["customer_id"], key)
    if entry.errors:
        return _form(ctx, entry)
    sets = ", ".join(f"{name} = ?" for name, _, _ in FIELDS)
    ctx.db.execute(f"UPDATE shop_address SET {sets} WHERE id = ?", (*values, key))
    return ctx.redirect("/account/addresses", "You saved the address.")


@routes.post("/account/addresses/<int:key>/delete")
def delete(ctx: Context, key: int) -> Reply:
    """Delete an address that is not the default one."""
    row = _own(ctx, key)
    if row["is_default"]:
        return ctx.redirect("/account/addresses", "The default address can't be deleted.")
    ctx.db.execute("DELETE FROM shop_address WHERE id = ?", (key,))
    return ctx.redirect("/account/addresses", "You deleted the address.")


def _own(ctx: Context, key: int) -> sqlite3.Row:
    customer = ctx.require_user()
    row: sqlite3.Row | None = ctx.db.execute(
        "SELECT * FROM shop_address WHERE id = ? AND customer_id = ?", (key, customer["id"])
    ).fetchone()
    if row is None:
        raise NotFound("You have no such address.")
    return row


def _make_default(ctx: Context, customer_id: int, key: int) -> None:
    """Make one address the default; rows that keep their value are not written."""
    ctx.db.execute(
        "UPDATE shop_address SET is_default = (id = ?) WHERE customer_id = ? AND is_default != (id = ?)",
        (key, customer_id, key),
    )


def _form(ctx: Context, entry: Entry) -> Reply:
    return ctx.render("address.html", status=entry.status, entry=entry, fields=FIELDS)


@routes.get("/account/wishlist")
def wish_list(ctx: Context) -> Reply:
    """The products that the customer wishes for."""
    customer = ctx.require_user()
    rows = ctx.db.execute(
        f"SELECT {PRODUCT_COLUMNS}, w.added_at FROM shop_wish w JOIN shop_product p ON p.id = w.product_id"
        " WHERE w.customer_id = ? AND p.is_enabled ORDER BY w.added_at, p.id",
        (customer["id"],),
    ).fetchall()
    return ctx.render("wishlist.html", products=rows)


@routes.post("/account/wishlist/add")
def wish(ctx: Context) -> Reply:
    """Add a product to the wish list; once is enough."""
    customer, product = ctx.require_user(), sent_product(ctx)
    ctx.db.execute("INSERT OR IGNORE INTO shop_wish VALUES (?, ?, ?)", (customer["id"], product["id"], ctx.now))
    return ctx.redirect("/account/wishlist", f"{product['name']} has been added to your Wish List.")


@routes.post("/account/wishlist/remove")
def unwish(ctx: Context) -> Reply:
    """Take a product off the wish list."""
    customer, product = ctx.require_user(), sent_product(ctx)
    ctx.db.execute("DELETE FROM shop_wish WHERE customer_id = ? AND product_id = ?", (customer["id"], product["id"]))
    return ctx.redirect("/account/wishlist", f"{product['name']} has been removed from your Wish List.")


@routes.post("/account/wishlist/cart")
def wish_to_cart(ctx: Context) -> Reply:
    """Put a wished product into the cart and take it off the list, if it is in stock."""
    customer, product = ctx.require_user(), sent_product(ctx)
    if not is_added(ctx, product, 1):
        return ctx.redirect("/account/wishlist", f"{product['name']} is out of stock.")
    ctx.db.execute("DELETE FROM shop_wish WHERE customer_id = ? AND product_id = ?", (customer["id"], product["id"]))
    return ctx.redirect("/account/wishlist", f"You added {product['name']} to your shopping cart.")
