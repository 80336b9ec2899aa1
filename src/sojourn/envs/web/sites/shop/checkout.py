"""Checkout: from a cart to an order."""

from __future__ import annotations

import sqlite3

from sojourn.envs.web.sites.framework import Context, Entry, NotFound, Reply, Routes
from sojourn.envs.web.sites.shop.cart import Cart, find_cart
from sojourn.envs.web.sites.shop.prices import shipping_cents

routes = Routes()
PAYMENTS = ("Check / Money order", "Credit card")
"""Ways to pay; nothing is charged."""


@routes.get("/checkout")
def checkout(ctx: Context) -> Reply:
    """Where to, how, and how it is paid for."""
    return _page(ctx, Entry(ctx.form, {"payment": PAYMENTS[0], "shipping": "standard"}))


@routes.post("/checkout")
def place(ctx: Context) -> Reply:
    """Place the order of what is in the cart."""
    customer, cart = ctx.require_user(), find_cart(ctx)
    if not cart.lines:
        return ctx.redirect("/cart", "You have no items in your shopping cart.")
    entry = Entry(ctx.form)
    addresses = {str(row["id"]): row for row in _addresses(ctx, customer["id"])}
    methods = {row["code"]: row for row in _methods(ctx)}
    address = entry.choice("address", "a shipping address", tuple(addresses))
    method = entry.choice("shipping", "a shipping method", tuple(methods))
    payment = entry.choice("payment", "a payment method", PAYMENTS)
    for line in cart.lines:
        if line["quantity"] > line["stock"] or not line["is_enabled"]:
            entry.refuse("cart", f"{line['name']} is not available in this quantity any more.")
    if entry.errors:
        return _page(ctx, entry)
    number = _insert(ctx, cart, addresses[address], methods[method], payment)
    return ctx.redirect(f"/checkout/success/{number}")


@routes.get("/checkout/success/<number>")
def success(ctx: Context, number: str) -> Reply:
    """The page after an order, with its number."""
    customer = ctx.require_user()
    row = ctx.db.execute(
        "SELECT number FROM shop_order WHERE number = ? AND customer_id = ?", (number, customer["id"])
    ).fetchone()
    if row is None:
        raise NotFound("You have no such order.")
    return ctx.render("success.html", number=number)


def _page(ctx: Context, entry: Entry) -> Reply:
    customer, cart = ctx.require_user(), find_cart(ctx)
    if not cart.lines:
        return ctx.redirect("/cart", "You have no items in your shopping cart.")
    addresses, goods = _addresses(ctx, customer["id"]), cart.goods_cents
    entry.values.setdefault("address", next((row["id"] for row in addresses if row["is_default"]), ""))
    methods = [(row, shipping_cents(goods, row)) for row in _methods(ctx)]
    return ctx.render(
        "checkout.html",
        status=entry.status,
        cart=cart,
        addresses=addresses,
        methods=methods,
        payments=PAYMENTS,
        entry=entry,
    )


def _addresses(ctx: Context, customer_id: int) -> list[sqlite3.Row]:
    return ctx.db.execute("SELECT * FROM shop_address WHERE customer_id = ? ORDER BY id", (customer_id,)).fetchall()


def _methods(ctx: Context) -> list[sqlite3.Row]:
    return ctx.db.execute("SELECT * FROM shop_shipping_method ORDER BY price_cents, code").fetchall()


def _insert(ctx: Context, cart: Cart, address: sqlite3.Row, method: sqlite3.Row, payment: str) -> str:
    """Write the order, take its goods from stock and empty the cart; returns the order's number."""
    shipping = shipping_cents(cart.goods_cents, method)
    last = ctx.db.execute("SELECT coalesce(max(id), 0) FROM shop_order").fetchone()[0]
    number = f"{last + 1:09d}"
    code = cart.coupon["code"] if cart.coupon is not None and cart.discount_cents else ""
    place = tuple(address[name] for name in ("name", "street", "city", "state", "postcode", "phone"))
    amounts = (cart.subtotal_cents, cart.discount_cents, shipping, cart.goods_cents + shipping)
    order = ctx.db.execute(
        "INSERT INTO shop_order (number, customer_id, placed_at, status, name, street, city, state, postcode, phone,"
        " shipping_method, payment_method, coupon_code, subtotal_cents, discount_cents, shipping_cents, total_cents)"
        f" VALUES (?, ?, ?, 'pending', {', '.join('?' * 13)})",
        (number, address["customer_id"], ctx.now, *place, method["code"], payment, code, *amounts),
    ).lastrowid
    for line in cart.lines:
        values = (order, line["id"], line["price_cents"], line["quantity"])
        ctx.db.execute("INSERT INTO shop_order_line VALUES (?, ?, ?, ?)", values)
        ctx.db.execute("UPDATE shop_product SET stock = stock - ? WHERE id = ?", (line["quantity"], line["id"]))
    ctx.db.execute("DELETE FROM shop_cart WHERE id = ?", (cart.id,))
    return number
