"""Products and reviews in the back office."""

from __future__ import annotations

import sqlite3
from typing import Any

from sojourn.envs.web.sites.admin.grid import Column, Filter, Grid, grid_page
from sojourn.envs.web.sites.framework import Context, Entry, NotFound, Reply, Routes
from sojourn.envs.web.sites.vocabulary import slug_of

routes = Routes()
REVIEW_STATUSES = (("pending", "Pending"), ("approved", "Approved"), ("rejected", "Not Approved"))
_YES_NO = (("1", "Enabled"), ("0", "Disabled"))
_PRODUCTS = Grid(
    title="Products",
    source="shop_product p JOIN shop_category c ON c.id = p.category_id",
    key="p.id",
    columns=(
        Column(key="name", label="Name", sql="p.name"),
        Column(key="sku", label="SKU", sql="p.sku"),
        Column(key="brand", label="Brand", sql="p.brand"),
        Column(key="category", label="Category", sql="c.name"),
        Column(key="price", label="Price", sql="p.price_cents", kind="money"),
        Column(key="stock", label="Quantity", sql="p.stock"),
        Column(key="enabled", label="Enabled", sql="p.is_enabled", kind="yes"),
    ),
    filters=(
        Filter(name="name", label="Name", clause="p.name LIKE ? ESCAPE '\\'"),
        Filter(name="sku", label="SKU", clause="p.sku LIKE ? ESCAPE '\\'"),
        Filter(name="brand", label="Brand", clause="p.brand LIKE ? ESCAPE '\\'"),
        Filter(name="category", label="Category", clause="c.name LIKE ? ESCAPE '\\'"),
        Filter(name="price_from", label="Price from", clause="p.price_cents >= ?", kind="money"),
        Filter(name="price_to", label="Price to", clause="p.price_cents <= ?", kind="money"),
        Filter(name="stock_from", label="Quantity from", clause="p.stock >= ?", kind="number"),
        Filter(name="stock_to", label="Quantity to", clause="p.stock <= ?", kind="number"),
        Filter(
            name="enabled", label="Enabled", clause="p.is_enabled = CAST(? AS INTEGER)", kind="choice", options=_YES_NO
        ),
    ),
    order="name asc",
    link="/admin/products/",
    new=("Add Product", "/admin/products/new"),
)
_REVIEWS = Grid(
    title="Reviews",
    source="shop_review r JOIN shop_product p ON p.id = r.product_id",
    key="r.id",
    columns=(
        Column(key="title", label="Title", sql="r.title"),
        Column(key="created_at", label="Created", sql="r.created_at", kind="day"),
        Column(key="status", label="Status", sql="r.status", kind="status"),
        Column(key="nickname", label="Nickname", sql="r.nickname"),
        Column(key="stars", label="Rating", sql="r.stars"),
        Column(key="product", label="Product", sql="p.name"),
    ),
    filters=(
        Filter(name="status", label="Status", clause="r.status = ?", kind="choice", options=REVIEW_STATUSES),
        Filter(name="product", label="Product", clause="p.name LIKE ? ESCAPE '\\'"),
        Filter(name="nickname", label="Nickname", clause="r.nickname LIKE ? ESCAPE '\\'"),
        Filter(name="text", label="Review", clause="r.text LIKE ? ESCAPE '\\'"),
        Filter(name="stars_from", label="Rating from", clause="r.stars >= ?", kind="number"),
        Filter(name="stars_to", label="Rating to", clause="r.stars <= ?", kind="number"),
        Filter(name="date_from", label="Created from", clause="r.created_at >= ?", kind="day"),
        Filter(name="date_to", label="Created to", clause="substr(r.created_at, 1, 10) <= ?", kind="day"),
    ),
    order="created_at desc",
    link="/admin/reviews/",
)


@routes.get("/admin/products")
def products(ctx: Context) -> Reply:
    """All products, also those that the shop does not show."""
    return grid_page(ctx, _PRODUCTS)


def _product(ctx: Context, key: int) -> sqlite3.Row:
    row: sqlite3.Row | None = ctx.db.execute("SELECT * FROM shop_product WHERE id = ?", (key,)).fetchone()
    if row is None:
        raise NotFound("This product doesn't exist.")
    return row


def _form(ctx: Context, title: str, entry: Entry) -> Reply:
    rows = ctx.db.execute(
        "SELECT c.id, d.name || ' / ' || c.name AS name FROM shop_category c JOIN shop_category d ON d.id = c.parent_id"
        " ORDER BY d.position, c.position"
    ).fetchall()
    options = [(row["id"], row["name"]) for row in rows]
    return ctx.render("product.html", status=entry.status, title=title, entry=entry, categories=options)


