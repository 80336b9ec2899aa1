"""The map: places that fit together, ways that are the best ones, and forms that change what they should."""

from __future__ import annotations

import math
import re
from functools import cache
from random import Random
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.web_client import Client, Page, changed_tables, crawled

from sojourn.envs.web.sites.hosts import NOW
from sojourn.envs.web.sites.map.browse import CATEGORIES, RADII
from sojourn.envs.web.sites.map.queries import found_spots
from sojourn.envs.web.sites.map.routes import (
    MODES,
    Road,
    best_roads,
    city_spot,
    coordinates,
    distance_text,
    duration_text,
    place_spot,
    road_seconds,
    straight_metres,
    way,
)
from sojourn.envs.web.sites.world import World, template


@pytest.fixture
def world() -> World:
    return World.restore(template())


@pytest.fixture
def visitor(world: World) -> Client:
    return Client(world, "map")


@cache
def read_only() -> World:
    """A world for tests that only read."""
    return World.restore(template())


def one(world: World, query: str, *values: object) -> Any:
    """The first column of the first row."""
    return world.db.execute(query, values).fetchone()[0]


def column(world: World, query: str, *values: object) -> list[Any]:
    return [row[0] for row in world.db.execute(query, values)]


def places_of(page: Page) -> list[str]:
    """Names of the places that a table shows."""
    return re.findall(r'<td><a href="/place/[0-9]+">(.*?)</a></td>', page.html)


# -------------------------------------------------------------------------------------------------------- the data


def test_there_is_enough_of_everything() -> None:
    world = read_only()
    assert one(world, "SELECT count(*) FROM map_place") >= 400
    assert set(column(world, "SELECT DISTINCT category FROM map_place")) == set(CATEGORIES)
    assert one(world, "SELECT count(*) FROM map_city") == 16
    assert one(world, "SELECT count(*) FROM map_review") >= 600
    assert one(world, "SELECT count(DISTINCT name) FROM map_place") == one(world, "SELECT count(*) FROM map_place")


def test_places_hold_what_their_category_has() -> None:
    world = read_only()
    assert column(world, "SELECT name FROM map_place WHERE (category = 'restaurant') != (cuisine IS NOT NULL)") == []
    assert column(world, "SELECT name FROM map_place WHERE (category = 'hotel') != (stars IS NOT NULL)") == []
    assert (
        column(world, "SELECT name FROM map_place WHERE named_after IS NOT NULL AND instr(name, named_after) = 0") == []
    )
    hours = re.compile(r"[0-2][0-9]:[0-5][0-9]-[0-2][0-9]:[0-5][0-9]|closed")
    for row in world.db.execute("SELECT weekday_hours, saturday_hours, sunday_hours FROM map_place"):
        assert all(hours.fullmatch(text) for text in row)
    addresses = world.db.execute("SELECT city_id, street, house FROM map_place").fetchall()
    assert len({tuple(row) for row in addresses}) == len(addresses)  # no two doors are the same
    assert one(world, "SELECT max(created) FROM map_review") < NOW


def test_other_seeds_draw_another_map() -> None:
    from sojourn.envs.web.sites.map.site import SITE

    def drawn(seed: str) -> list[str]:
        import sqlite3

        db = sqlite3.connect(":memory:")
        db.row_factory = sqlite3.Row
        db.executescript(SITE.schema)
        SITE.generate(db, Random(seed))
        return list(db.iterdump())

    assert drawn("a") == drawn("a")
    assert drawn("a") != drawn("b")


# -------------------------------------------------------------------------------------------------------- the ways


def all_roads(world: World) -> list[Road]:
    rows = world.db.execute("SELECT id, name, kind, one_id, other_id, metres FROM map_road").fetchall()
    names = ("id", "name", "kind", "one", "other", "metres")
    return [Road(**dict(zip(names, row, strict=True))) for row in rows]


