"""Looking at the map: search, towns, places, what is near, directions."""

from __future__ import annotations

import math
import sqlite3

from sojourn.envs.web.sites.data.land import CUISINES, KINDS
from sojourn.envs.web.sites.framework import Context, Entry, NotFound, Reply, Routes
from sojourn.envs.web.sites.lists import page_of
from sojourn.envs.web.sites.map.queries import (
    FROM_PLACE,
    PLACE_COLUMNS,
    TENTHS,
    found_spots,
    lists,
    matches,
    place_by_id,
)
from sojourn.envs.web.sites.map.routes import MODES, Spot, coordinates, distance_text, duration_text, way

routes = Routes()
PER_PAGE = 15
CATEGORIES = tuple(kind.category for kind in KINDS)
RADII = (("500", "500 m"), ("1000", "1 km"), ("2000", "2 km"), ("5000", "5 km"), ("20000", "20 km"))
SORTS = {"name": "p.name", "rating": f"{TENTHS} DESC NULLS LAST, p.name"}


@routes.get("/")
def home(ctx: Context) -> Reply:
    """The search, the categories and the towns."""
    cities = ctx.db.execute("SELECT name, region FROM map_city ORDER BY name").fetchall()
    return ctx.render("home.html", cities=cities, categories=CATEGORIES)


@routes.get("/search")
def search(ctx: Context) -> Reply:
    """Places that hold every word, in a town, of a category."""
    text = ctx.query.get("q")
    clauses, values = matches(text)
    if category := ctx.query.choice("category", CATEGORIES, ""):
        clauses.append("p.category = ?")
        values.append(category)
    if city := ctx.query.get("city"):
        clauses.append("c.name = ?")
        values.append(city)
    if ctx.query.get("wheelchair"):
        clauses.append("p.wheelchair = 'yes'")
    if cuisine := ctx.query.choice("cuisine", CUISINES, ""):
        clauses.append("p.cuisine = ?")
        values.append(cuisine)
    where = f"WHERE {' AND '.join(clauses)}" if clauses else ""
    sort = ctx.query.choice("sort", tuple(SORTS), "name")
    found = ctx.db.execute(f"SELECT p.id {FROM_PLACE} {where} ORDER BY {SORTS[sort]}", values).fetchall()
    paging = page_of(ctx, len(found), PER_PAGE)
    shown = [row["id"] for row in found[paging.offset : paging.offset + PER_PAGE]]
    places = ctx.db.execute(
        f"SELECT {PLACE_COLUMNS} {FROM_PLACE} WHERE p.id IN ({', '.join('?' * len(shown))})", shown
    ).fetchall()
    towns = ctx.db.execute("SELECT name FROM map_city ORDER BY name").fetchall()
    return ctx.render(
        "search.html",
        text=text,
        places=sorted(places, key=lambda row: shown.index(row["id"])),
        paging=paging,
        sort=sort,
        categories=CATEGORIES,
        cuisines=CUISINES,
        cities=[row["name"] for row in towns],
    )


@routes.get("/city/<name>")
def city(ctx: Context, name: str) -> Reply:
    """A town: what is known of it, and how many places of each category it has."""
    row = ctx.db.execute("SELECT * FROM map_city WHERE name = ?", (name,)).fetchone()
    if row is None:
        raise NotFound("There is no such town on the map.")
    counts = ctx.db.execute(
        "SELECT category, count(*) AS num_places FROM map_place WHERE city_id = ? GROUP BY category ORDER BY category",
        (row["id"],),
    ).fetchall()
    roads = ctx.db.execute(
        "SELECT r.name, r.kind, r.metres, c.name AS city FROM map_road r JOIN map_city c"
        " ON c.id = CASE WHEN r.one_id = ?1 THEN r.other_id ELSE r.one_id END"
        " WHERE r.one_id = ?1 OR r.other_id = ?1 ORDER BY c.name",
        (row["id"],),
    ).fetchall()
    where = coordinates(row["x"], row["y"])
    return ctx.render("city.html", city=row, counts=counts, roads=roads, where=where, distance_text=distance_text)


@routes.get("/place/<int:place_id>")
def place(ctx: Context, place_id: int) -> Reply:
    """A place: address, hours, reviews, the forms to save and to review it."""
    return place_page(ctx, place_by_id(ctx.db, place_id), Entry(ctx.form))


def place_page(ctx: Context, row: sqlite3.Row, entry: Entry) -> Reply:
    """The page of a place; `entry` holds what was wrong with a form that was sent."""
    reviews = ctx.db.execute(
        "SELECT author, stars, body, created FROM map_review WHERE place_id = ? ORDER BY created DESC, id DESC",
        (row["id"],),
    ).fetchall()
    saved = ctx.db.execute(
        "SELECT l.id, l.name, s.note FROM map_saved s JOIN map_list l ON l.id = s.list_id WHERE s.place_id = ?"
        " ORDER BY l.id",
        (row["id"],),
    ).fetchall()
    return ctx.render(
        "place.html",
        status=422 if entry.errors else 200,
        place=row,
        reviews=reviews,
        saved=saved,
        lists=lists(ctx.db),
        where=coordinates(row["x"], row["y"]),
        entry=entry,
    )


@routes.get("/nearby")
def nearby(ctx: Context) -> Reply:
    """Places of a category within a distance of a place or town, nearest first."""
    text = ctx.query.get("place")
    category = ctx.query.choice("category", CATEGORIES, "")
    radius = int(ctx.query.choice("radius", [value for value, _ in RADII], "2000"))
    spots = found_spots(ctx.db, text) if text else []
    places = _near(ctx.db, spots[0], category, radius) if len(spots) == 1 else []
    return ctx.render(
        "nearby.html",
        text=text,
        spots=spots,
        places=places,
        category=category,
        radius=radius,
        categories=CATEGORIES,
        radii=RADII,
    )


def _near(db: sqlite3.Connection, spot: Spot, category: str, radius: int) -> list[tuple[sqlite3.Row, str]]:
    """Places and their straight distance, nearest first; the spot itself is left out."""
    square = f"(p.x - {spot.x}) * (p.x - {spot.x}) + (p.y - {spot.y}) * (p.y - {spot.y})"
    clauses = [f"{square} <= ?", "p.id IS NOT ?", *(["p.category = ?"] if category else [])]
    values = [radius * radius, spot.place_id, *([category] if category else [])]
    rows = db.execute(
        f"SELECT {PLACE_COLUMNS}, {square} AS square {FROM_PLACE} WHERE {' AND '.join(clauses)}"
        " ORDER BY square, p.id LIMIT 30",
        values,
    ).fetchall()
    return [(row, distance_text(math.isqrt(row["square"]))) for row in rows]


@routes.get("/directions")
def directions(ctx: Context) -> Reply:
    """The way between two spots by one mode; texts that may mean several spots are asked back."""
    texts = {"from": ctx.query.get("from"), "to": ctx.query.get("to")}
    mode = ctx.query.choice("mode", tuple(MODES), "car")
    spots = {side: found_spots(ctx.db, text) if text else [] for side, text in texts.items()}
    found = None
    if len(spots["from"]) == len(spots["to"]) == 1:
        found = way(ctx.db, spots["from"][0], spots["to"][0], mode)
    return ctx.render(
        "directions.html",
        texts=texts,
        spots=spots,
        mode=mode,
        modes=tuple(MODES.items()),
        way=found,
        distance_text=distance_text,
        duration_text=duration_text,
    )
