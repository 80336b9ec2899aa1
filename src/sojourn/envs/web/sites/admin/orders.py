"""Orders in the back office: finding them, and taking them from pending to complete."""

from __future__ import annotations

import sqlite3

from sojourn.envs.web.sites.admin.grid import Column, Filter, Grid, grid_page
from sojourn.envs.web.sites.framework import Context, Entry, NotFound, Reply, Routes
from sojourn.envs.web.sites.shop.addresses import FIELDS

routes = Routes()
STATUSES = ("pending", "processing", "complete", "canceled", "on hold")
SET_BY_COMMENT = ("pending", "processing", "complete", "on hold")
"""States that a comment can set; canceling also puts the goods back, so that it is a button."""
CARRIERS = ("United Parcel Service", "Federal Express", "DHL", "United States Postal Service")
_GRID = Grid(
    title="Orders",
    source="shop_order o JOIN shop_customer c ON c.id = o.customer_id",
    key="o.id",
    columns=(
        Column(key="number", label="Order #", sql="o.number"),
        Column(key="placed_at", label="Purchase Date", sql="o.placed_at", kind="moment"),
        Column(key="customer", label="Customer", sql="c.first_name || ' ' || c.last_name"),
        Column(key="total", label="Grand Total", sql="o.total_cents", kind="money"),
        Column(key="status", label="Status", sql="o.status", kind="status"),
    ),
    filters=(
        Filter(name="number", label="Order #", clause="o.number LIKE ? ESCAPE '\\'"),
        Filter(name="customer", label="Customer name", clause="c.first_name || ' ' || c.last_name LIKE ? ESCAPE '\\'"),
        Filter(name="email", label="Customer email", clause="c.email LIKE ? ESCAPE '\\'"),
        Filter(
            name="status",
            label="Status",
            clause="o.status = ?",
            kind="choice",
            options=tuple((status, status.capitalize()) for status in STATUSES),
        ),
        Filter(name="date_from", label="Purchased from", clause="o.placed_at >= ?", kind="day"),
        Filter(name="date_to", label="Purchased to", clause="substr(o.placed_at, 1, 10) <= ?", kind="day"),
        Filter(name="total_from", label="Total from", clause="o.total_cents >= ?", kind="money"),
        Filter(name="total_to", label="Total to", clause="o.total_cents <= ?", kind="money"),
    ),
    order="number desc",
    link="/admin/orders/",
)


@routes.get("/admin/orders")
def orders(ctx: Context) -> Reply:
    """All orders, latest first."""
    return grid_page(ctx, _GRID)


def _order(ctx: Context, key: int) -> sqlite3.Row:
    row: sqlite3.Row | None = ctx.db.execute(
        "SELECT o.*, c.email, c.first_name, c.last_name, c.group_name, m.name AS shipping_name,"
        " i.id AS invoice_id, s.carrier, s.tracking_number, s.id AS shipment_id"
        " FROM shop_order o JOIN shop_customer c ON c.id = o.customer_id"
        " JOIN shop_shipping_method m ON m.code = o.shipping_method"
        " LEFT JOIN shop_invoice i ON i.order_id = o.id LEFT JOIN shop_shipment s ON s.order_id = o.id WHERE o.id = ?",
        (key,),
    ).fetchone()
    if row is None:
        raise NotFound("This order no longer exists.")
    return row


def allowed(order: sqlite3.Row) -> frozenset[str]:
    """What can be done with an order in its present state."""
    status, is_invoiced, is_shipped = order["status"], order["invoice_id"] is not None, order["shipment_id"] is not None
    is_open = status in ("pending", "processing")
    found = {"comment"}
    found |= {"hold"} if is_open else set()
    found |= {"unhold"} if status == "on hold" else set()
    found |= {"cancel"} if status in ("pending", "on hold") and not is_invoiced and not is_shipped else set()
    found |= {"invoice"} if is_open and not is_invoiced else set()
    found |= {"ship"} if is_open and not is_shipped else set()
    found |= {"address"} if not is_shipped and status != "canceled" else set()
    return frozenset(found)


@routes.get("/admin/orders/<int:key>")
def order(ctx: Context, key: int) -> Reply:
    """One order, its history, and the forms that change it."""
    return _page(ctx, _order(ctx, key), Entry(ctx.form))


def _page(ctx: Context, row: sqlite3.Row, entry: Entry) -> Reply:
    lines = ctx.db.execute(
        "SELECT p.id, p.name, p.sku, l.price_cents, l.quantity FROM shop_order_line l"
        " JOIN shop_product p ON p.id = l.product_id WHERE l.order_id = ? ORDER BY p.id",
        (row["id"],),
    ).fetchall()
    notes = ctx.db.execute("SELECT * FROM shop_order_note WHERE order_id = ? ORDER BY id DESC", (row["id"],)).fetchall()
    statuses = ("canceled",) if row["status"] == "canceled" else SET_BY_COMMENT
    return ctx.render(
        "order.html",
        status=entry.status,
        order=row,
        lines=lines,
        notes=notes,
        allowed=allowed(row),
        statuses=[(status, status.capitalize()) for status in statuses],
        carriers=[(carrier, carrier) for carrier in CARRIERS],
        entry=entry,
    )


