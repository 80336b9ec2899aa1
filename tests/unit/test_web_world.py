"""Worlds: restored from a template, apart from each other, and unmoved by what is sent to them."""

from __future__ import annotations

import io
import re
import sqlite3
import threading
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.web_client import Client, changed_tables

from sojourn.envs.web.sites import world as worlds
from sojourn.envs.web.sites.catalog import SITES
from sojourn.envs.web.sites.framework import NotFound, Reply, Site
from sojourn.envs.web.sites.hosts import HOSTS, LOGINS
from sojourn.envs.web.sites.request import MAX_BODY_BYTES
from sojourn.envs.web.sites.session import check_password
from sojourn.envs.web.sites.world import World, site_of, template
from sojourn.errors import ConfigError, DataError, EnvError

EMMA = "emma.lopez@gmail.com"


@cache
def shared() -> World:
    """A world for tests that only read, or whose writes are refused."""
    return World.restore(template())


def rows(db: sqlite3.Connection, query: str) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in db.execute(query)]


def test_every_site_has_its_host() -> None:
    assert [site_of(site.host) for site in SITES] == list(SITES)
    assert site_of("www.onestopmarket.com:7770") is site_of("OneStopMarket.com")
    assert site_of("example.com") is None
    assert {site.name for site in SITES} <= set(HOSTS)


def test_worlds_see_nothing_of_each_other() -> None:
    first, second = World.restore(template()), World.restore(template())
    client = Client(first, "shop").log_in("shop", EMMA)
    client.post("/cart/add", product=1)
    assert rows(first.db, "SELECT product_id, quantity FROM shop_cart_item") == [(1, 1)]
    assert changed_tables(second, template()) == {}
    assert changed_tables(World.restore(template()), template()) == {}
    stranger = Client(second, "shop")
    stranger.cookies = dict(client.cookies)
    assert "Sign In" in stranger.get("/").html  # a cookie of another world opens nothing


def test_a_snapshot_goes_on_from_the_middle() -> None:
    first = World.restore(template())
    client = Client(first, "shop").log_in("shop", EMMA)
    client.post("/cart/add", product=1, quantity=2)
    branch = World.restore(first.snapshot())
    other = Client(branch, "shop")
    other.cookies = dict(client.cookies)
    other.post("/cart/update", product=1, quantity=1)
    assert rows(branch.db, "SELECT quantity FROM shop_cart_item") == [(1,)]
    assert rows(first.db, "SELECT quantity FROM shop_cart_item") == [(2,)]


def test_the_same_requests_give_the_same_bytes() -> None:
    def played() -> bytes:
        world = World.restore(template())
        client = Client(world, "shop")
        client.post("/account/login", email=EMMA, password="Password.123")
        client.post("/cart/add", product=7)
        client.post("/checkout", address=1, shipping="express", payment="Credit card")
        return world.snapshot()

    assert played() == played()


def test_seeds_give_other_data() -> None:
    prices = "SELECT price_cents FROM shop_product"
    assert rows(World.restore(template(1)).db, prices) != rows(shared().db, prices)


def test_a_template_is_made_once_and_then_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SOJOURN_CACHE", str(tmp_path))
    template.cache_clear()
    try:
        made = template()
        (path,) = (tmp_path / "web").iterdir()  # and nothing half-written beside it
        assert path.read_bytes() == made
        path.write_bytes(b"what was kept")
        template.cache_clear()
        assert template() == b"what was kept"
        assert worlds._decisive_hash(0) != worlds._decisive_hash(1)
    finally:
        template.cache_clear()


def test_what_is_no_template_is_told() -> None:
    with pytest.raises(DataError, match="SQLite"):
        World.restore(b"<html>")


def test_the_template_is_sound_and_small() -> None:
    made = template()
    db = World.restore(made).db
    assert rows(db, "PRAGMA integrity_check") == [("ok",)]
    assert rows(db, "PRAGMA foreign_key_check") == []
    assert len(made) <= 3_300_000
    assert len(rows(db, "SELECT * FROM web_session")) == 0


