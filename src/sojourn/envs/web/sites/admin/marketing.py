"""Coupons and texts in the back office."""

from __future__ import annotations

import sqlite3
from datetime import date
from typing import Any

from sojourn.envs.web.sites.admin.grid import Column, Filter, Grid, grid_page
from sojourn.envs.web.sites.framework import Context, Entry, NotFound, Reply, Routes
from sojourn.envs.web.sites.render import amount

routes = Routes()
KINDS = (("percent", "Percent of price"), ("amount", "Fixed amount"))
_ACTIVE = (("1", "Active"), ("0", "Inactive"))
_COUPONS = Grid(
    title="Cart Price Rules",
    source="shop_coupon c",
    key="c.id",
    columns=(
        Column(key="name", label="Rule", sql="c.name"),
        Column(key="code", label="Coupon Code", sql="c.code"),
        Column(
            key="discount",
            label="Discount",
            sql="CASE kind WHEN 'percent' THEN value || '%' ELSE printf('$%.2f', value / 100.0) END",
        ),
        Column(key="minimum", label="Minimum", sql="c.minimum_cents", kind="money"),
        Column(key="active", label="Active", sql="c.is_active", kind="yes"),
        Column(key="expires_on", label="Ends", sql="c.expires_on", kind="day"),
    ),
    filters=(
        Filter(name="code", label="Coupon Code", clause="c.code LIKE ? ESCAPE '\\'"),
        Filter(name="name", label="Rule", clause="c.name LIKE ? ESCAPE '\\'"),
        Filter(
            name="active", label="Active", clause="c.is_active = CAST(? AS INTEGER)", kind="choice", options=_ACTIVE
        ),
    ),
    order="name asc",
    link="/admin/coupons/",
    new=("Add New Rule", "/admin/coupons/new"),
)
_PAGES = Grid(
    title="Pages",
    source="shop_page p",
    key="p.id",
    columns=(
        Column(key="title", label="Title", sql="p.title"),
        Column(key="slug", label="URL Key", sql="p.slug"),
        Column(key="enabled", label="Enabled", sql="p.is_enabled", kind="yes"),
        Column(key="updated_at", label="Modified", sql="p.updated_at", kind="day"),
    ),
    filters=(Filter(name="title", label="Title", clause="p.title LIKE ? ESCAPE '\\'"),),
    order="title asc",
    link="/admin/pages/",
)


@routes.get("/admin/coupons")
def coupons(ctx: Context) -> Reply:
    """All cart price rules."""
    return grid_page(ctx, _COUPONS)


def _coupon(ctx: Context, key: int) -> sqlite3.Row:
    row: sqlite3.Row | None = ctx.db.execute("SELECT * FROM shop_coupon WHERE id = ?", (key,)).fetchone()
    if row is None:
        raise NotFound("This rule no longer exists.")
    return row


def _read_coupon(ctx: Context, entry: Entry, own_id: int) -> dict[str, Any]:
    kind = entry.choice("kind", "how the discount is applied", [value for value, _ in KINDS])
    is_percent = kind != "amount"
    found = {
        "name": entry.text("name", "Rule name", max_length=120),
        "code": entry.text("code", "Coupon code", max_length=40).upper(),
        "kind": kind,
        "value": entry.integer("value", "Discount", low=1, high=100)
        if is_percent
        else entry.cents("value", "Discount"),
        "minimum_cents": entry.cents("minimum", "Minimum"),
        "is_active": entry.flag("is_active"),
        "expires_on": _day(entry, "expires_on", "End date"),
    }
    if ctx.db.execute("SELECT 1 FROM shop_coupon WHERE code = ? AND id != ?", (found["code"], own_id)).fetchone():
        entry.refuse("code", "There is already a rule with this coupon code.")
    return found


def _day(entry: Entry, name: str, label: str) -> str:
    text = entry.text(name, label, max_length=10)
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError:
        entry.refuse(name, f"{label} must be a day such as 2024-12-31.")
        return ""


@routes.get("/admin/coupons/new")
def new_coupon_form(ctx: Context) -> Reply:
    """The form for a new rule."""
    values = {
        "name": "",
        "code": "",
        "kind": "percent",
        "value": "",
        "minimum": "0.00",
        "is_active": 1,
        "expires_on": "",
    }
    return ctx.render("coupon.html", title="New Cart Price Rule", entry=Entry(ctx.form, values), kinds=KINDS)


@routes.post("/admin/coupons/new")
def new_coupon(ctx: Context) -> Reply:
    """Add a rule."""
    entry = Entry(ctx.form)
    values = _read_coupon(ctx, entry, 0)
    if entry.errors:
        return ctx.render("coupon.html", status=entry.status, title="New Cart Price Rule", entry=entry, kinds=KINDS)
    ctx.db.execute(
        f"INSERT INTO shop_coupon ({', '.join(values)}) VALUES ({', '.join('?' * len(values))})",
        tuple(values.values()),
    )
    return ctx.redirect("/admin/coupons", "You saved the rule.")


@routes.get("/admin/coupons/<int:key>")
def coupon_form(ctx: Context, key: int) -> Reply:
    """The form for a rule that there is."""
    row = _coupon(ctx, key)
    value = amount(row["value"]) if row["kind"] == "amount" else row["value"]
    entry = Entry(ctx.form, {**dict(row), "value": value, "minimum": amount(row["minimum_cents"])})
    return ctx.render("coupon.html", title=row["name"], entry=entry, kinds=KINDS)


@routes.post("/admin/coupons/<int:key>")
def edit_coupon(ctx: Context, key: int) -> Reply:
    """Change a rule."""
    row, entry = _coupon(ctx, key), Entry(ctx.form)
    values = _read_coupon(ctx, entry, key)
    if entry.errors:
        return ctx.render("coupon.html", status=entry.status, title=row["name"], entry=entry, kinds=KINDS)
    sets = ", ".join(f"{name} = ?" for name in values)
    ctx.db.execute(f"UPDATE shop_coupon SET {sets} WHERE id = ?", (*values.values(), key))
    return ctx.redirect("/admin/coupons", "You saved the rule.")


@routes.get("/admin/pages")
def pages(ctx: Context) -> Reply:
    """The texts of the shop."""
    return grid_page(ctx, _PAGES)


def _text(ctx: Context, key: int) -> sqlite3.Row:
    row: sqlite3.Row | None = ctx.db.execute("SELECT * FROM shop_page WHERE id = ?", (key,)).fetchone()
    if row is None:
        raise NotFound("This page no longer exists.")
    return row


@routes.get("/admin/pages/<int:key>")
def page_form(ctx: Context, key: int) -> Reply:
    """The form for a text."""
    row = _text(ctx, key)
    return ctx.render("page.html", page=row, entry=Entry(ctx.form, dict(row)))


@routes.post("/admin/pages/<int:key>")
def edit_page(ctx: Context, key: int) -> Reply:
    """Change a text; its address stays."""
    row, entry = _text(ctx, key), Entry(ctx.form)
    is_enabled = entry.flag("is_enabled")
    title = entry.text("title", "Page title", max_length=120)
    content = entry.text("content", "Content", max_length=20_000)
    if entry.errors:
        return ctx.render("page.html", status=entry.status, page=row, entry=entry)
    ctx.db.execute(
        "UPDATE shop_page SET title = ?, content = ?, is_enabled = ?, updated_at = ? WHERE id = ?",
        (title, content, is_enabled, ctx.now, key),
    )
    return ctx.redirect("/admin/pages", "You saved the page.")
