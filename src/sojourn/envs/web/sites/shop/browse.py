"""Finding products: home, categories, search, and the page of a product."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from sojourn.envs.web.sites.framework import Context, Entry, NotFound, Reply, Routes
from sojourn.envs.web.sites.lists import page_of
from sojourn.envs.web.sites.shop.queries import (
    PRODUCT_COLUMNS,
    product_by_slug,
    search_clause,
    where,
)

routes = Routes()
PER_PAGE = 12
SORTS = (("position", "Position"), ("name", "Product name"), ("price", "Price"), ("rating", "Rating"))
"""Orders of a listing and their labels."""
DIRECTIONS = (("asc", "Ascending"), ("desc", "Descending"))


@dataclass(kw_only=True)
class _Filter:
    """Conditions on products, with the values they are bound to."""

    clauses: list[str] = field(default_factory=lambda: ["p.is_enabled"])
    values: list[Any] = field(default_factory=list)

    def add(self, clause: str, *values: Any) -> None:
        self.clauses.append(clause)
        self.values += values


@routes.get("/")
def home(ctx: Context) -> Reply:
    """Departments with their categories, and what sells best."""
    rows = ctx.db.execute("SELECT id, parent_id, slug, name FROM shop_category ORDER BY parent_id, position").fetchall()
    tree = [(top, [row for row in rows if row["parent_id"] == top["id"]]) for top in rows if top["parent_id"] is None]
    best = ctx.db.execute(
        "SELECT product_id FROM shop_order_line GROUP BY product_id ORDER BY sum(quantity) DESC, product_id LIMIT 12"
    ).fetchall()
    sold = [row for row in _shown(ctx, [row[0] for row in best]) if row["is_enabled"]][:6]
    return ctx.render("home.html", tree=tree, best=sold)


@routes.get("/category/<slug>")
def category(ctx: Context, slug: str) -> Reply:
    """The products of a category, or of a department's categories together."""
    row = ctx.db.execute("SELECT * FROM shop_category WHERE slug = ?", (slug,)).fetchone()
    if row is None:
        raise NotFound("There is no such category.")
    parent = ctx.db.execute("SELECT slug, name FROM shop_category WHERE id = ?", (row["parent_id"],)).fetchone()
    children = ctx.db.execute(
        "SELECT slug, name FROM shop_category WHERE parent_id = ? ORDER BY position", (row["id"],)
    ).fetchall()
    wanted = _Filter()
    wanted.add("p.category_id IN (SELECT id FROM shop_category WHERE id = ? OR parent_id = ?)", row["id"], row["id"])
    return _listing(ctx, "category.html", wanted, category=row, parent=parent, children=children)


@routes.get("/search")
def search(ctx: Context) -> Reply:
    """Products that hold every word in their name, number, description or category."""
    words = ctx.query.get("q")[:200]
    if not words:
        return ctx.render("search_form.html", words="")
    wanted = _Filter()
    for word in words.split()[:10]:
        clause, values = search_clause(word)
        wanted.add(clause, *values)
    return _listing(ctx, "search.html", wanted, words=words)


def _listing(ctx: Context, template: str, wanted: _Filter, **values: Any) -> Reply:
    found = ctx.db.execute(
        f"SELECT p.id, p.name, p.brand, p.price_cents FROM shop_product p {where(wanted.clauses)} ORDER BY +p.id",
        wanted.values,  # the plus: sort what an index has found, do not walk through all in the order of ids
    ).fetchall()
    low, high, brand = ctx.query.cents("price_from"), ctx.query.cents("price_to"), ctx.query.get("brand")
    kept = [
        row
        for row in found
        if (not brand or row["brand"] == brand)
        and (low is None or row["price_cents"] >= low)
        and (high is None or row["price_cents"] <= high)
    ]
    paging = page_of(ctx, len(kept), PER_PAGE)
    sort = ctx.query.choice("sort", [key for key, _ in SORTS], "position")
    direction = ctx.query.choice("dir", ("asc", "desc"), "asc")
    kept.sort(key=_key(ctx, sort, kept), reverse=direction == "desc")  # stable: equal ones stay in the order of ids
    return ctx.render(
        template,
        products=_shown(ctx, [row["id"] for row in kept[paging.offset : paging.offset + PER_PAGE]]),
        paging=paging,
        brands=sorted({row["brand"] for row in found}),
        sort=sort,
        direction=direction,
        sorts=SORTS,
        directions=DIRECTIONS,
        **values,
    )


