"""The forum: threads that fit together, lists in the order they claim, and forms that change what they should."""

from __future__ import annotations

import re
from datetime import datetime
from functools import cache
from typing import Any

import pytest
from tests.web_client import Client, Page, changed_tables, crawled

from sojourn.envs.web.sites.forum.queries import COMMENT_POINTS, NUM_COMMENTS, POINTS, SORTS
from sojourn.envs.web.sites.forum.site import SITE
from sojourn.envs.web.sites.hosts import NOW, ORIGINS
from sojourn.envs.web.sites.world import World, template

ACCOUNT = "MarvelsGrantMan136"


@pytest.fixture
def world() -> World:
    return World.restore(template())


@pytest.fixture
def guest(world: World) -> Client:
    return Client(world, "forum")


@pytest.fixture
def member(world: World) -> Client:
    return Client(world, "forum").log_in("forum", ACCOUNT)


@cache
def read_only() -> World:
    """A world for tests that only read."""
    return World.restore(template())


def one(world: World, query: str, *values: object) -> Any:
    """The first column of the first row."""
    return world.db.execute(query, values).fetchone()[0]


def last(world: World, table: str, columns: str) -> tuple[Any, ...]:
    """Some columns of the newest row of a table."""
    return tuple(world.db.execute(f"SELECT {columns} FROM forum_{table} ORDER BY id DESC").fetchone())


def numbers_of(page: Page) -> list[int]:
    """Ids of the submissions that a list shows."""
    return [int(number) for number in re.findall(r'<h2><a href="/f/[^/"]+/([0-9]+)">', page.html)]


def path_of(world: World, condition: str = "1") -> str:
    """The address of the first submission that fits a condition."""
    row = world.db.execute(
        "SELECT f.name, s.id FROM forum_submission s JOIN forum_forum f ON f.id = s.forum_id"
        f" WHERE {condition} ORDER BY s.id"
    ).fetchone()
    return f"/f/{row[0]}/{row[1]}"


# -------------------------------------------------------------------------------------------------------- the data


def test_there_is_enough_of_everything() -> None:
    world = read_only()
    least = {
        "forum": 12,
        "user": 150,
        "submission": 300,
        "comment": 1500,
        "subscription": 300,
        "vote": 20,
        "message": 8,
    }
    assert {
        name for name, number in least.items() if one(world, f"SELECT count(*) FROM forum_{name}") < number
    } == set()
    assert one(world, "SELECT count(*) FROM forum_submission WHERE user_id = 1") >= 3
    assert one(world, f"SELECT count(*) FROM forum_comment c WHERE {COMMENT_POINTS} < 0") >= 20
    assert one(world, "SELECT count(DISTINCT title) FROM forum_submission") == one(
        world, "SELECT count(*) FROM forum_submission"
    )


def test_comments_belong_to_their_threads_and_follow_in_time() -> None:
    world = read_only()
    wrong = world.db.execute(
        "SELECT c.id FROM forum_comment c JOIN forum_submission s ON s.id = c.submission_id"
        " LEFT JOIN forum_comment p ON p.id = c.parent_id"
        " WHERE c.created < s.created OR c.created >= ? OR p.submission_id <> c.submission_id OR p.created > c.created",
        (NOW,),
    ).fetchall()
    assert wrong == []
    assert one(world, "SELECT count(*) FROM forum_comment WHERE parent_id IS NOT NULL") >= 300


def test_links_lead_to_the_other_sites() -> None:
    world = read_only()
    urls = [row[0] for row in world.db.execute("SELECT url FROM forum_submission WHERE url <> ''")]
    assert len(urls) >= 60
    for url in urls[::7]:
        site = next(name for name, origin in ORIGINS.items() if url.startswith(f"{origin}/"))
        assert Client(world, site).get(url).status == 200


def test_messages_are_between_the_account_and_others() -> None:
    world = read_only()
    rows = world.db.execute("SELECT sender_id, recipient_id, thread_id, subject FROM forum_message").fetchall()
    assert all((row[0] == 1) != (row[1] == 1) for row in rows)
    assert all((row[2] is None) == bool(row[3]) for row in rows)


# ------------------------------------------------------------------------------------------------------- the pages


@pytest.mark.parametrize("is_member", [False, True])
def test_every_link_answers_and_reading_changes_nothing(world: World, is_member: bool) -> None:
    client = Client(world, "forum")
    pages = crawled(client.log_in("forum", ACCOUNT) if is_member else client, "/", 50)
    assert {url: page.status for url, page in pages.items() if page.status != 200} == {}
    assert {url: page.unnamed for url, page in pages.items() if page.unnamed} == {}
    assert changed_tables(world, template()) == {}


