"""Log-ins: one row per browser that wrote anything or logged in, in the episode's own database."""

from __future__ import annotations

import hashlib
import sqlite3
from dataclasses import dataclass

COOKIE = "session"
"""Name of the one cookie that a site sets."""

SCHEMA = """
CREATE TABLE web_session (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    token TEXT NOT NULL UNIQUE,
    site TEXT NOT NULL,
    user_id INTEGER,
    notice TEXT NOT NULL DEFAULT ''
);
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Accounts:
    """Where a site keeps its users."""

    table: str
    """Table with the columns ``id`` (integer key) and ``password`` (of `password_hash`)."""
    login: str
    """Column that a user types to log in."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Session:
    """One row of ``web_session``."""

    id: int
    token: str
    user_id: int | None
    notice: str = ""
    """What the last POST left to be said on the next page."""


def password_hash(login: str, password: str) -> str:
    """What is stored of a password; salted with the login, so that equal passwords differ."""
    return hashlib.sha256(f"{login}\n{password}".encode()).hexdigest()[:32]


def find_session(db: sqlite3.Connection, site: str, token: str) -> Session | None:
    """The session that a cookie names on `site`, or None."""
    row = db.execute(
        "SELECT id, token, user_id, notice FROM web_session WHERE token = ? AND site = ?", (token, site)
    ).fetchone()
    return None if row is None else Session(id=row[0], token=row[1], user_id=row[2], notice=row[3])


def new_session(db: sqlite3.Connection, site: str, user_id: int | None) -> Session:
    """A new session; its token depends on its number only, so that an episode played again gets the same cookie.

    Nothing is at stake: the database is one episode's own, and no one else can reach it.
    """
    number = db.execute("SELECT coalesce(max(seq), 0) + 1 FROM sqlite_sequence WHERE name = 'web_session'").fetchone()[
        0
    ]
    token = hashlib.sha256(f"{site}/{number}".encode()).hexdigest()[:32]
    db.execute("INSERT INTO web_session (id, token, site, user_id) VALUES (?, ?, ?, ?)", (number, token, site, user_id))
    return Session(id=number, token=token, user_id=user_id)


def find_user(db: sqlite3.Connection, accounts: Accounts, login: str) -> sqlite3.Row | None:
    """The row of the user who types `login`, or None."""
    row: sqlite3.Row | None = db.execute(
        f"SELECT * FROM {accounts.table} WHERE {accounts.login} = ?", (login,)
    ).fetchone()
    return row


def check_password(db: sqlite3.Connection, accounts: Accounts, login: str, password: str) -> int | None:
    """Id of the user with this login and password, or None."""
    row = find_user(db, accounts, login)
    if row is None or row["password"] != password_hash(login, password):
        return None
    return int(row["id"])