@pytest.mark.parametrize("mode", ["car", "foot"])
def test_the_routes_kept_are_as_short_as_a_second_algorithm_finds(mode: str) -> None:
    world = read_only()
    roads = [road for road in all_roads(world) if mode == "car" or road.kind != "motorway"]
    towns = column(world, "SELECT id FROM map_city")
    best = {(a, b): 0 if a == b else 10**12 for a in towns for b in towns}
    for road in roads:
        cost = road_seconds(road, mode) if mode == "car" else road.metres
        best[road.one, road.other] = best[road.other, road.one] = min(cost, best[road.one, road.other])
    for middle in towns:  # Floyd and Warshall
        for a in towns:
            for b in towns:
                best[a, b] = min(best[a, b], best[a, middle] + best[middle, b])
    by_id = {road.id: road for road in roads}
    rows = world.db.execute("SELECT * FROM map_route WHERE by_car = ?", (mode == "car",)).fetchall()
    assert len(rows) == len(towns) * (len(towns) - 1)  # every town is in reach of every other
    for row in rows:
        taken = [by_id[int(number)] for number in row["roads"].split(",")]
        cost = sum(road_seconds(road, mode) if mode == "car" else road.metres for road in taken)
        assert cost == best[row["start_id"], row["end_id"]]
        assert sum(road.metres for road in taken) == row["metres"]


def test_a_motorway_is_for_cars() -> None:
    slow = Road(id=1, name="B1", kind="road", one=1, other=2, metres=5000)
    fast = Road(id=2, name="A2", kind="motorway", one=1, other=2, metres=6000)
    assert best_roads([slow, fast], 1, "car") == {1: (), 2: (2,)}
    assert best_roads([slow, fast], 1, "foot") == {1: (), 2: (1,)}
    assert best_roads([fast], 1, "bike") == {1: ()}


@given(st.integers(1, 400), st.integers(1, 400), st.sampled_from(sorted(MODES)))
def test_a_way_is_as_long_back_and_never_shorter_than_the_straight_line(start: int, end: int, mode: str) -> None:
    db = read_only().db
    one_end, other_end = place_spot(db, start), place_spot(db, end)
    there, back = way(db, one_end, other_end, mode), way(db, other_end, one_end, mode)
    assert there.metres == back.metres
    assert there.metres >= straight_metres(one_end.x, one_end.y, other_end.x, other_end.y) - len(there.legs)
    assert (there.metres == 0) == (start == end)
    if one_end.city_id != other_end.city_id:
        assert there.seconds >= way(db, one_end, other_end, "car").seconds


def test_a_way_between_towns_begins_and_ends_at_their_centres() -> None:
    db = read_only().db
    legs = way(db, city_spot(db, 1), city_spot(db, 16), "car").legs
    assert all(leg.text.startswith("Take the ") for leg in legs)
    assert legs[-1].text.endswith(f" to {city_spot(db, 16).name}")
    assert way(db, city_spot(db, 1), city_spot(db, 1), "car").metres == 0


@pytest.mark.parametrize(
    ("metres", "text"),
    [(0, "0 m"), (999, "999 m"), (1000, "1.0 km"), (1049, "1.0 km"), (1050, "1.1 km"), (99_950, "100.0 km")],
)
def test_distances_are_shown(metres: int, text: str) -> None:
    assert distance_text(metres) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "1 min"), (61, "2 min"), (3540, "59 min"), (3600, "1 h 0 min"), (3661, "1 h 2 min")]
)
def test_durations_are_shown(seconds: int, text: str) -> None:
    assert duration_text(seconds) == text


def test_coordinates_have_five_decimals() -> None:
    assert coordinates(0, 0) == "47.00000, 8.00000"
    assert coordinates(76_000, 111_200) == "48.00000, 9.00000"


# ------------------------------------------------------------------------------------------------------ the pages


