"""What an order costs; all amounts are whole cents."""

from __future__ import annotations

import sqlite3


def discount_cents(subtotal_cents: int, coupon: sqlite3.Row) -> int:
    """What a coupon takes off `subtotal_cents`: a share, rounded down to the cent, or an amount, at most everything."""
    if coupon["kind"] == "percent":
        return subtotal_cents * int(coupon["value"]) // 100
    return min(subtotal_cents, int(coupon["value"]))


def shipping_cents(goods_cents: int, method: sqlite3.Row) -> int:
    """What a shipping method costs for goods of this value, after the discount."""
    is_free = method["free_from_cents"] is not None and goods_cents >= method["free_from_cents"]
    return 0 if is_free else int(method["price_cents"])