def keys(world: World) -> dict[str, dict[int, tuple[float, ...]]]:
    """Sort -> submission -> what it is sorted by, computed apart from the pages' SQL."""
    rows = world.db.execute(
        f"SELECT s.id, s.created, {POINTS} AS points, {NUM_COMMENTS} AS comments FROM forum_submission s"
    ).fetchall()
    found: dict[str, dict[int, tuple[float, ...]]] = {sort: {} for sort in SORTS}
    for row in rows:
        seconds = (datetime.fromisoformat(row["created"]) - datetime(1970, 1, 1)).total_seconds()
        number = row["id"]
        found["hot"][number] = (-(seconds + min(row["points"], 200) * 1800 + row["comments"] * 5400), number)
        found["new"][number] = (-seconds, -number)
        found["top"][number] = (-row["points"], number)
        found["comments"][number] = (-row["comments"], number)
    return found


@pytest.mark.parametrize("sort", SORTS)
def test_lists_are_in_the_order_they_claim_over_all_pages(sort: str) -> None:
    guest = Client(read_only(), "forum")
    shown: list[int] = []
    for page in range(1, 17):
        shown += numbers_of(guest.get(f"/all/{sort}?page={page}"))
    by = keys(read_only())[sort]
    assert shown == sorted(by, key=lambda number: by[number])


def test_the_top_of_a_week_is_a_week_old_at_most(world: World, guest: Client) -> None:
    numbers = numbers_of(guest.get("/all/top?t=week"))
    stamps = [one(world, "SELECT created FROM forum_submission WHERE id = ?", number) for number in numbers]
    assert numbers
    assert min(stamps) >= "2024-06-08 12:00:00"
    assert guest.get("/all/top?t=decade").status == 400


def test_the_front_page_shows_what_is_subscribed_and_not_hidden(world: World, member: Client) -> None:
    subscribed = {row[0] for row in world.db.execute("SELECT forum_id FROM forum_subscription WHERE user_id = 1")}
    forums = {row[0]: row[1] for row in world.db.execute("SELECT id, name FROM forum_forum")}
    hidden = min(subscribed)

    def shown() -> set[int]:
        numbers = numbers_of(member.get("/new")) + numbers_of(member.get("/new?page=2"))
        return {one(world, "SELECT forum_id FROM forum_submission WHERE id = ?", number) for number in numbers}

    assert shown() <= subscribed
    member.post(f"/f/{forums[hidden]}/hide")
    assert shown() <= subscribed - {hidden}
    assert changed_tables(world, template()) == {"forum_hidden": 1}
    member.post(f"/f/{forums[hidden]}/unhide")
    assert changed_tables(world, template()) == {}


def test_comments_nest_as_they_reply(world: World, guest: Client) -> None:
    parent = world.db.execute(
        "SELECT p.id, p.body, c.body AS reply, p.submission_id FROM forum_comment p JOIN forum_comment c"
        " ON c.parent_id = p.id ORDER BY p.id"
    ).fetchone()
    page = guest.get(path_of(world, f"s.id = {parent['submission_id']}"))
    count = one(world, "SELECT count(*) FROM forum_comment WHERE submission_id = ?", parent["submission_id"])
    assert page.html.count("<li><h3>") == count
    assert f"<h2>{count} comment" in page.html
    assert page.html.index("<ul>\n<li><h3>") < page.html.index(parent["reply"][:30].replace("'", "&#39;"))


def test_a_thread_as_long_as_you_like_is_shown(world: World, guest: Client) -> None:
    path = path_of(world)
    number, parent = int(path.rpartition("/")[2]), None
    for step in range(400):
        row = (number, parent, f"reply {step}.", NOW)
        cursor = world.db.execute(
            "INSERT INTO forum_comment (submission_id, parent_id, user_id, body, created, ups, downs)"
            " VALUES (?, ?, 1, ?, ?, 1, 0)",
            row,
        )
        parent = cursor.lastrowid
    page = guest.get(f"{path}?sort=old")
    places = [page.html.index(f"reply {step}.") for step in range(400)]
    assert places == sorted(places)
    assert page.html.count("<ul>") < 60