def test_log_in_says_what_it_does_not_know() -> None:
    with pytest.raises(ConfigError, match="known: admin"):
        shared().log_in("shap", EMMA)
    with pytest.raises(ConfigError, match="no user"):
        shared().log_in("shop", "nobody@example.com")


def test_an_unknown_host_is_not_found() -> None:
    page = Client(shared(), "shop").request("GET", "http://evil.example/")
    assert page.status == 404
    assert page.html == "No such host.\n"


def test_head_has_headers_and_no_body() -> None:
    page = Client(shared(), "shop").request("HEAD", "/")
    assert (page.status, page.html) == (200, "")
    assert int(page.headers["Content-Length"]) > 1000


def test_a_wrong_method_is_told_the_right_ones() -> None:
    page = Client(shared(), "shop").request("POST", "/search")
    assert (page.status, page.headers["Allow"]) == (405, "GET, HEAD")
    assert Client(shared(), "shop").request("BREW", "/").status == 405


@pytest.mark.parametrize(
    ("environ", "status"),
    [
        ({"CONTENT_LENGTH": str(MAX_BODY_BYTES + 1)}, 413),
        ({"CONTENT_LENGTH": "-1"}, 400),
        ({"CONTENT_LENGTH": "many"}, 400),
        ({"CONTENT_LENGTH": "3", "CONTENT_TYPE": "application/json", "wsgi.input": io.BytesIO(b"{} ")}, 415),
        ({"CONTENT_LENGTH": "5", "wsgi.input": io.BytesIO(b"a=%00")}, 400),
        ({"CONTENT_LENGTH": "", "CONTENT_TYPE": ""}, 422),
    ],
)
def test_a_body_that_is_no_form_is_refused(environ: dict[str, Any], status: int) -> None:
    assert Client(shared(), "shop").request("POST", "/contact", **environ).status == status


HOSTILE = [
    "'; DROP TABLE shop_product; --",
    "<script>alert(1)</script>",
    "\x00",
    "\ud800",
    "%00",
    "../../etc/passwd",
    "9" * 400,
    "a" * 20_000,
    "%' OR 1=1",
    "\\",
    "{{ 7 * 7 }}",
    "\N{SNOWMAN}\u202e",
]


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("site", SITES, ids=lambda site: site.name)
def test_hostile_input_ends_in_a_page(site: Site, text: str) -> None:
    world = shared()
    client = Client(world, site.name)
    client.cookies["session"] = session_of(site.name)
    for path in sorted({path for method, path in site.paths() if method == "GET"}):
        names = [*re.findall(r"<(?:\w+:)?(\w+)>", path), "q", "sort", "page", "brand", "from", "status", "dir", "next"]
        query = "&".join(f"{name}={text}" for name in [*names, "price_from", "number", "order", "query", "x", "mode"])
        environ = {"QUERY_STRING": query, "PATH_INFO": re.sub(r"<[^>]*>", lambda _: text, path)}
        assert client.request("GET", "/", **environ).status in (200, 303, 400, 403, 404)
        assert client.request("GET", "/", **{**environ, "QUERY_STRING": ""}).status in (200, 303, 400, 403, 404)
    environ = {"PATH_INFO": "/", "HTTP_COOKIE": f"session={text}", "CONTENT_TYPE": text, "HTTP_REFERER": text}
    assert client.request("GET", "/", **environ).status in (200, 303)
    assert client.request("POST", "/", text.encode("utf-8", errors="replace"), **environ).status in (405, 415)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.text(max_size=12), st.text(max_size=30)), max_size=5), st.data())