def test_every_link_answers_and_reading_changes_nothing(world: World, visitor: Client) -> None:
    pages = crawled(visitor, "/", 60)
    assert {url: page.status for url, page in pages.items() if page.status != 200} == {}
    assert {url: page.unnamed for url, page in pages.items() if page.unnamed} == {}
    assert changed_tables(world, template()) == {}


def test_a_search_finds_every_word(world: World, visitor: Client) -> None:
    town = one(world, "SELECT name FROM map_city ORDER BY id")
    museums = "SELECT p.name FROM map_place p JOIN map_city c ON c.id = p.city_id WHERE category = 'museum'"
    expected = column(world, f"{museums} AND c.name = ?", town)
    found = places_of(visitor.get(f"/search?{urlencode({'q': f'museums in {town}'})}"))
    assert set(expected) <= set(found)
    assert places_of(visitor.get("/search?q=%25_")) == []  # signs are taken literally


def test_filters_and_paging_show_every_place_once(world: World, visitor: Client) -> None:
    shown: list[str] = []
    for page in range(1, 20):
        answer = visitor.get(f"/search?category=restaurant&sort=rating&page={page}")
        shown += places_of(answer)
        if "Next" not in answer.html:
            break
    tenths = {
        row["name"]: row["tenths"]
        for row in world.db.execute(
            "SELECT name, (SELECT (20 * sum(stars) + count(*)) / (2 * count(*)) FROM map_review WHERE place_id = p.id)"
            " AS tenths FROM map_place p WHERE category = 'restaurant'"
        )
    }
    names = [name.replace("&amp;", "&").replace("&#39;", "'") for name in shown]
    assert sorted(names) == sorted(tenths)
    rated = [tenths[name] for name in names if tenths[name] is not None]
    assert rated == sorted(rated, reverse=True)
    assert visitor.get("/search?category=restaurant&page=99").status == 404


@pytest.mark.parametrize("query", ["category=castle", "page=0", "page=x", "sort=up", "cuisine=Martian"])
def test_a_query_that_is_none_is_refused(visitor: Client, query: str) -> None:
    assert visitor.get(f"/search?{query}").status == 400


def test_nearby_is_what_is_near(world: World, visitor: Client) -> None:
    spot = world.db.execute("SELECT id, name, x, y FROM map_place WHERE category = 'station' ORDER BY id").fetchone()
    for radius, _ in RADII[1:4]:
        page = visitor.get(f"/nearby?{urlencode({'place': spot['name'], 'category': 'hotel', 'radius': radius})}")
        expected = sorted(
            (math.isqrt((row["x"] - spot["x"]) ** 2 + (row["y"] - spot["y"]) ** 2), row["name"])
            for row in world.db.execute("SELECT name, x, y FROM map_place WHERE category = 'hotel'")
            if (row["x"] - spot["x"]) ** 2 + (row["y"] - spot["y"]) ** 2 <= int(radius) ** 2
        )
        shown = [name.replace("&#39;", "'").replace("&amp;", "&") for name in places_of(page)]
        assert shown == [name for _, name in expected]
        assert all(f"<td>{distance_text(metres)}</td>" in page.html for metres, _ in expected)


def test_directions_show_the_way(world: World, visitor: Client) -> None:
    first, last = (one(world, "SELECT name FROM map_place WHERE id = ?", number) for number in (1, 400))
    found = way(world.db, place_spot(world.db, 1), place_spot(world.db, 400), "bike")
    page = visitor.get(f"/directions?{urlencode({'from': first, 'to': last.upper(), 'mode': 'bike'})}")
    assert f"Distance: {distance_text(found.metres)}" in page.html
    assert f"Time: {duration_text(found.seconds)}" in page.html
    assert page.html.count("<tr><td>") == len(found.legs)