def test_a_search_holds_every_word(world: World, guest: Client) -> None:
    title = one(world, "SELECT title FROM forum_submission WHERE title NOT LIKE '%''%' ORDER BY id")
    page = guest.get(f"/search?q={title.replace(' ', '+').replace('?', '%3F')}")
    assert title in page.html
    assert numbers_of(guest.get("/search?q=%25%25")) == []
    assert numbers_of(guest.get("/search")) == []


@pytest.mark.parametrize("url", ["/f/nothing", "/f/books/99999", "/f/books/up", "/user/nobody", "/nothing", "/all/up"])
def test_what_is_not_there_is_not_found(guest: Client, url: str) -> None:
    assert guest.get(url).status == 404


def test_a_submission_is_under_its_own_forum_only(world: World, guest: Client) -> None:
    number = path_of(world, "f.name = 'books'").rpartition("/")[2]
    assert guest.get(f"/f/books/{number}").status == 200
    assert guest.get(f"/f/pets/{number}").status == 404


# -------------------------------------------------------------------------------------------------------- log-in


def test_a_log_in_and_out(world: World, guest: Client) -> None:
    page = guest.send(guest.get("/login?next=/messages").form("/login"), username=ACCOUNT, password="test1234")
    assert "<h1>Messages</h1>" in page.html
    guest.send(page.form("/logout"))
    assert ">Log in</a>" in guest.get("/").html
    assert changed_tables(world, template()) == {}


@pytest.mark.parametrize(("name", "password"), [(ACCOUNT, "wrong"), ("nobody", "test1234"), (ACCOUNT, "")])
def test_a_wrong_log_in_is_refused(guest: Client, name: str, password: str) -> None:
    assert guest.post("/login", username=name, password=password).status == 422


def test_nobody_else_can_log_in(world: World, guest: Client) -> None:
    other = one(world, "SELECT name FROM forum_user WHERE id = 2")
    assert guest.post("/login", username=other, password="test1234").status == 422


PRIVATE = ["/submit", "/submit/books", "/create_forum", "/messages", "/messages/1", "/settings"]


@pytest.mark.parametrize("url", PRIVATE)
def test_writing_asks_for_a_log_in(guest: Client, url: str) -> None:
    page = guest.get(url)
    assert "<h1>Log in</h1>" in page.html


def test_a_guest_changes_nothing(world: World, guest: Client) -> None:
    for method, path in SITE.paths():
        url = path.replace("<forum>", "books").replace("<int:number>", "1").replace("<int:comment_id>", "1")
        if method == "POST" and path != "/login":
            guest.post(url.replace("<name>", ACCOUNT), body="x", choice=1, title="x", forum="books", biography="x")
    assert changed_tables(world, template()) == {}


# ------------------------------------------------------------------------------------------------------- the forms


def test_a_text_and_a_link_are_submitted(world: World, member: Client) -> None:
    form = member.get("/submit/books").form("/submit")
    assert dict(form.fields)["forum"] == "books"
    page = member.send(form, title="A <b>title</b>", body="Some\n\ntext")
    assert "<b>title" not in page.html
    columns = "user_id, title, url, body, created, edited, ups, downs"
    assert last(world, "submission", columns) == (1, "A <b>title</b>", "", "Some\n\ntext", NOW, None, 1, 0)
    member.send(form, title="A link", url="http://wikipedia.org/wiki/Ashcombe", forum="pets")
    assert last(world, "submission", "url, body") == ("http://wikipedia.org/wiki/Ashcombe", "")
    assert changed_tables(world, template()) == {"forum_submission": 2}
    assert numbers_of(member.get("/f/books/new"))[0] == one(world, "SELECT max(id) - 1 FROM forum_submission")


@pytest.mark.parametrize(
    "changes",
    [{"title": ""}, {"forum": "nothing"}, {"forum": ""}, {"url": "javascript:alert(1)"}, {"title": "x" * 301}],
)
def test_a_submission_that_is_none_is_refused(world: World, member: Client, changes: dict[str, str]) -> None:
    form = member.get("/submit/books").form("/submit")
    assert member.send(form, **{"title": "a", **changes}).status == 422
    assert changed_tables(world, template()) == {}


