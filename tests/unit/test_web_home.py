"""The home page: links to every site, a calculator that is exact, and a scratchpad."""

from __future__ import annotations

import re
from contextlib import suppress
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.web_client import Client, changed_tables, crawled

from sojourn.envs.web.sites.catalog import SITES
from sojourn.envs.web.sites.home.calculator import CalculationError, calculate
from sojourn.envs.web.sites.home.pages import ACCOUNTS
from sojourn.envs.web.sites.hosts import NOW, ORIGINS
from sojourn.envs.web.sites.session import check_password
from sojourn.envs.web.sites.world import World, template


@pytest.fixture
def world() -> World:
    return World.restore(template())


@pytest.fixture
def visitor(world: World) -> Client:
    return Client(world, "home")


def one(world: World, query: str, *values: object) -> Any:
    """The first column of the first row."""
    return world.db.execute(query, values).fetchone()[0]


def test_every_other_site_is_linked_and_answers(world: World, visitor: Client) -> None:
    links = [link for link in visitor.get("/").links if not link.startswith(ORIGINS["home"])]
    assert {link.partition("//")[2].partition("/")[0] for link in links} == {
        site.host for site in SITES if site.name != "home"
    }
    for link in links:
        site = next(name for name, origin in ORIGINS.items() if link.startswith(f"{origin}/"))
        assert Client(world, site).get(link).status == 200


def test_links_follow_the_origins_of_a_world() -> None:
    served = World.restore(template(), {name: f"http://{name}.test:99" for name in ORIGINS})
    assert 'href="http://map.test:99/"' in Client(served, "home").get("/").html


def test_the_accounts_open_the_sites(world: World) -> None:
    sites = [site for site in SITES if site.accounts is not None]
    assert len(ACCOUNTS) == len(sites)
    for (_, login, password), site in zip(
        ACCOUNTS, sorted(sites, key=lambda s: ("shop", "admin", "forum", "code").index(s.name)), strict=True
    ):
        assert site.accounts is not None
        assert check_password(world.db, site.accounts, login, password) is not None


def test_every_link_answers_and_reading_changes_nothing(world: World, visitor: Client) -> None:
    pages = crawled(visitor, "/", 30)
    assert {url: page.status for url, page in pages.items() if page.status != 200} == {}
    assert {url: page.unnamed for url, page in pages.items() if page.unnamed} == {}
    assert changed_tables(world, template()) == {}


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("1+2*3", "7"),
        ("(1 + 2) * 3", "9"),
        ("-2 - -3", "1"),
        ("0.1+0.2", "0.3"),
        ("1/3", "0.3333333333"),
        ("2/3", "0.6666666667"),
        ("-1/3", "-0.3333333333"),
        ("12,345 * 2", "24690"),
        ("7/2", "3.5"),
        ("-0.00000000001", "0"),
        ("10/4/5", "0.5"),
    ],
)
def test_calculations(text: str, result: str) -> None:
    assert calculate(text) == result


@pytest.mark.parametrize(
    "text", ["", "1+", "(1", "1)", "2**3", "1/0", "__import__('os')", "1 2", "9" * 300, "(" * 90 + "1", "*"]
)
def test_what_is_no_calculation_is_told(visitor: Client, text: str) -> None:
    with pytest.raises(CalculationError):
        calculate(text)


@given(st.lists(st.tuples(st.sampled_from("+-*"), st.integers(0, 10**6)), min_size=1, max_size=6))
def test_whole_numbers_agree_with_python(parts: list[tuple[str, int]]) -> None:
    text = "1" + "".join(f" {sign} {value}" for sign, value in parts)
    assert Fraction(calculate(text)) == eval(text)  # the text is our own


@given(st.text(alphabet="0123456789.+-*/() e", max_size=40))
def test_any_text_is_calculated_or_refused(text: str) -> None:
    with suppress(CalculationError):
        Fraction(calculate(text))


def test_the_calculator_page(visitor: Client) -> None:
    form = visitor.get("/calculator").form("/calculator")
    assert "Result: 14" in visitor.send(form, expression="2 * 7").html
    page = visitor.send(form, expression="<b>")
    assert page.status == 200
    assert "<b>" not in page.html
    assert "can be calculated" in page.html


def test_notes_are_written_changed_and_deleted(world: World, visitor: Client) -> None:
    visitor.send(visitor.get("/scratchpad").form("/scratchpad"), title="<i>Trip</i>", body="one\ntwo")
    assert changed_tables(world, template()) == {"home_note": 1}
    row = world.db.execute("SELECT * FROM home_note ORDER BY id DESC").fetchone()
    assert tuple(row)[1:] == ("<i>Trip</i>", "one\ntwo", NOW)
    page = visitor.get(f"/scratchpad/{row['id']}")
    assert "<i>" not in page.html
    visitor.send(page.form(f"/scratchpad/{row['id']}"), title="Trip")
    assert one(world, "SELECT title FROM home_note WHERE id = ?", row["id"]) == "Trip"
    assert visitor.post("/scratchpad", title="Trip", body="").status == 422
    assert visitor.post("/scratchpad/1", title="Trip", body="").status == 422
    visitor.send(visitor.get(f"/scratchpad/{row['id']}").form("/delete"))
    assert changed_tables(world, template()) == {}


@pytest.mark.parametrize("url", ["/scratchpad/99", "/scratchpad/99/delete"])
def test_a_note_that_is_not_there_cannot_be_changed(world: World, visitor: Client, url: str) -> None:
    assert visitor.post(url, title="a", body="b").status == 404
    assert changed_tables(world, template()) == {}


@pytest.mark.parametrize("name", ["forum", "code", "wiki", "map", "home"])
def test_every_page_and_form_is_documented(name: str) -> None:
    page = (Path(__file__).parents[2] / "docs" / "web_pages.md").read_text(encoding="utf-8")
    section = page.partition(f"## The {HEADINGS[name]}\n")[2].partition("\n## ")[0]
    site = next(site for site in SITES if site.name == name)
    assert [path for _, path in site.paths() if f"`{path}`" not in section] == []
    assert set(re.findall(rf"`({name}_\w+)`", section)) <= set(re.findall(r"CREATE TABLE (\w+)", site.schema))
    for number, word in re.findall(r"\b([0-9]+) (\w+)(?=,| about| with| on| \()", section.partition("|")[0]):
        assert one(read_only(), f"SELECT count(*) FROM {TABLES[name, word]}") == int(number)


@cache
def read_only() -> World:
    """A world for tests that only read."""
    return World.restore(template())


TABLES = {
    ("forum", "forums"): "forum_forum",
    ("forum", "people"): "forum_user",
    ("forum", "submissions"): "forum_submission",
    ("code", "people"): "code_user",
    ("code", "groups"): "code_group",
    ("code", "projects"): "code_project",
    ("wiki", "articles"): "wiki_article",
    ("map", "towns"): "map_city",
    ("map", "places"): "map_place",
}
"""What a section's first figures count."""
HEADINGS = {"forum": "forum", "code": "code host", "wiki": "wiki", "map": "map", "home": "home page"}
