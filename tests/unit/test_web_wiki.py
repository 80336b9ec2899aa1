"""The wiki: it agrees with the map and with itself, and an edit changes what it should."""

from __future__ import annotations

import re
from collections import Counter
from functools import cache
from time import process_time
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.web_client import Client, changed_tables, crawled

from sojourn.envs.web.sites.hosts import NOW
from sojourn.envs.web.sites.wiki.changes import line_changes
from sojourn.envs.web.sites.wiki.markup import body_html, inline, parse, plain, title_path
from sojourn.envs.web.sites.wiki.places import WITH_ARTICLE
from sojourn.envs.web.sites.world import World, template


@pytest.fixture
def world() -> World:
    return World.restore(template())


@pytest.fixture
def visitor(world: World) -> Client:
    return Client(world, "wiki")


@cache
def read_only() -> World:
    """A world for tests that only read."""
    return World.restore(template())


def one(world: World, query: str, *values: object) -> Any:
    """The first column of the first row."""
    return world.db.execute(query, values).fetchone()[0]


def facts(world: World, title: str) -> dict[str, str]:
    """The infobox of an article, links as their text."""
    rows = world.db.execute(
        "SELECT name, value FROM wiki_fact f JOIN wiki_article a ON a.id = f.article_id WHERE a.title = ?", (title,)
    )
    return {row["name"]: plain(row["value"]) for row in rows}


def text_of(world: World, title: str) -> str:
    """The markup that an article shows."""
    return str(
        one(
            world,
            "SELECT text FROM wiki_revision r JOIN wiki_article a ON a.revision_id = r.id WHERE a.title = ?",
            title,
        )
    )


def links_of(text: str) -> set[str]:
    """Titles that a text links to."""
    return {match[1] for match in re.finditer(r"\[\[(?!Category:)([^\]|]+)", text)}


# -------------------------------------------------------------------------------------------------------- the data


def test_towns_agree_with_the_map() -> None:
    world = read_only()
    for row in world.db.execute("SELECT * FROM map_city").fetchall():
        known = facts(world, row["name"])
        assert known["Population"] == f"{row['population']:,}"
        assert known["Founded"] == str(row["founded"])
        assert known["Region"] == row["region"]
        assert known["River"] == f"River {row['river']}"
        assert known["Postcode"] == row["postcode"]
        assert known["Elevation"] == f"{row['elevation']} m"
        assert facts(world, known["Mayor"])["Office"] == f"Mayor of {row['name']}"


def test_places_agree_with_the_map() -> None:
    world = read_only()
    marks = ",".join("?" * len(WITH_ARTICLE))
    rows = world.db.execute(
        "SELECT p.*, c.name AS city FROM map_place p JOIN map_city c ON c.id = p.city_id"
        f" WHERE p.category IN ({marks})",
        WITH_ARTICLE,
    ).fetchall()
    assert len(rows) >= 120
    for row in rows:
        known = facts(world, row["name"])
        assert known["Location"] == row["city"]
        assert known["Address"] == f"{row['house']} {row['street']}"
        assert known.get("Named after") == row["named_after"]
        if row["named_after"]:
            assert row["name"] in text_of(world, row["named_after"])


def test_regions_sum_up_their_towns() -> None:
    world = read_only()
    for row in world.db.execute("SELECT region, sum(population), count(*) FROM map_city GROUP BY region").fetchall():
        known = facts(world, row[0])
        assert (known["Town population"], known["Towns"]) == (f"{row[1]:,}", str(row[2]))


def test_there_is_enough_and_every_link_leads_to_an_article() -> None:
    world = read_only()
    titles = {row[0] for row in world.db.execute("SELECT title FROM wiki_article")}
    assert len(titles) >= 300
    for title in titles:
        assert links_of(text_of(world, title)) <= titles


def test_what_is_derived_is_what_the_shown_text_says() -> None:
    world = read_only()
    for number, title in world.db.execute("SELECT id, title FROM wiki_article").fetchall():
        parsed = parse(text_of(world, title))
        rows = world.db.execute("SELECT name, value FROM wiki_fact WHERE article_id = ? ORDER BY position", (number,))
        assert [tuple(row) for row in rows] == list(parsed.facts)
        rows = world.db.execute("SELECT category FROM wiki_category WHERE article_id = ?", (number,))
        assert {row[0] for row in rows} == set(parsed.categories)
        assert parsed.facts
        assert parsed.categories


def test_the_revision_shown_is_the_last_and_revisions_differ() -> None:
    world = read_only()
    rows = world.db.execute(
        "SELECT a.revision_id, max(r.id), count(*), count(DISTINCT r.text) FROM wiki_article a"
        " JOIN wiki_revision r ON r.article_id = a.id GROUP BY a.id"
    ).fetchall()
    assert all(row[0] == row[1] and row[2] == row[3] for row in rows)
    assert sum(row[2] > 1 for row in rows) >= 50
    pairs = "wiki_revision a JOIN wiki_revision b USING (article_id)"
    assert one(world, f"SELECT count(*) FROM {pairs} WHERE a.id < b.id AND a.created > b.created") == 0
    assert one(world, "SELECT max(created) FROM wiki_revision") < NOW


