"""The small web framework: fields, forms, routes, sessions and pages."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import Markup, escape

from sojourn.envs.web.sites.framework import Accounts, Context, Reply, Routes, Site, local_path
from sojourn.envs.web.sites.hosts import ORIGINS
from sojourn.envs.web.sites.render import Paging, amount, day, environment, escaped, moment, money, paragraphs
from sojourn.envs.web.sites.request import (
    BadRequest,
    Entry,
    Fields,
    MethodNotAllowed,
    NotFound,
    read_cents,
    read_cookies,
)
from sojourn.envs.web.sites.session import (
    SCHEMA,
    check_password,
    find_session,
    new_session,
    password_hash,
)

# ---------------------------------------------------------------------------------------------------------- fields


def test_fields_keep_their_order_and_repeat() -> None:
    fields = Fields.read("a=1&b=&a=2&c=x+y%21")
    assert list(fields) == [("a", "1"), ("b", ""), ("a", "2"), ("c", "x y!")]
    assert fields.get("a") == "1"
    assert fields.all("a") == ["1", "2"]
    assert fields.get("missing", "none") == "none"
    assert "b" in fields
    assert "d" not in fields


def test_line_ends_of_a_form_are_plain() -> None:
    assert Fields.read("a=x%0D%0Ay%0Dz").get("a") == "x\ny\nz"


@pytest.mark.parametrize("encoded", ["a=%00", "a%01=1", "a=%7F", "&".join(f"a{n}=" for n in range(201))])
def test_control_characters_and_too_many_fields_are_refused(encoded: str) -> None:
    with pytest.raises(BadRequest):
        Fields.read(encoded)


@pytest.mark.parametrize(("text", "value"), [("7", 7), ("-3", -3), ("", 5), (" 2 ", 2)])
def test_whole_numbers_are_read(text: str, value: int) -> None:
    assert Fields([("n", text)]).integer("n", 5) == value


@pytest.mark.parametrize("text", ["x", "1.5", "1e9", "9" * 30, "٣", "0x10", "--1"])
def test_what_is_no_whole_number_is_refused(text: str) -> None:
    with pytest.raises(BadRequest, match="whole number"):
        Fields([("n", text)]).integer("n", 5)


def test_a_choice_is_one_of_the_options() -> None:
    assert Fields([("sort", "price")]).choice("sort", ("price", "name"), "name") == "price"
    assert Fields().choice("sort", ("price", "name"), "name") == "name"
    with pytest.raises(BadRequest, match="price, name"):
        Fields([("sort", "id; DROP TABLE x")]).choice("sort", ("price", "name"), "name")


@pytest.mark.parametrize(
    ("text", "cents"),
    [("12", 1200), ("12.5", 1250), ("$1,234.50", 123450), ("0.07", 7), ("1,2", None), ("-1", None), ("12.345", None)],
)
def test_amounts_are_whole_cents(text: str, cents: int | None) -> None:
    assert read_cents(text) == cents


@given(st.integers(0, 10**11 - 1))
def test_an_amount_that_is_shown_can_be_typed_again(cents: int) -> None:
    if cents < 10**11:
        assert read_cents(amount(cents)) == cents
    if cents < 10**9:
        assert read_cents(money(cents)) == cents


@given(st.text(max_size=60))
def test_any_text_is_an_amount_or_none(text: str) -> None:
    assert (read_cents(text) or 0) >= 0


def test_a_form_says_everything_that_is_wrong_with_it() -> None:
    entry = Entry(Fields([("name", ""), ("age", "x"), ("mail", "me"), ("long", "a" * 11), ("a", "1"), ("b", "2")]))
    entry.text("name", "Name")
    entry.integer("age", "Age", low=1, high=9)
    entry.email("mail", "Email")
    entry.text("long", "Long", max_length=10)
    entry.choice("colour", "a colour", ("red",))
    entry.same("a", "b", "They differ.")
    assert set(entry.errors) == {"name", "age", "mail", "long", "colour", "b"}
    assert entry.values["long"] == "a" * 11  # what was typed is shown again
    assert entry.status == 422


def test_a_good_form_has_no_errors() -> None:
    entry = Entry(Fields([("name", "Emma"), ("mail", "Emma.L@Example.com"), ("price", "$3.50"), ("on", "1")]))
    assert entry.text("name", "Name") == "Emma"
    assert entry.email("mail", "Email") == "emma.l@example.com"
    assert entry.cents("price", "Price") == 350
    assert (entry.flag("on"), entry.flag("off")) == (1, 0)
    assert (entry.errors, entry.status) == ({}, 200)


def test_what_is_no_cookie_is_left_out_of_a_cookie_header() -> None:
    assert read_cookies("session=abc; other=1") == {"session": "abc", "other": "1"}
    assert read_cookies("nonsense;; ;session=abc=; ,") == {"session": "abc="}
    assert read_cookies("") == {}


# ---------------------------------------------------------------------------------------------------------- routes


def routes() -> Routes:
    table = Routes()
    table.get("/")(lambda ctx: Reply(body="home"))
    table.get("/item/new")(lambda ctx: Reply(body="new"))
    table.get("/item/<int:key>")(lambda ctx, key: Reply(body=f"{key + 1}"))
    table.get("/file/<path:path>")(lambda ctx, path: Reply(body=path))
    table.get("/<owner>/<name>")(lambda ctx, owner, name: Reply(body=f"{owner} {name}"))
    table.post("/item/<int:key>")(lambda ctx, key: Reply(body="posted"))
    return table


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/", "home"),
        ("HEAD", "/", "home"),
        ("GET", "/item/new", "new"),
        ("GET", "/item/41", "42"),
        ("POST", "/item/1", "posted"),
        ("GET", "/file/a/b c/d.txt", "a/b c/d.txt"),
        ("GET", "/ann/thing.js", "ann thing.js"),
    ],
)
def test_a_path_finds_its_handler(method: str, path: str, body: str) -> None:
    handler, parts = routes().find(method, path)
    assert handler(None, **parts).body == body


@pytest.mark.parametrize("path", ["/nothing", "/item/", "/item/1/2", "/file/", "//", "/item/" + "9" * 16 + "/x"])
def test_a_path_that_is_none_is_not_found(path: str) -> None:
    with pytest.raises(NotFound):
        routes().find("GET", path)


def test_a_wrong_method_names_the_right_ones() -> None:
    with pytest.raises(MethodNotAllowed) as raised:
        routes().find("DELETE", "/item/1")
    assert raised.value.allowed == ("GET", "HEAD", "POST")


def test_a_route_is_registered_once() -> None:
    with pytest.raises(AssertionError, match="twice"):
        routes().get("/")(lambda ctx: Reply())


def test_routes_of_parts_are_those_of_the_whole() -> None:
    whole = Routes()
    whole.include(routes())
    assert whole.paths() == routes().paths()


# ------------------------------------------------------------------------------------------------ sessions and pages


def site(tmp_path: Path) -> Site:
    folder = tmp_path / "toy"
    folder.mkdir()
    (folder / "schema.sql").write_text("CREATE TABLE toy_user (id INTEGER PRIMARY KEY, login TEXT, password TEXT);")

    def generate(db: sqlite3.Connection, rng: Random) -> None:
        db.execute("INSERT INTO toy_user VALUES (1, 'ann', ?)", (password_hash("ann", "secret"),))

    return Site("home", title="Toy", folder=folder, generate=generate, accounts=ACCOUNTS)


ACCOUNTS = Accounts(table="toy_user", login="login")


def database(made: Site) -> sqlite3.Connection:
    db = sqlite3.connect(":memory:", isolation_level=None)
    db.row_factory = sqlite3.Row
    db.executescript(SCHEMA + made.schema)
    made.generate(db, Random(0))
    return db


def context(made: Site, db: sqlite3.Connection, url: str = "/", token: str = "") -> Context:
    path, _, query = url.partition("?")
    return Context(
        site=made,
        db=db,
        method="GET",
        path=path,
        query=Fields.read(query),
        form=Fields(),
        cookies={"session": token},
        origins=ORIGINS,
    )


def test_a_log_in_lasts_until_the_log_out(tmp_path: Path) -> None:
    made = site(tmp_path)
    db = database(made)
    first = context(made, db)
    assert first.user is None
    first.log_in(1)
    assert first.user is not None
    assert first.user["login"] == "ann"
    (cookie,) = (value for name, value in first.headers(Reply()) if name == "Set-Cookie")
    token = cookie.partition(";")[0].partition("=")[2]
    second = context(made, db, token=token)
    assert second.require_user()["id"] == 1
    second.log_out()
    assert context(made, db, token=token).user is None


def test_a_session_counts_on_its_own_site_only(tmp_path: Path) -> None:
    db = database(site(tmp_path))
    token = new_session(db, "shop", 1).token
    assert find_session(db, "shop", token) is not None
    assert find_session(db, "admin", token) is None


def test_tokens_differ_and_come_again_when_an_episode_is_played_again(tmp_path: Path) -> None:
    db = database(site(tmp_path))
    tokens = [new_session(db, "shop", 1).token for _ in range(3)]
    assert len(set(tokens)) == 3
    db.execute("DELETE FROM web_session")
    assert new_session(db, "shop", 1).token not in tokens  # numbers are not used twice
    (tmp_path / "again").mkdir()
    again = database(site(tmp_path / "again"))
    assert [new_session(again, "shop", 1).token for _ in range(3)] == tokens


def test_only_the_right_password_opens_an_account(tmp_path: Path) -> None:
    db = database(site(tmp_path))
    assert check_password(db, ACCOUNTS, "ann", "secret") == 1
    assert check_password(db, ACCOUNTS, "ann", "Secret") is None
    assert check_password(db, ACCOUNTS, "bob", "secret") is None
    assert password_hash("ann", "x") != password_hash("bob", "x")


def test_a_notice_is_shown_once(tmp_path: Path) -> None:
    made = site(tmp_path)
    db = database(made)
    first = context(made, db)
    reply = first.redirect("/next", "Done.")
    assert (reply.status, dict(reply.headers)["Location"]) == (303, "/next")
    assert first.session is not None
    again = context(made, db, token=first.session.token)
    assert (again.take_notice(), again.take_notice()) == ("Done.", "")


def test_a_query_is_changed_field_by_field(tmp_path: Path) -> None:
    made = site(tmp_path)
    ctx = context(made, database(made), "/a b?q=x%26y&page=2&q=z")
    assert ctx.url == "/a%20b?q=x%26y&page=2&q=z"
    assert ctx.with_query(page=3) == "/a%20b?q=x%26y&q=z&page=3"
    assert ctx.with_query(page=None, q="") == "/a%20b"


def test_stored_addresses_of_other_sites_follow_the_origins(tmp_path: Path) -> None:
    made = site(tmp_path)
    ctx = context(made, database(made))
    ctx._origins = {name: f"http://{name}.localhost:1" for name in ORIGINS}
    assert ctx.local("http://reddit.com/f/books") == "http://forum.localhost:1/f/books"
    assert ctx.local("http://reddit.com") == "http://forum.localhost:1/"
    assert ctx.local("http://reddit.com.evil.org/") == "http://reddit.com.evil.org/"
    assert ctx.link("shop", "/cart") == "http://shop.localhost:1/cart"


@pytest.mark.parametrize("path", ["//evil.com", "http://evil.com", "/\\evil.com", "/a\nb", "", "a", "/ü", "/a b"])
def test_after_a_log_in_one_stays_on_the_site(path: str) -> None:
    assert local_path(path, "/account") == "/account"


def test_a_local_path_is_kept() -> None:
    assert local_path("/account/orders?page=2", "/") == "/account/orders?page=2"


def test_formats() -> None:
    assert (money(123450), money(-7), money(0)) == ("$1,234.50", "-$0.07", "$0.00")
    assert (day("2024-06-05 01:02:03"), moment("2024-06-05 01:02:03")) == ("Jun 5, 2024", "Jun 5, 2024 01:02")
    assert (day(""), moment("")) == ("", "")


def test_paragraphs_are_escaped() -> None:
    assert paragraphs("a <b>\nc\n\n\n\nd & e") == "<p>a &lt;b&gt;<br>c</p><p>d &amp; e</p>"
    assert paragraphs("") == ""


@given(st.one_of(st.text(), st.integers(), st.booleans(), st.none(), st.builds(Markup, st.text())))
def test_pages_escape_as_markupsafe_does(value: object) -> None:
    assert escaped(value) == escape(value)


def test_templates_escape_by_the_quick_way() -> None:
    assert "environment.escaped(" in environment().compile("{{ x }}", raw=True)
    twice = environment().from_string(
        "{% macro m(x) %}<i>{{ x }}</i>{% endmacro %}{{ m('<') }} {{ '<i>'|safe }} {{ x }}"
    )
    assert twice.render(x="a & b") == "<i>&lt;</i> <i> a &amp; b"


@given(page=st.integers(1, 40), total=st.integers(0, 400))
def test_paging_covers_every_row_once(page: int, total: int) -> None:
    first = Paging(page=1, per_page=10, total=total)
    rows = [n for p in range(1, first.num_pages + 1) for n in range(total)[(p - 1) * 10 : p * 10]]
    assert rows == list(range(total))
    here = Paging(page=min(page, first.num_pages), per_page=10, total=total)
    numbers = here.numbers()
    assert {1, here.page, here.num_pages} <= {*numbers}
    assert here.first <= here.last <= total