def _key(ctx: Context, sort: str, found: Sequence[sqlite3.Row]) -> Callable[[sqlite3.Row], Any]:
    """What a listing of the products `found` compares them by."""
    if sort == "rating":
        rows = ctx.db.execute(
            "SELECT product_id, avg(stars) FROM shop_review WHERE product_id IN (SELECT value FROM json_each(?))"
            " AND status = 'approved' GROUP BY product_id",
            (json.dumps([row["id"] for row in found]),),
        )
        stars: dict[int, float] = dict(rows.fetchall())
        return lambda row: stars.get(row["id"], 0.0)
    if sort == "position":
        return lambda row: row["id"]
    column = {"name": "name", "price": "price_cents"}[sort]
    return lambda row: row[column]


def _shown(ctx: Context, ids: Sequence[int]) -> list[sqlite3.Row]:
    """The products with these ids, in their order, as a listing shows them."""
    marks = ", ".join("?" * len(ids))
    rows = ctx.db.execute(f"SELECT {PRODUCT_COLUMNS} FROM shop_product p WHERE p.id IN ({marks})", ids).fetchall()
    return sorted(rows, key=lambda row: ids.index(row["id"]))


@routes.get("/product/<slug>")
def product(ctx: Context, slug: str) -> Reply:
    """One product with its details, its approved reviews and the form for a new one."""
    return product_page(ctx, product_by_slug(ctx.db, slug), Entry(ctx.form))


def product_page(ctx: Context, row: sqlite3.Row, entry: Entry) -> Reply:
    """The page of a product; `entry` holds what was wrong with a review that was sent."""
    trail = ctx.db.execute(
        "SELECT c.slug, c.name, d.slug AS department_slug, d.name AS department FROM shop_category c"
        " JOIN shop_category d ON d.id = c.parent_id WHERE c.id = ?",
        (row["category_id"],),
    ).fetchone()
    attributes = ctx.db.execute(
        "SELECT name, value FROM shop_attribute WHERE product_id = ? ORDER BY name", (row["id"],)
    ).fetchall()
    reviews = ctx.db.execute(
        "SELECT nickname, title, text, stars, created_at FROM shop_review WHERE product_id = ? AND status = 'approved'"
        " ORDER BY created_at DESC, id DESC",
        (row["id"],),
    ).fetchall()
    return ctx.render(
        "product.html",
        status=entry.status,
        product=row,
        trail=trail,
        attributes=attributes,
        reviews=reviews,
        entry=entry,
    )


@routes.post("/product/<slug>/review")
def review(ctx: Context, slug: str) -> Reply:
    """A new review; the back office approves it before it shows."""
    row = product_by_slug(ctx.db, slug)
    entry = Entry(ctx.form)
    stars = entry.integer("stars", "Rating", low=1, high=5)
    nickname = entry.text("nickname", "Nickname", max_length=60)
    title = entry.text("title", "Summary", max_length=120)
    text = entry.text("text", "Review", max_length=2000)
    if entry.errors:
        return product_page(ctx, row, entry)
    ctx.db.execute(
        "INSERT INTO shop_review (product_id, customer_id, nickname, title, text, stars, status, created_at)"
        " VALUES (?, ?, ?, ?, ?, ?, 'pending', ?)",
        (row["id"], ctx.user["id"] if ctx.user is not None else None, nickname, title, text, stars, ctx.now),
    )
    return ctx.redirect(f"/product/{slug}", "You submitted your review for moderation.")