def test_people_live_after_they_were_born_and_are_known_for_different_things() -> None:
    world = read_only()
    works = []
    for (title,) in world.db.execute("SELECT title FROM wiki_article").fetchall():
        known = facts(world, title)
        if "Died" in known:
            assert int(known["Died"][-4:]) - int(known["Born"][-4:]) >= 40
        works += [known["Known for"]] if "Known for" in known else []
    assert len(works) == len(set(works)) >= 60


# ------------------------------------------------------------------------------------------------------ the markup

EXAMPLE = """{{Infobox
| Mayor = [[Ann Lee|Ann]]
| Area = 3 < 4
}}
'''Ash''' is a [[Town of X]].

== History & more ==
* one
* '''two'''
[[Category:Towns]]"""


def test_markup_becomes_facts_blocks_and_categories() -> None:
    parsed = parse(EXAMPLE)
    assert parsed.facts == (("Mayor", "[[Ann Lee|Ann]]"), ("Area", "3 < 4"))
    assert parsed.categories == ("Towns",)
    assert parsed.headings == ("History & more",)
    assert body_html(parsed) == (
        '<p><b>Ash</b> is a <a href="/wiki/Town_of_X">Town of X</a>.</p>\n'
        '<h2 id="History-more">History &amp; more</h2>\n'
        "<ul><li>one</li><li><b>two</b></li></ul>"
    )
    assert inline("[[Ann Lee|Ann]] 3 < 4") == '<a href="/wiki/Ann_Lee">Ann</a> 3 &lt; 4'
    assert plain("[[Ann Lee|Ann]] '''b''' [[C]]") == "Ann b C"
    assert title_path("A/b c?") == "A%2Fb_c%3F"


