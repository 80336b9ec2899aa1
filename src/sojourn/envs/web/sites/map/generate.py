"""What the map holds: towns on a grid, roads that join them, places in them, reviews and lists of saved places."""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Iterator
from random import Random

from sojourn.envs.web.sites.data.dates import stamp_before
from sojourn.envs.web.sites.data.land import (
    ADJECTIVES,
    ALWAYS,
    ANIMALS,
    CUISINES,
    KINDS,
    REGIONS,
    REVIEWS,
    RIVERS,
    Kind,
)
from sojourn.envs.web.sites.data.names import CITIES, FIRST_NAMES, LAST_NAMES, STREETS, full_names, shuffled
from sojourn.envs.web.sites.map.routes import Road, best_roads

_COLUMNS = 4
"""Towns lie on a grid of four columns; every row of it is one region."""
_CELL_M = 42_000
_JITTER_M = 11_000
_STREETS_PER_CITY = 14
_HOUSES = range(1, 121)
LISTS = ("Favourites", "Want to go", "Starred places")
"""The lists that every episode begins with."""


def generate(db: sqlite3.Connection, rng: Random) -> None:
    """Fill the map's tables."""
    _add_cities(db, rng)
    roads = _add_roads(db, rng)
    _add_routes(db, roads)
    _add_places(db, rng)
    _add_reviews(db, rng)
    _add_lists(db, rng)


def _add_cities(db: sqlite3.Connection, rng: Random) -> None:
    populations: set[int] = set()
    for index, name in enumerate(shuffled(rng, CITIES)):
        row, column = divmod(index, _COLUMNS)
        region = REGIONS[row]
        size = rng.choice((9_000, 24_000, 60_000, 140_000, 320_000))
        population = rng.randint(size, 2 * size)
        while population in populations:
            population += 1
        populations.add(population)
        x, y = (_CELL_M * axis + _CELL_M // 2 + rng.randint(-_JITTER_M, _JITTER_M) for axis in (column, 3 - row))
        db.execute(
            "INSERT INTO map_city VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                *(index + 1, name, region, RIVERS[region][column // 2], f"{10 * (index + 11):03d}00", population),
                *(rng.randint(780, 1790), rng.randint(4, 90) if row % 2 else rng.randint(120, 640), x, y),
            ),
        )


def _add_roads(db: sqlite3.Connection, rng: Random) -> list[Road]:
    """Neighbours on the grid are joined; a spanning tree of ordinary roads keeps every town in reach of walkers."""
    centres = {row[0]: (row[1], row[2]) for row in db.execute("SELECT id, x, y FROM map_city")}
    pairs = [(i, i + 1) for i in centres if i % _COLUMNS] + [
        (i, i + _COLUMNS) for i in centres if i + _COLUMNS in centres
    ]
    group = {city: city for city in centres}
    roads: list[Road] = []
    for one, other in shuffled(rng, pairs):
        is_needed = group[one] != group[other]
        if is_needed:
            merged = group[other]
            group = {city: group[one] if at == merged else at for city, at in group.items()}
        elif rng.random() < 0.2:
            continue  # neighbours without a road of their own
        kind = "road" if is_needed else "motorway"
        number = len(roads) + 1
        metres = math.isqrt(sum((a - b) ** 2 for a, b in zip(centres[one], centres[other], strict=True)))
        metres = metres * rng.randint(108, 135) // 10_000 * 100  # whole hundreds
        name = f"{'A' if kind == 'motorway' else 'B'}{number}"
        roads.append(Road(id=number, name=name, kind=kind, one=one, other=other, metres=metres))
    db.executemany(
        "INSERT INTO map_road VALUES (?, ?, ?, ?, ?, ?)",
        [(r.id, r.name, r.kind, r.one, r.other, r.metres) for r in roads],
    )
    return roads


def _add_routes(db: sqlite3.Connection, roads: list[Road]) -> None:
    length = {road.id: road.metres for road in roads}
    for by_car, mode in ((1, "car"), (0, "foot")):
        for start in range(1, len(CITIES) + 1):
            for end, taken in sorted(best_roads(roads, start, mode).items()):
                if end != start:
                    metres = sum(length[road] for road in taken)
                    row = (start, end, by_car, metres, ",".join(map(str, taken)))
                    db.execute("INSERT INTO map_route VALUES (?, ?, ?, ?, ?)", row)


