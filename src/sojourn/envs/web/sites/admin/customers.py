"""Customers and their messages in the back office."""

from __future__ import annotations

import sqlite3

from sojourn.envs.web.sites.admin.grid import Column, Filter, Grid, grid_page
from sojourn.envs.web.sites.framework import Context, Entry, NotFound, Reply, Routes
from sojourn.envs.web.sites.shop.histories import GROUPS

routes = Routes()
_GROUP_OPTIONS = tuple((group, group) for group in GROUPS)
_NAME = "c.first_name || ' ' || c.last_name"
_CUSTOMERS = Grid(
    title="Customers",
    source="shop_customer c",
    key="c.id",
    columns=(
        Column(key="name", label="Name", sql=_NAME),
        Column(key="email", label="Email", sql="c.email"),
        Column(key="group_name", label="Group", sql="c.group_name"),
        Column(
            key="city",
            label="City",
            sql="coalesce((SELECT city FROM shop_address a WHERE a.customer_id = c.id AND a.is_default), '')",
        ),
        Column(
            key="num_orders",
            label="Orders",
            sql="(SELECT count(*) FROM shop_order o WHERE o.customer_id = c.id)",
        ),
        Column(key="created_at", label="Customer Since", sql="c.created_at", kind="day"),
    ),
    filters=(
        Filter(name="name", label="Name", clause=f"{_NAME} LIKE ? ESCAPE '\\'"),
        Filter(name="email", label="Email", clause="c.email LIKE ? ESCAPE '\\'"),
        Filter(name="group", label="Group", clause="c.group_name = ?", kind="choice", options=_GROUP_OPTIONS),
        Filter(
            name="phone",
            label="Phone",
            clause="EXISTS (SELECT 1 FROM shop_address a WHERE a.customer_id = c.id AND a.phone LIKE ? ESCAPE '\\')",
        ),
        Filter(name="since_from", label="Customer since from", clause="c.created_at >= ?", kind="day"),
        Filter(name="since_to", label="Customer since to", clause="substr(c.created_at, 1, 10) <= ?", kind="day"),
    ),
    order="name asc",
    link="/admin/customers/",
)
_MESSAGES = Grid(
    title="Messages",
    source="shop_message m",
    key="m.id",
    columns=(
        Column(key="created_at", label="Sent", sql="m.created_at", kind="moment"),
        Column(key="name", label="Name", sql="m.name"),
        Column(key="email", label="Email", sql="m.email"),
        Column(key="message", label="Message", sql="m.text"),
    ),
    filters=(Filter(name="message", label="Message", clause="m.text LIKE ? ESCAPE '\\'"),),
    order="created_at desc",
    link="",
)


@routes.get("/admin/customers")
def customers(ctx: Context) -> Reply:
    """All customers."""
    return grid_page(ctx, _CUSTOMERS)


@routes.get("/admin/messages")
def messages(ctx: Context) -> Reply:
    """What was sent with the shop's contact form."""
    return grid_page(ctx, _MESSAGES)


def _customer(ctx: Context, key: int) -> sqlite3.Row:
    row: sqlite3.Row | None = ctx.db.execute("SELECT * FROM shop_customer WHERE id = ?", (key,)).fetchone()
    if row is None:
        raise NotFound("This customer doesn't exist.")
    return row


@routes.get("/admin/customers/<int:key>")
def customer(ctx: Context, key: int) -> Reply:
    """One customer: the account, addresses and orders."""
    row = _customer(ctx, key)
    return _page(ctx, row, Entry(ctx.form, dict(row)))


def _page(ctx: Context, row: sqlite3.Row, entry: Entry) -> Reply:
    addresses = ctx.db.execute("SELECT * FROM shop_address WHERE customer_id = ? ORDER BY id", (row["id"],)).fetchall()
    orders = ctx.db.execute("SELECT * FROM shop_order WHERE customer_id = ? ORDER BY id DESC", (row["id"],)).fetchall()
    spent = ctx.db.execute(
        "SELECT coalesce(sum(total_cents), 0) FROM shop_order WHERE customer_id = ? AND status != 'canceled'",
        (row["id"],),
    ).fetchone()[0]
    return ctx.render(
        "customer.html",
        status=entry.status,
        customer=row,
        addresses=addresses,
        orders=orders,
        spent=spent,
        groups=_GROUP_OPTIONS,
        entry=entry,
    )


@routes.post("/admin/customers/<int:key>")
def edit(ctx: Context, key: int) -> Reply:
    """Change a customer's name and group; the mail address is the customer's own, since the password hangs on it."""
    row, entry = _customer(ctx, key), Entry(ctx.form)
    first = entry.text("first_name", "First name", max_length=60)
    last = entry.text("last_name", "Last name", max_length=60)
    group = entry.choice("group_name", "a group", GROUPS)
    if entry.errors:
        return _page(ctx, row, entry)
    ctx.db.execute(
        "UPDATE shop_customer SET first_name = ?, last_name = ?, group_name = ? WHERE id = ?", (first, last, group, key)
    )
    return ctx.redirect(f"/admin/customers/{key}", "You saved the customer.")
