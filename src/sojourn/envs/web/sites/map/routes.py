"""Ways from one place to another: straight lines in town, roads between towns; whole metres and seconds.

A way within a town is the straight line times a factor that depends on the mode. Between towns it leads to the
first town's centre, along the roads to the other's centre, and from there to the place. Cars take the quickest
roads; bicycles and walkers the shortest of those that are no motorways.
"""

from __future__ import annotations

import heapq
import math
import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

MODES: Mapping[str, str] = {"car": "By car", "bike": "By bike", "foot": "On foot"}
_DETOUR_PERCENT = {"car": 135, "bike": 125, "foot": 120}
_TOWN_KMH = {"car": 36, "bike": 15, "foot": 5}
_ROAD_KMH = {"motorway": 108, "road": 72}


@dataclass(frozen=True, kw_only=True, slots=True)
class Road:
    """A road between the centres of two towns, open both ways."""

    id: int
    name: str
    kind: str
    """``motorway`` or ``road``."""
    one: int
    other: int
    metres: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Leg:
    """A part of a way: an instruction and its length."""

    text: str
    metres: int
    seconds: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Way:
    """A way from one place to another."""

    legs: tuple[Leg, ...]

    @property
    def metres(self) -> int:
        return sum(leg.metres for leg in self.legs)

    @property
    def seconds(self) -> int:
        return sum(leg.seconds for leg in self.legs)


def distance_text(metres: int) -> str:
    """``850 m`` below a kilometre, else kilometres with one decimal, halves up: ``12.4 km``."""
    if metres < 1000:
        return f"{metres} m"
    tenths = (metres + 50) // 100
    return f"{tenths // 10}.{tenths % 10} km"


def duration_text(seconds: int) -> str:
    """Whole minutes, begun ones counted: ``7 min``, ``1 h 5 min``."""
    minutes = max(1, -(-seconds // 60))
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def seconds_for(metres: int, kmh: int) -> int:
    """Time for a distance at a speed, in whole seconds, rounded down."""
    return metres * 36 // (kmh * 10)


def coordinates(x: int, y: int) -> str:
    """Latitude and longitude of a point given in metres east and north of the map's corner: ``47.12345, 8.12345``."""
    latitude, longitude = 4_700_000 + y * 100_000 // 111_200, 800_000 + x * 100_000 // 76_000
    return f"{latitude // 100_000}.{latitude % 100_000:05d}, {longitude // 100_000}.{longitude % 100_000:05d}"


def straight_metres(x1: int, y1: int, x2: int, y2: int) -> int:
    """Straight distance of two points given in metres, rounded down."""
    return math.isqrt((x1 - x2) ** 2 + (y1 - y2) ** 2)


def road_seconds(road: Road, mode: str) -> int:
    """Time that a whole road takes; bicycles and walkers keep the speed that they have in town."""
    return seconds_for(road.metres, _ROAD_KMH[road.kind] if mode == "car" else _TOWN_KMH[mode])


def best_roads(roads: Iterable[Road], start: int, mode: str) -> dict[int, tuple[int, ...]]:
    """Town -> ids of the roads that lead there from `start` (Dijkstra; ties go to the lower road ids)."""
    steps: dict[int, list[tuple[int, int, int]]] = {}
    for road in roads:
        if mode == "car" or road.kind != "motorway":
            cost = road_seconds(road, mode) if mode == "car" else road.metres
            steps.setdefault(road.one, []).append((cost, road.id, road.other))
            steps.setdefault(road.other, []).append((cost, road.id, road.one))
    found: dict[int, tuple[int, ...]] = {}
    queue: list[tuple[int, tuple[int, ...], int]] = [(0, (), start)]
    while queue:
        cost, taken, town = heapq.heappop(queue)
        if town in found:
            continue
        found[town] = taken
        for more, road_id, other in steps.get(town, ()):
            if other not in found:
                heapq.heappush(queue, (cost + more, (*taken, road_id), other))
    return found


@dataclass(frozen=True, kw_only=True, slots=True)
class Spot:
    """Where a way may begin or end: a place, or the centre of a town."""

    name: str
    x: int
    y: int
    city: str
    city_id: int
    centre_x: int
    centre_y: int
    place_id: int | None = None

    @property
    def centre(self) -> Spot:
        return replace(self, name=self.city, x=self.centre_x, y=self.centre_y, place_id=None)


def place_spot(db: sqlite3.Connection, place_id: int) -> Spot:
    """The spot of a place; raises `KeyError` for one that does not exist."""
    row = db.execute(
        "SELECT p.name, p.x, p.y, c.name, c.id, c.x, c.y"
        " FROM map_place p JOIN map_city c ON c.id = p.city_id WHERE p.id = ?",
        (place_id,),
    ).fetchone()
    if row is None:
        raise KeyError(f"no place {place_id}")
    name, x, y, city, city_id, centre_x, centre_y = row
    return Spot(
        name=name, x=x, y=y, city=city, city_id=city_id, centre_x=centre_x, centre_y=centre_y, place_id=place_id
    )


def city_spot(db: sqlite3.Connection, city_id: int) -> Spot:
    """The centre of a town; raises `KeyError` for one that does not exist."""
    row = db.execute("SELECT name, x, y FROM map_city WHERE id = ?", (city_id,)).fetchone()
    if row is None:
        raise KeyError(f"no town {city_id}")
    name, x, y = row
    return Spot(name=name, x=x, y=y, city=name, city_id=city_id, centre_x=x, centre_y=y)


def way(db: sqlite3.Connection, start: Spot, end: Spot, mode: str) -> Way:
    """The way from one spot to another by one of `MODES`."""
    if start.city_id == end.city_id:
        return Way(legs=(_in_town(start, end, f"Follow the streets of {start.city} to {end.name}", mode),))
    legs = []
    if (start.x, start.y) != (start.centre_x, start.centre_y):
        legs.append(_in_town(start, start.centre, f"Head to the centre of {start.city}", mode))
    town = start.city_id
    for road in _roads_between(db, start.city_id, end.city_id, mode):
        town = road.other if road.one == town else road.one
        name = db.execute("SELECT name FROM map_city WHERE id = ?", (town,)).fetchone()[0]
        seconds = road_seconds(road, mode)
        legs.append(Leg(text=f"Take the {road.kind} {road.name} to {name}", metres=road.metres, seconds=seconds))
    if (end.x, end.y) != (end.centre_x, end.centre_y):
        legs.append(_in_town(end.centre, end, f"Follow the streets of {end.city} to {end.name}", mode))
    return Way(legs=tuple(legs))


def _in_town(start: Spot, end: Spot, text: str, mode: str) -> Leg:
    metres = straight_metres(start.x, start.y, end.x, end.y) * _DETOUR_PERCENT[mode] // 100
    return Leg(text=text, metres=metres, seconds=seconds_for(metres, _TOWN_KMH[mode]))


def _roads_between(db: sqlite3.Connection, one: int, other: int, mode: str) -> list[Road]:
    """The roads of the best way between two towns, which `map_route` keeps for every pair."""
    roads = db.execute(
        "SELECT roads FROM map_route WHERE start_id = ? AND end_id = ? AND by_car = ?", (one, other, mode == "car")
    ).fetchone()[0]
    found = []
    for road_id in roads.split(","):
        row = db.execute("SELECT id, name, kind, one_id, other_id, metres FROM map_road WHERE id = ?", (road_id,))
        number, name, kind, first, second, metres = row.fetchone()
        found.append(Road(id=number, name=name, kind=kind, one=first, other=second, metres=metres))
    return found
