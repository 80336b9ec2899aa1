"""What the map's pages ask of the database."""

from __future__ import annotations

import sqlite3

from sojourn.envs.web.sites.framework import NotFound
from sojourn.envs.web.sites.lists import word_clauses
from sojourn.envs.web.sites.map.routes import Spot, city_spot, place_spot

TENTHS = "(SELECT (20 * sum(r.stars) + count(*)) / (2 * count(*)) FROM map_review r WHERE r.place_id = p.id)"
"""Mean of a place's reviews in tenths of a star; NULL without any."""
PLACE_COLUMNS = f"""
    p.id, p.name, p.category, p.street, p.house, c.name AS city, c.postcode, p.cuisine, p.stars, p.wheelchair,
    (SELECT count(*) FROM map_review r WHERE r.place_id = p.id) AS num_reviews,
    {TENTHS} AS tenths
"""
"""Columns of a place in a list."""
FROM_PLACE = "FROM map_place p JOIN map_city c ON c.id = p.city_id"
ALL_WORDS = (
    "(p.name || ' ' || p.category || ' ' || coalesce(p.cuisine, '') || ' '"
    " || p.house || ' ' || p.street || ' ' || c.name)"
)
"""What a search looks at."""
_SMALL = frozenset(("a", "an", "and", "at", "in", "near", "of", "on", "the", "to"))


def search_words(text: str) -> str:
    """A search without small words, and with plurals of categories cut to what singular and plural share."""
    words = [word for word in text[:200].replace(",", " ").split() if word.lower() not in _SMALL]
    short = {"libraries": "librar", "universities": "universit", "pharmacies": "pharmac"}
    plurals = {"museums", "restaurants", "cafes", "hotels", "parks", "stations", "hospitals", "supermarkets", "banks"}
    plurals |= {"theatres", "cinemas", "stadiums"}
    return " ".join(short.get(w.lower(), w[:-1] if w.lower() in plurals else w) for w in words)


def matches(text: str) -> tuple[list[str], list[str]]:
    """Clauses and values that find the places which hold every word of a search."""
    return word_clauses(search_words(text), ALL_WORDS)


def place_by_id(db: sqlite3.Connection, place_id: int) -> sqlite3.Row:
    """A place with all its columns; raises `NotFound`."""
    row: sqlite3.Row | None = db.execute(
        f"SELECT {PLACE_COLUMNS}, p.x, p.y, p.phone, p.weekday_hours, p.saturday_hours, p.sunday_hours, p.named_after,"
        f" c.region {FROM_PLACE} WHERE p.id = ?",
        (place_id,),
    ).fetchone()
    if row is None:
        raise NotFound("There is no such place on the map.")
    return row


def found_spots(db: sqlite3.Connection, text: str, limit: int = 10) -> list[Spot]:
    """Spots that a text may mean: one if it is the name of a place or town, else what a search finds."""
    name = text.strip()
    city = db.execute("SELECT id FROM map_city WHERE name = ? COLLATE NOCASE", (name,)).fetchone()
    if city is not None:
        return [city_spot(db, city[0])]
    place = db.execute("SELECT id FROM map_place WHERE name = ? COLLATE NOCASE", (name,)).fetchone()
    if place is not None:
        return [place_spot(db, place[0])]
    clauses, values = matches(name)
    if not clauses:
        return []
    rows = db.execute(
        f"SELECT p.id {FROM_PLACE} WHERE {' AND '.join(clauses)} ORDER BY p.name LIMIT ?", (*values, limit)
    ).fetchall()
    return [place_spot(db, row[0]) for row in rows]


def lists(db: sqlite3.Connection) -> list[sqlite3.Row]:
    """The lists of saved places with the number of places in each."""
    return db.execute(
        "SELECT l.id, l.name, (SELECT count(*) FROM map_saved s WHERE s.list_id = l.id) AS num_places"
        " FROM map_list l ORDER BY l.id"
    ).fetchall()


def list_by_id(db: sqlite3.Connection, list_id: int) -> sqlite3.Row:
    """A list of saved places; raises `NotFound`."""
    row: sqlite3.Row | None = db.execute("SELECT id, name FROM map_list WHERE id = ?", (list_id,)).fetchone()
    if row is None:
        raise NotFound("There is no such list.")
    return row