def test_a_name_that_may_mean_several_places_is_asked_back(world: World, visitor: Client) -> None:
    page = visitor.get(f"/directions?{urlencode({'from': 'Central Station', 'to': 'nowhere at all'})}")
    assert "Which place do you mean by Central Station?" in page.html
    assert "Nothing on the map is called nowhere at all." in page.html
    assert "Distance:" not in page.html
    assert len(found_spots(world.db, "museum")) > 1
    assert found_spots(world.db, "in the") == []


# ------------------------------------------------------------------------------------------------------- the forms


def test_a_review_is_published_as_text(world: World, visitor: Client) -> None:
    page = visitor.send(visitor.get("/place/3").form("/place/3/review"), rating=2, body="<script>x</script>\n\nfine")
    assert "<script>" not in page.html
    assert "&lt;script&gt;x" in page.html
    row = world.db.execute("SELECT place_id, author, stars, body, created FROM map_review ORDER BY id DESC").fetchone()
    assert tuple(row) == (3, "You", 2, "<script>x</script>\n\nfine", NOW)
    assert changed_tables(world, template()) == {"map_review": 1}


@pytest.mark.parametrize("fields", [{"rating": 6, "body": "a"}, {"rating": 3, "body": " "}, {"body": "a"}])
def test_a_review_that_is_none_is_refused(world: World, visitor: Client, fields: dict[str, object]) -> None:
    assert visitor.post("/place/3/review", **fields).status == 422
    assert changed_tables(world, template()) == {}


def test_a_place_is_saved_noted_and_removed(world: World, visitor: Client) -> None:
    free = one(world, "SELECT id FROM map_place WHERE id NOT IN (SELECT place_id FROM map_saved) ORDER BY id")
    visitor.send(visitor.get(f"/place/{free}").form("/save"), list=2, note="with Ann")
    saved = "SELECT list_id, note FROM map_saved WHERE place_id = ?"
    assert [tuple(row) for row in world.db.execute(saved, (free,))] == [(2, "with Ann")]
    visitor.post(f"/place/{free}/save", list=2, note="alone")
    assert [tuple(row) for row in world.db.execute(saved, (free,))] == [(2, "alone")]
    assert changed_tables(world, template()) == {"map_saved": 1}
    assert "alone" in visitor.get("/list/2").html
    visitor.send(visitor.get("/list/2").form(f"/place/{free}/unsave"))
    assert changed_tables(world, template()) == {}


def test_lists_are_made_renamed_and_deleted(world: World, visitor: Client) -> None:
    visitor.send(visitor.get("/lists").form("/lists"), name="Weekend")
    assert changed_tables(world, template()) == {"map_list": 1}
    number = one(world, "SELECT id FROM map_list WHERE name = 'Weekend'")
    visitor.post("/place/5/save", list=number, note="")
    visitor.send(visitor.get(f"/list/{number}").form("/rename"), name="Holiday")
    assert one(world, "SELECT name FROM map_list WHERE id = ?", number) == "Holiday"
    assert visitor.post("/lists", name="Holiday").status == 422
    visitor.send(visitor.get(f"/list/{number}").form("/delete"))
    assert changed_tables(world, template()) == {}


@pytest.mark.parametrize(
    ("url", "fields"),
    [
        ("/place/99999/save", {"list": 1}),
        ("/place/1/save", {"list": 99}),
        ("/place/1/unsave", {"list": 3}),
        ("/list/99/delete", {}),
        ("/list/99/rename", {"name": "a"}),
    ],
)
def test_what_is_not_there_cannot_be_changed(
    world: World, visitor: Client, url: str, fields: dict[str, object]
) -> None:
    world.db.execute("DELETE FROM map_saved WHERE place_id = 1")
    before = changed_tables(world, template())
    assert visitor.post(url, **fields).status == 404
    assert changed_tables(world, template()) == before


@pytest.mark.parametrize("url", ["/place/0", "/place/x", "/city/Nowhere", "/list/9", "/nothing"])
def test_what_is_not_there_is_not_found(visitor: Client, url: str) -> None:
    assert visitor.get(url).status == 404