def _add_places(db: sqlite3.Connection, rng: Random) -> None:
    taken: set[str] = set()
    people = full_names(rng)
    for city in db.execute("SELECT id, name, river, population, x, y FROM map_city ORDER BY id").fetchall():
        doors = shuffled(
            rng, [(street, house) for street in rng.sample(STREETS, _STREETS_PER_CITY) for house in _HOUSES]
        )
        spread = 900 + math.isqrt(city["population"]) * 5  # larger towns are wider
        for kind in KINDS:
            for _ in range(rng.choice(kind.counts)):
                street, house = doors.pop()
                name, person = _place_name(rng, kind, city, street, taken, people)
                x, y = (city[axis] + rng.randint(-spread, spread) for axis in ("x", "y"))
                db.execute(
                    "INSERT INTO map_place (name, category, city_id, street, house, x, y, named_after, phone,"
                    " weekday_hours, saturday_hours, sunday_hours, wheelchair, cuisine, stars)"
                    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                    (name, kind.category, city["id"], street, house, x, y, person, *_details(rng, kind, city["id"])),
                )


def _details(rng: Random, kind: Kind, city_id: int) -> tuple[str | int | None, ...]:
    """Phone, hours on weekdays, Saturday and Sunday, wheelchair access, cuisine, stars."""
    saturday = rng.choice(kind.weekend)
    is_same_on_sunday = saturday == ALWAYS or rng.random() < 0.6
    return (
        f"0{city_id + 20} {rng.randint(200_000, 999_999)}",
        rng.choice(kind.weekday),
        saturday,
        saturday if is_same_on_sunday else "closed",
        rng.choice(("yes", "yes", "limited", "no")),
        rng.choice(CUISINES) if kind.category == "restaurant" else None,
        rng.randint(2, 5) if kind.category == "hotel" else None,
    )


def _place_name(
    rng: Random, kind: Kind, city: sqlite3.Row, street: str, taken: set[str], people: Iterator[str]
) -> tuple[str, str | None]:
    """A name that no place has yet, and whom it honours; the name enters `taken`."""
    while True:
        pattern = rng.choice(kind.patterns)
        person = next(people) if "{person}" in pattern else None
        name = pattern.format(
            city=city["name"],
            river=city["river"],
            street=street.rpartition(" ")[0],
            person=person,
            surname=rng.choice(LAST_NAMES),
            adjective=rng.choice(ADJECTIVES),
            animal=rng.choice(ANIMALS),
        )
        if name not in taken:
            taken.add(name)
            return name, person


def _add_reviews(db: sqlite3.Connection, rng: Random) -> None:
    for (place_id,) in db.execute("SELECT id FROM map_place ORDER BY id").fetchall():
        likely = rng.choice((2, 3, 4, 4, 5))
        for _ in range(rng.choice((0, 1, 2, 2, 3, 4))):
            stars = min(5, max(1, likely + rng.choice((-1, 0, 0, 1))))
            author = f"{rng.choice(FIRST_NAMES)} {rng.choice(LAST_NAMES)[0]}."
            row = (place_id, author, stars, rng.choice(REVIEWS[stars]), stamp_before(rng, max_days=700))
            db.execute("INSERT INTO map_review (place_id, author, stars, body, created) VALUES (?, ?, ?, ?, ?)", row)


def _add_lists(db: sqlite3.Connection, rng: Random) -> None:
    places = [
        row[0] for row in db.execute("SELECT id FROM map_place WHERE category IN ('museum', 'restaurant', 'park')")
    ]
    for number, name in enumerate(LISTS, 1):
        db.execute("INSERT INTO map_list VALUES (?, ?)", (number, name))
        for place_id in sorted(rng.sample(places, 3)):
            db.execute("INSERT INTO map_saved VALUES (?, ?, '')", (number, place_id))
