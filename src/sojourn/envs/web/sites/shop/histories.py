"""The shop's customers and what they bought."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from random import Random
from typing import Any

from sojourn.envs.web.sites.hosts import LOGINS
from sojourn.envs.web.sites.session import password_hash
from sojourn.envs.web.sites.shop.prices import discount_cents, shipping_cents
from sojourn.envs.web.sites.vocabulary import ago, later, past, slug_of

NUM_CUSTOMERS = 60
GROUPS = ("General", "Wholesale", "Retailer")
"""Groups that a customer can be in; new ones are General."""
EMMA = ("Emma", "Lopez", *LOGINS["shop"])
"""The customer whom agents are."""
_EMMAS_ORDERS, _OTHER_ORDERS = 28, 420
_CARRIERS = ("United Parcel Service", "Federal Express", "DHL")


def add_customers(db: sqlite3.Connection, rng: Random, words: Any) -> None:
    """Customers with one or two addresses; the first is Emma Lopez."""
    names = {EMMA[:2]}
    people = [EMMA]
    while len(people) < NUM_CUSTOMERS:
        first, last = rng.choice(words["first_names"]), rng.choice(words["last_names"])
        if (first, last) not in names:
            names.add((first, last))
            people.append((first, last, f"{slug_of(first)}.{slug_of(last)}@example.com", f"{first}.{len(people)}"))
    for number, (first, last, email, password) in enumerate(people):
        group = "General" if number == 0 or rng.random() < 0.75 else rng.choice(GROUPS[1:])
        created = "2022-03-02 10:15:00" if number == 0 else past(rng, days=1000, recent=30)
        customer = db.execute(
            "INSERT INTO shop_customer (email, first_name, last_name, password, group_name, has_newsletter, created_at)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            (email, first, last, password_hash(email, password), group, int(rng.random() < 0.4), created),
        ).lastrowid
        for place in range(1 if rng.random() < 0.6 and number else 2):
            city, state, postcode = rng.choice(words["cities"])
            street = f"{rng.randint(2, 980)} {rng.choice(words['streets'])}"
            phone = f"555-{rng.randint(100, 999)}-{rng.randint(1000, 9999)}"
            db.execute(
                "INSERT INTO shop_address (customer_id, name, street, city, state, postcode, phone, is_default)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (customer, f"{first} {last}", street, city, state, postcode, phone, int(place == 0)),
            )


def add_orders(db: sqlite3.Connection, rng: Random) -> None:
    """Orders of two years, numbered in the order in which they were placed."""
    customers = db.execute("SELECT id, created_at FROM shop_customer ORDER BY id").fetchall()
    products = db.execute("SELECT id, price_cents, created_at FROM shop_product ORDER BY id").fetchall()
    moments = [(past(rng, days=720, recent=0.2), customers[0]) for _ in range(_EMMAS_ORDERS)]
    while len(moments) < _EMMAS_ORDERS + _OTHER_ORDERS:
        customer, moment = rng.choice(customers[1:]), past(rng, days=720, recent=0.05)
        if moment > customer["created_at"]:
            moments.append((moment, customer))
    for number, (moment, customer) in enumerate(sorted(moments, key=lambda pair: pair[0]), start=1):
        sold = [product for product in products if product["created_at"] < moment]
        chosen = rng.sample(sold, min(rng.choice((1, 1, 1, 2, 2, 3, 4)), len(sold)))
        lines = [(product["id"], product["price_cents"], rng.choice((1, 1, 1, 1, 2, 3))) for product in chosen]
        _add_order(db, rng, number, moment, customer["id"], lines)


def _add_order(
    db: sqlite3.Connection, rng: Random, number: int, moment: str, customer: int, lines: Sequence[tuple[int, int, int]]
) -> None:
    addresses = db.execute(
        "SELECT name, street, city, state, postcode, phone FROM shop_address WHERE customer_id = ? ORDER BY id",
        (customer,),
    ).fetchall()
    methods = db.execute("SELECT * FROM shop_shipping_method ORDER BY code").fetchall()
    coupons = db.execute("SELECT * FROM shop_coupon ORDER BY id").fetchall()
    subtotal = sum(price * quantity for _, price, quantity in lines)
    method, coupon = rng.choice(methods), rng.choice(coupons) if rng.random() < 0.15 else None
    discount = discount_cents(subtotal, coupon) if coupon is not None and subtotal >= coupon["minimum_cents"] else 0
    shipping = shipping_cents(subtotal - discount, method)
    status = _status(rng, moment)
    code = coupon["code"] if coupon is not None and discount else ""
    payment = rng.choice(("Check / Money order", "Credit card"))
    total = subtotal - discount + shipping
    values = (f"{number:09d}", customer, moment, status, *rng.choice(addresses), method["code"], payment, code)
    order = db.execute(
        "INSERT INTO shop_order (number, customer_id, placed_at, status, name, street, city, state, postcode, phone,"
        " shipping_method, payment_method, coupon_code, subtotal_cents, discount_cents, shipping_cents, total_cents)"
        f" VALUES ({', '.join('?' * 17)})",
        (*values, subtotal, discount, shipping, total),
    ).lastrowid
    db.executemany("INSERT INTO shop_order_line VALUES (?, ?, ?, ?)", [(order, *line) for line in lines])
    if status in ("processing", "complete"):
        db.execute(
            "INSERT INTO shop_invoice (order_id, total_cents, created_at) VALUES (?, ?, ?)", (order, total, moment)
        )
    if status == "complete":
        carrier, tracking = rng.choice(_CARRIERS), f"{rng.randrange(10**11, 10**12)}"
        db.execute(
            "INSERT INTO shop_shipment (order_id, carrier, tracking_number, created_at) VALUES (?, ?, ?, ?)",
            (order, carrier, tracking, later(moment, days=rng.uniform(0.5, 3))),
        )


def _status(rng: Random, moment: str) -> str:
    """Old orders are done or canceled; those of the last three weeks are under way."""
    if moment < ago(days=21):
        return "canceled" if rng.random() < 0.14 else "complete"
    return rng.choice(("pending", "pending", "processing", "processing", "on hold", "canceled"))


def add_wishes(db: sqlite3.Connection, rng: Random) -> None:
    """Wish lists of a third of the customers; Emma's holds four products."""
    products = [row[0] for row in db.execute("SELECT id FROM shop_product ORDER BY id")]
    for customer in [row[0] for row in db.execute("SELECT id FROM shop_customer ORDER BY id")]:
        count = 4 if customer == 1 else rng.choice((0, 0, 0, 1, 3))
        for product in rng.sample(products, count):
            db.execute("INSERT INTO shop_wish VALUES (?, ?, ?)", (customer, product, past(rng, days=90)))
