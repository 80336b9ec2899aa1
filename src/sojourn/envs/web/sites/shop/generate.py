"""The shop's data: departments, products and what customers think of them."""

from __future__ import annotations

import math
import sqlite3
from random import Random
from typing import Any

from sojourn.envs.web.sites.shop.histories import add_customers, add_orders, add_wishes
from sojourn.envs.web.sites.shop.queries import search_clause
from sojourn.envs.web.sites.vocabulary import ago, between, past, slug_of, vocabulary

PRODUCTS_PER_CATEGORY = 16
_ENDINGS = (99, 99, 99, 95, 49, 0)
_STARS = (5, 5, 5, 5, 4, 4, 4, 3, 3, 2, 1)


def generate(db: sqlite3.Connection, rng: Random) -> None:
    """Fill the shop's tables."""
    words = vocabulary("shop")
    _add_settings(db, words)
    _add_products(db, rng, words)
    add_customers(db, rng, words)
    add_orders(db, rng)
    add_wishes(db, rng)
    _add_reviews(db, rng, words)
    _add_search_terms(db, rng)


def _add_settings(db: sqlite3.Connection, words: Any) -> None:
    db.executemany("INSERT INTO shop_shipping_method VALUES (?, ?, ?, ?)", words["shipping"])
    db.executemany(
        "INSERT INTO shop_coupon (code, name, kind, value, minimum_cents, is_active, expires_on)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        words["coupons"],
    )
    db.executemany(
        "INSERT INTO shop_page (slug, title, content, is_enabled, updated_at) VALUES (?, ?, ?, 1, ?)",
        [(*page, ago(days=200 + 11 * n)) for n, page in enumerate(words["pages"])],
    )


def _add_products(db: sqlite3.Connection, rng: Random, words: Any) -> None:
    add_category = "INSERT INTO shop_category (parent_id, slug, name, position) VALUES (?, ?, ?, ?)"
    names: set[str] = set()
    for position, (department, content) in enumerate(words["departments"].items()):
        parent = db.execute(add_category, (None, slug_of(department), department, position)).lastrowid
        for place, (name, leaf) in enumerate(content["leaves"].items()):
            slug = f"{slug_of(department)}-{slug_of(name)}"
            category = db.execute(add_category, (parent, slug, name, place)).lastrowid
            for _ in range(PRODUCTS_PER_CATEGORY):
                _add_product(db, rng, content["brands"], leaf, int(category or 0), names)


def _add_product(
    db: sqlite3.Connection, rng: Random, brands: list[str], leaf: Any, category: int, names: set[str]
) -> None:
    while True:
        brand, kind = rng.choice(brands), rng.choice(leaf["kinds"])
        attributes = {name: rng.choice(values) for name, values in leaf["attributes"].items()}
        name = f"{brand} {kind}, {', '.join(attributes.values())}"
        if name not in names:
            break
    names.add(name)
    features = rng.sample(leaf["features"], 2)
    about = ", ".join(f"{label.lower()} {value}" for label, value in attributes.items())
    text = f"{kind} by {brand}: {about}. It {features[0]} and {features[1]}."
    number = len(names)
    db.execute(
        "INSERT INTO shop_product (sku, slug, name, brand, category_id, price_cents, stock, description, created_at)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            f"{brand[:2].upper()}{category:02d}-{1000 + number}",
            slug_of(name),
            name,
            brand,
            category,
            _price(rng, *leaf["price"]),
            0 if rng.random() < 0.07 else rng.randint(3, 180),
            text,
            past(rng, days=900, recent=120),
        ),
    )
    db.executemany(
        "INSERT INTO shop_attribute VALUES (?, ?, ?)", [(number, label, value) for label, value in attributes.items()]
    )


def _price(rng: Random, low: int, high: int) -> int:
    """A price in cents between `low` and `high`, small ones more often, with a usual ending."""
    dollars = int(math.exp(rng.uniform(math.log(low), math.log(high)))) // 100
    return max(low, dollars * 100 + rng.choice(_ENDINGS))


def _add_reviews(db: sqlite3.Connection, rng: Random, words: Any) -> None:
    products = db.execute(
        "SELECT p.id, p.created_at, c.name AS category, d.name AS department FROM shop_product p"
        " JOIN shop_category c ON c.id = p.category_id JOIN shop_category d ON d.id = c.parent_id ORDER BY p.id"
    ).fetchall()
    customers = db.execute("SELECT id, first_name, last_name, created_at FROM shop_customer ORDER BY id").fetchall()
    rows = []
    for product in products:
        features = words["departments"][product["department"]]["leaves"][product["category"]]["features"]
        for customer in rng.sample(customers, min(rng.choice((0, 1, 2, 2, 3, 3, 4, 5, 6, 9)), len(customers))):
            stars = rng.choice(_STARS)
            status = "approved" if rng.random() < 0.95 else rng.choice(("pending", "pending", "rejected"))
            known = max(product["created_at"], customer["created_at"])
            created = past(rng, days=2) if status == "pending" else between(rng, known, ago(days=3))
            title, text = rng.choice(words["titles"][str(stars)]), _opinion(rng, words, stars, features)
            nickname = f"{customer['first_name']} {customer['last_name'][0]}."
            rows.append((product["id"], customer["id"], nickname, title, text, stars, status, created))
    rows.sort(key=lambda row: row[-1])
    db.executemany(
        "INSERT INTO shop_review (product_id, customer_id, nickname, title, text, stars, status, created_at)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        rows,
    )


def _opinion(rng: Random, words: Any, stars: int, features: list[str]) -> str:
    feature = f"It {rng.choice(features)}."
    if stars >= 4:
        return " ".join([*rng.sample(words["praise"], 2 if stars == 5 else 1), feature])
    if stars == 3:
        return f"{rng.choice(words['middling'])} {feature}"
    return " ".join(rng.sample(words["complaints"], 2 if stars == 1 else 1))


def _add_search_terms(db: sqlite3.Connection, rng: Random) -> None:
    names = [row[0] for row in db.execute("SELECT name FROM shop_category WHERE parent_id IS NOT NULL ORDER BY id")]
    brands = [row[0] for row in db.execute("SELECT DISTINCT brand FROM shop_product ORDER BY brand")]
    for term in [*rng.sample([name.lower() for name in names], 12), *rng.sample([b.lower() for b in brands], 10)]:
        wanted = [search_clause(word) for word in term.split()]
        clauses, values = " AND ".join(clause for clause, _ in wanted), [v for _, bound in wanted for v in bound]
        found = db.execute(f"SELECT count(*) FROM shop_product p WHERE {clauses}", values).fetchone()[0]
        db.execute(
            "INSERT INTO shop_search_term (term, num_results, uses) VALUES (?, ?, ?)", (term, found, rng.randint(2, 60))
        )