def test_any_form_sent_anywhere_ends_in_a_page(pairs: list[tuple[str, str]], data: st.DataObject) -> None:
    site = data.draw(st.sampled_from(SITES))
    method, path = data.draw(st.sampled_from(site.paths()))
    path = re.sub(r"<[^>]*>", str(data.draw(st.integers(0, 3))), path)
    client = Client(shared(), site.name)
    client.cookies["session"] = session_of(site.name)
    body = "&".join(f"{name}={value}" for name, value in pairs).encode("utf-8", errors="replace")
    page = client.request(method, path, body)
    assert page.status in (200, 303, 400, 403, 404, 405, 422)
    if "Max-Age=0" in page.headers.get("Set-Cookie", ""):
        session_of.cache_clear()


@cache
def session_of(site: str) -> str:
    """Token of a session in the shared world; nothing where one cannot log in."""
    return shared().log_in(site, LOGINS[site][0]).partition("=")[2] if site in LOGINS else ""


def test_a_fault_of_a_site_rises_and_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World.restore(template())
    shop = site_of(HOSTS["shop"])
    assert shop is not None

    def broken(context: Any) -> Any:
        context.db.execute("DELETE FROM shop_wish")
        raise RuntimeError("a fault")

    monkeypatch.setitem(shop._fixed, "/contact", {"GET": broken})
    with pytest.raises(EnvError, match=r"onestopmarket.com failed at GET '/contact': RuntimeError: a fault"):
        Client(world, "shop").get("/contact")
    assert changed_tables(world, template()) == {}
    assert Client(world, "shop").get("/").status == 200  # and the world goes on


@pytest.mark.parametrize("refusal", ["raised", "returned"])
def test_a_refusal_after_a_write_undoes_it(monkeypatch: pytest.MonkeyPatch, refusal: str) -> None:
    world = World.restore(template())
    shop = site_of(HOSTS["shop"])
    assert shop is not None

    def refusing(context: Any) -> Any:
        context.db.execute("DELETE FROM shop_wish")
        if refusal == "raised":
            raise NotFound("Not here.")
        return Reply(status=422)

    monkeypatch.setitem(shop._fixed, "/contact", {"POST": refusing})
    assert Client(world, "shop").post("/contact").status == {"raised": 404, "returned": 422}[refusal]
    assert changed_tables(world, template()) == {}


def test_a_refused_form_changes_nothing() -> None:
    world = World.restore(template())
    page = Client(world, "shop").post("/account/create", first_name="A", email="x")
    assert page.status == 422
    assert changed_tables(world, template()) == {}


def test_worlds_and_threads_do_not_mix() -> None:
    """Four threads on two worlds: every request is answered, and each world holds exactly its own writes."""
    pair = [World.restore(template()) for _ in range(2)]
    failures: list[object] = []

    def shopping(world: World, product: int) -> None:
        client = Client(world, "shop")
        for _ in range(10):
            page = client.post("/cart/add", product=product)
            if "You added" not in page.html:
                failures.append(page.html)

    stocked = [row[0] for row in rows(shared().db, "SELECT id FROM shop_product WHERE stock > 20 ORDER BY id LIMIT 4")]
    threads = [threading.Thread(target=shopping, args=(pair[n % 2], stocked[n])) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    for number, world in enumerate(pair):
        held = rows(world.db, "SELECT product_id, quantity FROM shop_cart_item ORDER BY product_id")
        assert held == [(stocked[n], 10) for n in range(4) if n % 2 == number]


@pytest.mark.parametrize("name", ["shop", "admin"])
def test_every_page_and_form_is_documented(name: str) -> None:
    page = (Path(__file__).parents[2] / "docs" / "web_sites.md").read_text(encoding="utf-8")
    site = next(site for site in SITES if site.name == name)
    assert [path for _, path in site.paths() if f"`{path}`" not in page] == []


@pytest.mark.parametrize("name", LOGINS)
def test_the_printed_passwords_open_the_accounts(name: str) -> None:
    site = next(site for site in SITES if site.name == name)
    assert site.accounts is not None
    assert check_password(shared().db, site.accounts, *LOGINS[name]) is not None
