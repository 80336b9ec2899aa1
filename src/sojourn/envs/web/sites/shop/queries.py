"""What several of the shop's pages ask of the database."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from sojourn.envs.web.sites.framework import Context, NotFound
from sojourn.envs.web.sites.lists import like

_APPROVED = "FROM shop_review r WHERE r.product_id = p.id AND r.status = 'approved'"
PRODUCT_COLUMNS = (
    "p.id, p.slug, p.name, p.brand, p.price_cents, p.stock, p.is_enabled,"
    f" (SELECT count(*) {_APPROVED}) AS num_reviews, (SELECT avg(r.stars) {_APPROVED}) AS mean_stars"
)
"""Columns of product ``p`` in a list; ``mean_stars`` is NULL without an approved review."""


def departments(db: sqlite3.Connection) -> list[sqlite3.Row]:
    """The categories at the top, as the menu lists them."""
    return db.execute("SELECT slug, name FROM shop_category WHERE parent_id IS NULL ORDER BY position").fetchall()


def footer_pages(db: sqlite3.Connection) -> list[sqlite3.Row]:
    """The texts that the foot of every page links."""
    return db.execute("SELECT slug, title FROM shop_page WHERE is_enabled ORDER BY id").fetchall()


def product_by_slug(db: sqlite3.Connection, slug: str) -> sqlite3.Row:
    """The enabled product with this address; raises `NotFound`."""
    row: sqlite3.Row | None = db.execute(
        f"SELECT {PRODUCT_COLUMNS}, p.sku, p.description, p.category_id FROM shop_product p"
        " WHERE p.slug = ? AND p.is_enabled",
        (slug,),
    ).fetchone()
    if row is None:
        raise NotFound("We do not have this product.")
    return row


def cart_count(ctx: Context) -> int:
    """How many pieces are in the cart of this browser or customer."""
    if ctx.session is None:
        return 0
    owner = "customer_id" if ctx.session.user_id is not None else "session_id"
    key = ctx.session.user_id if ctx.session.user_id is not None else ctx.session.id
    row = ctx.db.execute(
        "SELECT coalesce(sum(i.quantity), 0) FROM shop_cart c JOIN shop_cart_item i ON i.cart_id = c.id"
        f" WHERE c.{owner} = ?",
        (key,),
    ).fetchone()
    return int(row[0])


def search_clause(word: str) -> tuple[str, list[str]]:
    """SQL that finds `word` in name, number, description or category of product ``p``, and what it is bound to."""
    clause = "(p.name LIKE ? ESCAPE '\\' OR p.description LIKE ? ESCAPE '\\' OR p.sku LIKE ? ESCAPE '\\'"
    clause += " OR p.category_id IN (SELECT id FROM shop_category WHERE name LIKE ? ESCAPE '\\'))"
    return clause, [like(word)] * 4


def where(clauses: Sequence[str]) -> str:
    """The clauses joined with AND, behind WHERE; nothing for none."""
    return f"WHERE {' AND '.join(clauses)}" if clauses else ""