def test_comments_and_replies(world: World, member: Client) -> None:
    path = path_of(world)
    number = int(path.rpartition("/")[2])
    page = member.send(member.get(path).form(f"{path}/comment"), body="<i>first</i>")
    assert "&lt;i&gt;first" in page.html
    columns = "submission_id, parent_id, user_id, body, created, ups, downs"
    assert last(world, "comment", columns) == (number, None, 1, "<i>first</i>", NOW, 1, 0)
    parent = one(world, "SELECT id FROM forum_comment ORDER BY id DESC")
    member.send(member.get(f"{path}/comment/{parent}").form("/reply"), body="second")
    assert last(world, "comment", columns) == (number, parent, 1, "second", NOW, 1, 0)
    assert changed_tables(world, template()) == {"forum_comment": 2}
    assert member.post(f"{path}/comment", body=" ").status == 422
    assert member.post(f"{path}/comment/{parent}/reply", body="").status == 422
    assert member.post(f"{path}/comment/99999/reply", body="x").status == 404


def test_own_submissions_are_edited_and_deleted_with_their_comments(world: World, member: Client) -> None:
    path = path_of(
        world, "s.user_id = 1 AND EXISTS (SELECT 1 FROM forum_comment c WHERE c.submission_id = s.id AND c.parent_id)"
    )
    number = int(path.rpartition("/")[2])
    member.send(member.get(f"{path}/edit").form(f"{path}/edit"), title="Other", body="words")
    row = world.db.execute("SELECT title, body, edited FROM forum_submission WHERE id = ?", (number,)).fetchone()
    assert tuple(row) == ("Other", "words", NOW)
    assert changed_tables(world, template()) == {"forum_submission": 2}
    comments = one(world, "SELECT count(*) FROM forum_comment WHERE submission_id = ?", number)
    votes = one(
        world,
        "SELECT count(*) FROM forum_comment_vote v JOIN forum_comment c ON c.id = v.comment_id"
        " WHERE c.submission_id = ?",
        number,
    )
    member.send(member.get(path).form(f"{path}/delete"))
    expected = {"forum_submission": 1, "forum_comment": comments, "forum_comment_vote": votes}
    assert changed_tables(world, template()) == {name: count for name, count in expected.items() if count}


def test_own_comments_are_edited_and_deleted(world: World, member: Client) -> None:
    path = path_of(world)
    member.post(f"{path}/comment", body="mine")
    mine = one(world, "SELECT max(id) FROM forum_comment")
    member.send(member.get(f"{path}/comment/{mine}/edit").form("/edit"), body="better")
    assert last(world, "comment", "body, edited") == ("better", NOW)
    member.post(f"{path}/comment/{mine}/reply", body="a reply")
    member.post(f"{path}/comment/{mine}/delete")
    kept = world.db.execute("SELECT user_id, body FROM forum_comment WHERE id = ?", (mine,)).fetchone()
    assert tuple(kept) == (None, "[deleted]")
    assert member.get(path).status == 200
    member.post(f"{path}/comment/{mine + 1}/delete")
    assert one(world, "SELECT max(id) FROM forum_comment") == mine


def test_what_others_wrote_is_theirs(world: World, member: Client) -> None:
    path = path_of(
        world,
        "s.user_id <> 1 AND EXISTS (SELECT 1 FROM forum_comment c WHERE c.submission_id = s.id AND c.user_id <> 1)",
    )
    comment = one(
        world, "SELECT id FROM forum_comment WHERE user_id <> 1 AND submission_id = ?", int(path.rpartition("/")[2])
    )
    for place in (path, f"{path}/comment/{comment}"):
        assert member.get(f"{place}/edit").status == 403
        assert member.post(f"{place}/edit", title="x", body="x").status == 403
        assert member.post(f"{place}/delete").status == 403
    other = one(world, "SELECT name FROM forum_user WHERE id = 2")
    assert member.post(f"/user/{other}/edit_biography", biography="x").status == 403
    assert changed_tables(world, template()) == {}


def test_votes_are_given_turned_and_taken_back(world: World, member: Client) -> None:
    path = path_of(world, "s.user_id <> 1 AND s.id NOT IN (SELECT submission_id FROM forum_vote)")
    number = int(path.rpartition("/")[2])
    points = f"SELECT {POINTS} FROM forum_submission s WHERE s.id = ?"
    start = one(world, points, number)
    page = member.post(f"{path}/vote", choice=1)
    assert one(world, points, number) == start + 1
    assert "Retract upvote" in page.html
    member.post(f"{path}/vote", choice=-1)
    assert one(world, points, number) == start - 1
    assert changed_tables(world, template()) == {"forum_vote": 1}
    member.post(f"{path}/vote", choice=0)
    assert changed_tables(world, template()) == {}
    assert member.post(f"{path}/vote", choice=2).status == 400
    own = path_of(world, "s.user_id = 1")
    assert member.post(f"{own}/vote", choice=1).status == 403


