"""What the home page holds at first: two notes."""

from __future__ import annotations

import sqlite3
from random import Random

from sojourn.envs.web.sites.data.dates import stamp_before

_NOTES = (
    ("Groceries", "Flour, eggs, onions, two lemons."),
    ("Weekend", "Look up the opening hours of a museum, and how long it takes to get there."),
)


def generate(db: sqlite3.Connection, rng: Random) -> None:
    """Fill the scratchpad."""
    rows = [(title, body, stamp_before(rng, max_days=30)) for title, body in _NOTES]
    db.executemany("INSERT INTO home_note (title, body, created) VALUES (?, ?, ?)", rows)