def _read(ctx: Context, entry: Entry, own_id: int) -> dict[str, Any]:
    categories = [str(row[0]) for row in ctx.db.execute("SELECT id FROM shop_category WHERE parent_id IS NOT NULL")]
    found: dict[str, Any] = {
        "is_enabled": entry.flag("is_enabled"),
        "name": entry.text("name", "Product name", max_length=160),
        "sku": entry.text("sku", "SKU", max_length=40),
        "brand": entry.text("brand", "Brand", max_length=60),
        "category_id": entry.choice("category_id", "a category", categories),
        "price_cents": entry.cents("price", "Price"),
        "stock": entry.integer("stock", "Quantity", low=0, high=1_000_000),
        "description": entry.text("description", "Description", max_length=4000),
    }
    for name, label in (("name", "name"), ("sku", "SKU")):
        taken = ctx.db.execute(f"SELECT 1 FROM shop_product WHERE {name} = ? AND id != ?", (found[name], own_id))
        if taken.fetchone():
            entry.refuse(name, f"There is already a product with this {label}.")
    return found


@routes.get("/admin/products/new")
def new_form(ctx: Context) -> Reply:
    """The form for a new product."""
    values = {"is_enabled": 1, "name": "", "sku": "", "brand": "", "category_id": "", "price": "", "stock": "0"}
    return _form(ctx, "New Product", Entry(ctx.form, {**values, "description": ""}))


@routes.post("/admin/products/new")
def new(ctx: Context) -> Reply:
    """Add a product."""
    entry = Entry(ctx.form)
    values = _read(ctx, entry, 0)
    slug = slug_of(values["name"])
    if not slug or ctx.db.execute("SELECT 1 FROM shop_product WHERE slug = ?", (slug,)).fetchone():
        entry.refuse("name", "The name gives no address of its own.")
    if entry.errors:
        return _form(ctx, "New Product", entry)
    names = ", ".join(values)
    made = ctx.db.execute(
        f"INSERT INTO shop_product ({names}, slug, created_at) VALUES ({', '.join('?' * (len(values) + 2))})",
        (*values.values(), slug, ctx.now),
    )
    return ctx.redirect(f"/admin/products/{made.lastrowid}", "You saved the product.")


@routes.get("/admin/products/<int:key>")
def edit_form(ctx: Context, key: int) -> Reply:
    """The form for a product that there is."""
    row = _product(ctx, key)
    price = f"{row['price_cents'] // 100}.{row['price_cents'] % 100:02d}"
    return _form(ctx, row["name"], Entry(ctx.form, {**dict(row), "price": price}))


@routes.post("/admin/products/<int:key>")
def edit(ctx: Context, key: int) -> Reply:
    """Change a product; its address stays, so that links to it keep working."""
    row, entry = _product(ctx, key), Entry(ctx.form)
    values = _read(ctx, entry, key)
    if entry.errors:
        return _form(ctx, row["name"], entry)
    sets = ", ".join(f"{name} = ?" for name in values)
    ctx.db.execute(f"UPDATE shop_product SET {sets} WHERE id = ?", (*values.values(), key))
    return ctx.redirect(f"/admin/products/{key}", "You saved the product.")


@routes.get("/admin/reviews")
def reviews(ctx: Context) -> Reply:
    """All reviews; those that wait for approval are found by their status."""
    return grid_page(ctx, _REVIEWS)


def _review(ctx: Context, key: int) -> sqlite3.Row:
    row: sqlite3.Row | None = ctx.db.execute(
        "SELECT r.*, p.name AS product, c.first_name, c.last_name, c.email FROM shop_review r"
        " JOIN shop_product p ON p.id = r.product_id LEFT JOIN shop_customer c ON c.id = r.customer_id WHERE r.id = ?",
        (key,),
    ).fetchone()
    if row is None:
        raise NotFound("This review was removed.")
    return row


@routes.get("/admin/reviews/<int:key>")
def review_form(ctx: Context, key: int) -> Reply:
    """One review, with its status, title and text to edit."""
    row = _review(ctx, key)
    return ctx.render("review.html", review=row, entry=Entry(ctx.form, dict(row)), statuses=REVIEW_STATUSES)


@routes.post("/admin/reviews/<int:key>")
def review(ctx: Context, key: int) -> Reply:
    """Approve or reject a review, or edit it."""
    row, entry = _review(ctx, key), Entry(ctx.form)
    status = entry.choice("status", "a status", [value for value, _ in REVIEW_STATUSES])
    nickname = entry.text("nickname", "Nickname", max_length=60)
    title = entry.text("title", "Summary", max_length=120)
    text = entry.text("text", "Review", max_length=2000)
    if entry.errors:
        return ctx.render("review.html", status=entry.status, review=row, entry=entry, statuses=REVIEW_STATUSES)
    ctx.db.execute(
        "UPDATE shop_review SET status = ?, nickname = ?, title = ?, text = ? WHERE id = ?",
        (status, nickname, title, text, key),
    )
    return ctx.redirect("/admin/reviews", "You saved the review.")


@routes.post("/admin/reviews/<int:key>/delete")
def delete_review(ctx: Context, key: int) -> Reply:
    """Delete a review for good."""
    row = _review(ctx, key)
    ctx.db.execute("DELETE FROM shop_review WHERE id = ?", (row["id"],))
    return ctx.redirect("/admin/reviews", "The review has been deleted.")