def test_comments_are_voted_on(world: World, member: Client) -> None:
    row = world.db.execute(
        "SELECT id, submission_id FROM forum_comment WHERE user_id <> 1"
        " AND id NOT IN (SELECT comment_id FROM forum_comment_vote) ORDER BY id"
    ).fetchone()
    path = path_of(world, f"s.id = {row['submission_id']}")
    member.send(member.get(path).form(f"/comment/{row['id']}/vote"))
    assert changed_tables(world, template()) == {"forum_comment_vote": 1}
    assert one(world, "SELECT value FROM forum_comment_vote WHERE comment_id = ?", row["id"]) == 1


def test_subscriptions_blocks_and_biography(world: World, member: Client) -> None:
    free = one(
        world,
        "SELECT name FROM forum_forum WHERE id NOT IN (SELECT forum_id FROM forum_subscription WHERE user_id = 1)",
    )
    member.send(member.get(f"/f/{free}").form("/subscribe"))
    assert changed_tables(world, template()) == {"forum_subscription": 1}
    member.send(member.get(f"/f/{free}").form("/unsubscribe"))
    assert changed_tables(world, template()) == {}
    row = world.db.execute(
        "SELECT u.name, s.id FROM forum_submission s JOIN forum_user u ON u.id = s.user_id"
        " WHERE u.id > 1 AND u.id NOT IN (SELECT blocked_id FROM forum_block) ORDER BY s.created DESC"
    ).fetchone()
    assert row["id"] in numbers_of(member.get("/all/new"))
    member.send(member.get(f"/user/{row['name']}").form("/block"))
    assert row["id"] not in numbers_of(member.get("/all/new"))
    assert changed_tables(world, template()) == {"forum_block": 1}
    assert row["name"] in member.get("/settings").html
    assert member.post(f"/user/{row['name']}/compose_message", subject="a", body="b").status == 403
    assert member.post(f"/user/{ACCOUNT}/block").status == 403
    member.send(member.get(f"/user/{row['name']}").form("/unblock"))
    member.send(member.get(f"/user/{ACCOUNT}/edit_biography").form("/edit_biography"), biography="Hello")
    assert one(world, "SELECT bio FROM forum_user WHERE id = 1") == "Hello"
    assert set(changed_tables(world, template())) == {"forum_user"}


def test_messages_are_sent_and_answered(world: World, member: Client) -> None:
    other = world.db.execute("SELECT id, name FROM forum_user WHERE id NOT IN (1) ORDER BY id").fetchone()
    form = member.get(f"/user/{other['name']}/compose_message").form("/compose_message")
    page = member.send(form, subject="Hi", body="there")
    columns = "thread_id, sender_id, recipient_id, subject, body, created"
    assert last(world, "message", columns) == (None, 1, other["id"], "Hi", "there", NOW)
    thread = one(world, "SELECT max(id) FROM forum_message")
    member.send(page.form(f"/messages/{thread}"), body="again")
    assert last(world, "message", columns) == (thread, 1, other["id"], "", "again", NOW)
    assert changed_tables(world, template()) == {"forum_message": 2}
    assert "Hi" in member.get("/messages").html
    answered = one(world, "SELECT id FROM forum_message WHERE thread_id IS NULL AND recipient_id = 1")
    member.post(f"/messages/{answered}", body="yes")
    sender = one(world, "SELECT sender_id FROM forum_message WHERE id = ?", answered)
    assert last(world, "message", columns)[:3] == (answered, 1, sender)


def test_messages_of_others_are_not_found(world: World, member: Client) -> None:
    world.db.execute("INSERT INTO forum_message VALUES (999, NULL, 2, 3, 'secret', 'x', '2024-01-01 00:00:00')")
    assert member.get("/messages/999").status == 404
    assert member.post("/messages/999", body="x").status == 404
    assert "secret" not in member.get("/messages").html


def test_a_forum_is_created(world: World, member: Client) -> None:
    form = member.get("/create_forum").form("/create_forum")
    member.send(form, name="trains", title="Trains", description="All about trains", sidebar="")
    expected = ("trains", "Trains", "All about trains", "", 1, NOW)
    assert last(world, "forum", "name, title, description, sidebar, owner_id, created") == expected
    assert changed_tables(world, template()) == {"forum_forum": 1}
    for name in ("BOOKS", "a b", "x", "<b>", ""):
        assert member.send(form, name=name, title="T", description="D").status == 422
    assert changed_tables(world, template()) == {"forum_forum": 1}
