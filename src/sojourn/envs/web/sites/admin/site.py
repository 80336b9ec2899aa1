"""The back office as a site."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from random import Random

from sojourn.envs.web.sites.admin import customers, marketing, orders, products, reports, start
from sojourn.envs.web.sites.framework import Site
from sojourn.envs.web.sites.hosts import LOGINS
from sojourn.envs.web.sites.session import password_hash


def generate(db: sqlite3.Connection, _rng: Random) -> None:
    """Its one user; all else is the shop's."""
    name, password = LOGINS["admin"]
    user = (name, password_hash(name, password), "Store Admin")
    db.execute("INSERT INTO admin_user (username, password, name) VALUES (?, ?, ?)", user)


SITE = Site(
    "admin",
    title="Luma Admin",
    folder=Path(__file__).parent,
    generate=generate,
    accounts=start.ACCOUNTS,
    log_in_path="/admin/login",
    parts=(start.routes, orders.routes, products.routes, customers.routes, marketing.routes, reports.routes),
    public_paths=start.PUBLIC_PATHS,
)