@pytest.mark.parametrize("piece", ["'", "[", "[[a|", "==", "[[Category:", "{{Infobox\n| a = ", "a\n\n", "* "])
def test_no_text_takes_long(piece: str) -> None:
    start = process_time()
    parsed = parse(piece * (40_000 // len(piece)))
    body_html(parsed)
    assert process_time() - start < 1


LINES = st.lists(st.sampled_from(["a", "b", "c", "", "d d"]), max_size=12)


@given(LINES, LINES)
def test_changes_turn_one_text_into_the_other(old: list[str], new: list[str]) -> None:
    changes = line_changes("\n".join(old), "\n".join(new))
    kept = Counter(line for line in old if line.strip())
    kept.subtract(Counter(line for kind, line in changes if kind == "Removed"))
    kept.update(line for kind, line in changes if kind == "Added")
    assert +kept == Counter(line for line in new if line.strip())
    assert line_changes("x\n" + "\n".join(old), "x\n" + "\n".join(old)) == []


def test_changes_of_long_texts_are_found_at_once() -> None:
    old = "\n".join(str(number % 90) for number in range(9_000))
    start = process_time()
    assert line_changes(old, f"new\n{old}\nlast")[0] == ("Removed", "0")
    assert line_changes(old, f"new\n{old}") == [("Added", "new")]
    assert process_time() - start < 1


MARKS = st.text(alphabet="[]|{}='*\n <>&\"abI:Category", max_size=80)


@given(MARKS)
def test_any_text_is_markup_and_nothing_passes_through(text: str) -> None:
    html = str(body_html(parse(text)))
    allowed = r"</?(?:p|ul|li|b|h3|a|h2)>|<a href=\"/wiki/[^\"<>]*\">|<h2 id=\"[A-Za-z0-9-]+\">"
    rest = re.sub(allowed, "", html)
    assert "<" not in rest
    assert ">" not in rest
    for value in (value for _, value in parse(text).facts):
        assert "<" not in re.sub(allowed, "", str(inline(value)))


# ------------------------------------------------------------------------------------------------------- the pages


def test_every_link_answers_and_reading_changes_nothing(world: World, visitor: Client) -> None:
    pages = crawled(visitor, "/", 80)
    assert {url: page.status for url, page in pages.items() if page.status != 200} == {}
    assert {url: page.unnamed for url, page in pages.items() if page.unnamed} == {}
    assert changed_tables(world, template()) == {}


def test_a_search_shows_the_exact_title_first(world: World, visitor: Client) -> None:
    page = visitor.get(f"/search?{urlencode({'search': 'ashcombe'})}")
    found = re.findall(r'<li><a href="/wiki/([^"]*)">', page.html)
    assert found[0] == "Ashcombe"
    count = one(
        world,
        "SELECT count(*) FROM wiki_article a JOIN wiki_revision r ON r.id = a.revision_id"
        " WHERE r.text LIKE '%ashcombe%' OR a.title LIKE '%ashcombe%'",
    )
    assert f"of {count}</p>" in page.html
    assert "no results" in visitor.get("/search?search=%25zz").html
    assert visitor.get("/search").status == 200


def test_a_category_lists_its_articles(world: World, visitor: Client) -> None:
    page = visitor.get("/category/Towns_of_Veldmark")
    towns = [row[0] for row in world.db.execute("SELECT name FROM map_city ORDER BY name")]
    assert re.findall(r'<li><a href="/wiki/([^"]*)">', page.html) == towns
    assert visitor.get("/category/Nothing").status == 404


def test_what_links_here_is_what_links(world: World, visitor: Client) -> None:
    page = visitor.get("/links/Lake_Aldin")
    titles = {row[0] for row in world.db.execute("SELECT title FROM wiki_article")}
    expected = {title for title in titles if "Lake Aldin" in links_of(text_of(world, title))}
    found = {link.rpartition("/wiki/")[2] for link in page.links if "/wiki/" in link}
    assert {title_path(title) for title in expected} <= found
    assert f"<p>{len(expected)} pages</p>" in page.html


def test_history_shows_what_was_corrected(world: World, visitor: Client) -> None:
    row = world.db.execute(
        "SELECT r.id, r.summary, a.title FROM wiki_revision r JOIN wiki_article a ON a.revision_id = r.id"
        " WHERE r.summary LIKE 'Corrected %' ORDER BY r.id"
    ).fetchone()
    name = row["summary"].removeprefix("Corrected ")
    page = visitor.get(f"/diff/{row['id']}")
    assert f"<td>Added</td><td>| {name} = {facts(world, row['title'])[name]}</td>" in page.html
    assert page.html.count(f"<td>Removed</td><td>| {name} = ") == 1
    history = visitor.get(f"/history/{title_path(row['title'])}")
    assert f"Revision {row['id']}</a> (current)" in history.html
    first = one(world, "SELECT min(id) FROM wiki_revision")
    assert "This was the first revision." in visitor.get(f"/diff/{first}").html
    assert "Old revision" in visitor.get(f"/revision/{first}").html


@pytest.mark.parametrize("url", ["/diff/99999", "/revision/99999", "/history/Nothing", "/nothing"])
def test_what_is_not_there_is_not_found(visitor: Client, url: str) -> None:
    assert visitor.get(url).status == 404


# ------------------------------------------------------------------------------------------------------- the forms


def test_an_edit_is_a_revision_and_changes_the_facts(world: World, visitor: Client) -> None:
    form = visitor.get("/edit/Ashcombe").form("/edit/Ashcombe")
    before = text_of(world, "Ashcombe")
    assert dict(form.fields)["text"] == before
    after = re.sub(r"\| Mayor = .*", "| Mayor = <b>Nobody</b>", before)
    page = visitor.send(form, text=after, summary="New mayor")
    assert "&lt;b&gt;Nobody" in page.html
    assert "<b>Nobody" not in page.html
    assert facts(world, "Ashcombe")["Mayor"] == "<b>Nobody</b>"
    row = world.db.execute("SELECT author, created, summary, text FROM wiki_revision ORDER BY id DESC").fetchone()
    assert tuple(row) == ("Visitor", NOW, "New mayor", after)
    # the article points to another revision (one row out, one in), the fact's row goes and comes
    assert changed_tables(world, template()) == {"wiki_article": 2, "wiki_revision": 1, "wiki_fact": 2}


def test_a_missing_article_can_be_written(world: World, visitor: Client) -> None:
    page = visitor.get("/wiki/New_bridge")
    assert page.status == 404
    assert any(link.endswith("/edit/New_bridge") for link in page.links)
    form = visitor.get("/edit/New_bridge").form("/edit/New_bridge")
    page = visitor.send(form, text="A bridge.\n[[Category:Bridges]]", summary="")
    assert "<p>A bridge.</p>" in page.html
    assert changed_tables(world, template()) == {"wiki_article": 1, "wiki_category": 1, "wiki_revision": 1}
    assert "New bridge" in visitor.get("/category/Bridges").html
    assert "New bridge" in visitor.get("/recent").html


@pytest.mark.parametrize(
    ("title", "fields"),
    [
        ("Ashcombe", {"text": ""}),
        ("Ashcombe", {"text": "x" * 40_001}),
        ("a|b", {"text": "x"}),
        ("x" * 121, {"text": "x"}),
        ("A[b]", {"text": "x"}),
        ("Ashcombe", {"text": "x", "summary": "y" * 201}),
    ],
)
def test_an_edit_that_is_none_is_refused(world: World, visitor: Client, title: str, fields: dict[str, object]) -> None:
    assert visitor.post(f"/edit/{title}", **fields).status == 422
    assert changed_tables(world, template()) == {}


def test_saving_an_article_as_it_is_is_refused(world: World, visitor: Client) -> None:
    page = visitor.send(visitor.get("/edit/Millbrook").form("/edit/Millbrook"))
    assert page.status == 422
    assert "Nothing was changed." in page.html
    assert changed_tables(world, template()) == {}
