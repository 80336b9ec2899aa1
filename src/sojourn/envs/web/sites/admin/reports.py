"""Reports: sales by period, products ordered, what is searched for, what runs out."""

from __future__ import annotations

from typing import Any

from sojourn.envs.web.sites.admin.grid import Column, Filter, Grid, grid_page, read_day
from sojourn.envs.web.sites.framework import Context, Reply, Routes
from sojourn.envs.web.sites.lists import page_of

routes = Routes()
PER_PAGE = 31
PERIODS = (("day", "Day"), ("month", "Month"), ("year", "Year"))
_LENGTHS = {"day": 10, "month": 7, "year": 4}
_TERMS = Grid(
    title="Search Terms",
    source="shop_search_term t",
    key="t.id",
    columns=(
        Column(key="term", label="Search Query", sql="t.term"),
        Column(key="num_results", label="Results", sql="t.num_results"),
        Column(key="uses", label="Uses", sql="t.uses"),
    ),
    filters=(
        Filter(name="term", label="Search Query", clause="t.term LIKE ? ESCAPE '\\'"),
        Filter(name="uses_from", label="Uses from", clause="t.uses >= ?", kind="number"),
    ),
    order="term asc",
    link="",
)
_LOW_STOCK = Grid(
    title="Low Stock",
    source="shop_product p",
    key="p.id",
    columns=(
        Column(key="name", label="Product", sql="p.name"),
        Column(key="sku", label="SKU", sql="p.sku"),
        Column(key="stock", label="Stock Qty", sql="p.stock"),
    ),
    filters=(
        Filter(name="name", label="Product", clause="p.name LIKE ? ESCAPE '\\'"),
        Filter(name="stock_to", label="Quantity to", clause="p.stock <= ?", kind="number"),
    ),
    order="stock asc",
    link="/admin/products/",
)


def _range(ctx: Context) -> tuple[str, str]:
    return read_day(ctx, "from") or "0000-00-00", read_day(ctx, "to") or "9999-99-99"


@routes.get("/admin/reports/sales")
def sales(ctx: Context) -> Reply:
    """Orders, pieces and amounts of each day, month or year; canceled orders do not count."""
    period = ctx.query.choice("period", [value for value, _ in PERIODS], "month")
    rows = ctx.db.execute(
        f"SELECT substr(o.placed_at, 1, {_LENGTHS[period]}) AS period, count(*) AS num_orders,"
        " sum((SELECT sum(quantity) FROM shop_order_line l WHERE l.order_id = o.id)) AS num_items,"
        " sum(o.total_cents) AS sales_cents, sum(o.shipping_cents) AS shipping_cents,"
        " sum(o.discount_cents) AS discount_cents"
        " FROM shop_order o WHERE o.status != 'canceled' AND substr(o.placed_at, 1, 10) BETWEEN ? AND ?"
        " GROUP BY period ORDER BY period",
        _range(ctx),
    ).fetchall()
    return _report(ctx, "sales.html", rows, period=period, periods=PERIODS)


@routes.get("/admin/reports/products")
def products(ctx: Context) -> Reply:
    """How many pieces of each product were ordered, most first; canceled orders do not count."""
    rows = ctx.db.execute(
        "SELECT p.id, p.name, p.sku, sum(l.quantity) AS quantity, sum(l.quantity * l.price_cents) AS sales_cents"
        " FROM shop_order o JOIN shop_order_line l ON l.order_id = o.id JOIN shop_product p ON p.id = l.product_id"
        " WHERE o.status != 'canceled' AND substr(o.placed_at, 1, 10) BETWEEN ? AND ?"
        " GROUP BY p.id ORDER BY quantity DESC, p.id",
        _range(ctx),
    ).fetchall()
    return _report(ctx, "products_ordered.html", rows)


@routes.get("/admin/reports/customers")
def customers(ctx: Context) -> Reply:
    """How many orders each customer placed and for how much, most first; canceled orders do not count."""
    rows = ctx.db.execute(
        "SELECT c.id, c.first_name || ' ' || c.last_name AS name, c.email, count(*) AS num_orders,"
        " sum(o.total_cents) AS total_cents FROM shop_order o JOIN shop_customer c ON c.id = o.customer_id"
        " WHERE o.status != 'canceled' AND substr(o.placed_at, 1, 10) BETWEEN ? AND ?"
        " GROUP BY c.id ORDER BY num_orders DESC, c.id",
        _range(ctx),
    ).fetchall()
    return _report(ctx, "order_count.html", rows)


def _report(ctx: Context, template: str, rows: list[Any], **values: Any) -> Reply:
    paging = page_of(ctx, len(rows), PER_PAGE)
    shown = rows[paging.offset : paging.offset + PER_PAGE]
    return ctx.render(template, rows=shown, all_rows=rows, paging=paging, **values)


@routes.get("/admin/reports/search-terms")
def search_terms(ctx: Context) -> Reply:
    """What customers searched for, how often, and how much they found."""
    return grid_page(ctx, _TERMS)


@routes.get("/admin/reports/low-stock")
def low_stock(ctx: Context) -> Reply:
    """Products by their stock, the fewest first."""
    return grid_page(ctx, _LOW_STOCK)