@routes.post("/admin/orders/<int:key>/comment")
def comment(ctx: Context, key: int) -> Reply:
    """Write a note, which may change the status and may be shown to the customer."""
    row, entry = _order(ctx, key), Entry(ctx.form)
    text = entry.text("text", "Comment", max_length=2000, required=ctx.form.get("status") == row["status"])
    options = ("canceled",) if row["status"] == "canceled" else SET_BY_COMMENT
    status = entry.choice("status", "a status", options)
    is_visible = entry.flag("is_visible")
    if entry.errors:
        return _page(ctx, row, entry)
    ctx.db.execute(
        "INSERT INTO shop_order_note (order_id, text, status, is_visible, created_at) VALUES (?, ?, ?, ?, ?)",
        (key, text, status, is_visible, ctx.now),
    )
    _set_status(ctx, row, status)
    return ctx.redirect(f"/admin/orders/{key}", "The comment has been added.")


@routes.post("/admin/orders/<int:key>/cancel")
def cancel(ctx: Context, key: int) -> Reply:
    """Cancel an order and put its goods back on stock."""
    row = _order(ctx, key)
    if "cancel" not in allowed(row):
        return ctx.redirect(f"/admin/orders/{key}", "This order can't be canceled.")
    ctx.db.execute(
        "UPDATE shop_product SET stock = stock + (SELECT quantity FROM shop_order_line"
        " WHERE order_id = ? AND product_id = shop_product.id)"
        " WHERE id IN (SELECT product_id FROM shop_order_line WHERE order_id = ?)",
        (key, key),
    )
    _set_status(ctx, row, "canceled")
    return ctx.redirect(f"/admin/orders/{key}", "You canceled the order.")


@routes.post("/admin/orders/<int:key>/hold")
def hold(ctx: Context, key: int) -> Reply:
    """Put an order on hold."""
    row = _order(ctx, key)
    if "hold" not in allowed(row):
        return ctx.redirect(f"/admin/orders/{key}", "This order can't be put on hold.")
    _set_status(ctx, row, "on hold")
    return ctx.redirect(f"/admin/orders/{key}", "You put the order on hold.")


@routes.post("/admin/orders/<int:key>/unhold")
def unhold(ctx: Context, key: int) -> Reply:
    """Release an order from holding: processing if it has an invoice, else pending."""
    row = _order(ctx, key)
    if "unhold" not in allowed(row):
        return ctx.redirect(f"/admin/orders/{key}", "This order is not on hold.")
    _set_status(ctx, row, "pending" if row["invoice_id"] is None else "processing")
    return ctx.redirect(f"/admin/orders/{key}", "You released the order from holding status.")


@routes.post("/admin/orders/<int:key>/invoice")
def invoice(ctx: Context, key: int) -> Reply:
    """Invoice an order: complete if it has been shipped, else processing."""
    row = _order(ctx, key)
    if "invoice" not in allowed(row):
        return ctx.redirect(f"/admin/orders/{key}", "This order can't be invoiced.")
    ctx.db.execute(
        "INSERT INTO shop_invoice (order_id, total_cents, created_at) VALUES (?, ?, ?)",
        (key, row["total_cents"], ctx.now),
    )
    _set_status(ctx, row, "processing" if row["shipment_id"] is None else "complete")
    return ctx.redirect(f"/admin/orders/{key}", "The invoice has been created.")


@routes.post("/admin/orders/<int:key>/ship")
def ship(ctx: Context, key: int) -> Reply:
    """Ship an order under a tracking number: complete if it has an invoice, else processing."""
    row, entry = _order(ctx, key), Entry(ctx.form)
    if "ship" not in allowed(row):
        return ctx.redirect(f"/admin/orders/{key}", "This order can't be shipped.")
    carrier = entry.choice("carrier", "a carrier", CARRIERS)
    tracking = entry.text("tracking_number", "Tracking number", max_length=60)
    if entry.errors:
        return _page(ctx, row, entry)
    ctx.db.execute(
        "INSERT INTO shop_shipment (order_id, carrier, tracking_number, created_at) VALUES (?, ?, ?, ?)",
        (key, carrier, tracking, ctx.now),
    )
    _set_status(ctx, row, "processing" if row["invoice_id"] is None else "complete")
    return ctx.redirect(f"/admin/orders/{key}", "The shipment has been created.")


@routes.get("/admin/orders/<int:key>/address")
def address_form(ctx: Context, key: int) -> Reply:
    """The form for the address that an order goes to."""
    row = _order(ctx, key)
    return ctx.render("order_address.html", order=row, entry=Entry(ctx.form, dict(row)), fields=FIELDS)


@routes.post("/admin/orders/<int:key>/address")
def address(ctx: Context, key: int) -> Reply:
    """Change where an order goes to, before it is shipped."""
    row, entry = _order(ctx, key), Entry(ctx.form)
    if "address" not in allowed(row):
        return ctx.redirect(f"/admin/orders/{key}", "The address of this order can't be changed.")
    values = [entry.text(name, label, max_length=limit) for name, label, limit in FIELDS]
    if entry.errors:
        return ctx.render("order_address.html", status=entry.status, order=row, entry=entry, fields=FIELDS)
    sets = ", ".join(f"{name} = ?" for name, _, _ in FIELDS)
    ctx.db.execute(f"UPDATE shop_order SET {sets} WHERE id = ?", (*values, key))
    return ctx.redirect(f"/admin/orders/{key}", "You updated the order address.")


def _set_status(ctx: Context, order: sqlite3.Row, status: str) -> None:
    if status != order["status"]:
        ctx.db.execute("UPDATE shop_order SET status = ? WHERE id = ?", (status, order["id"]))
