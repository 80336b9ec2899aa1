"""The code host: projects that fit together, rights that hold, and forms that change what they should."""

from __future__ import annotations

import re
from functools import cache
from typing import Any
from urllib.parse import urlencode

import pytest
from tests.web_client import Client, changed_tables, crawled

from sojourn.envs.web.sites.code.rights import ROLES, is_at_least
from sojourn.envs.web.sites.code.site import SITE
from sojourn.envs.web.sites.hosts import NOW
from sojourn.envs.web.sites.world import World, template

ACCOUNT = "byteblaze"
OWN = "/byteblaze/harbor-dash"


@pytest.fixture
def world() -> World:
    return World.restore(template())


@pytest.fixture
def guest(world: World) -> Client:
    return Client(world, "code")


@pytest.fixture
def member(world: World) -> Client:
    return Client(world, "code").log_in("code", ACCOUNT)


@cache
def read_only() -> World:
    """A world for tests that only read."""
    return World.restore(template())


def one(world: World, query: str, *values: object) -> Any:
    """The first column of the first row."""
    return world.db.execute(query, values).fetchone()[0]


def last(world: World, table: str, columns: str) -> tuple[Any, ...]:
    """Some columns of the newest row of a table."""
    return tuple(world.db.execute(f"SELECT {columns} FROM code_{table} ORDER BY id DESC").fetchone())


def own_id(world: World, name: str = "harbor-dash") -> int:
    return int(one(world, "SELECT id FROM code_project WHERE namespace = ? AND name = ?", ACCOUNT, name))


def foreign(world: World) -> str:
    """The address of a public project that the account is no member of."""
    row = world.db.execute(
        "SELECT namespace, name FROM code_project"
        " WHERE id NOT IN (SELECT project_id FROM code_member WHERE user_id = 1) ORDER BY id"
    ).fetchone()
    return f"/{row[0]}/{row[1]}"


def iids_of(html: str, kind: str) -> list[int]:
    """Numbers of the issues or merge requests in a table."""
    return [int(number) for number in re.findall(rf'<td><a href="[^"]*/-/{kind}/([0-9]+)">', html)]


# -------------------------------------------------------------------------------------------------------- the data


def test_there_is_enough_of_everything() -> None:
    world = read_only()
    least = {"project": 30, "user": 80, "file": 150, "commit": 500, "issue": 300, "merge": 100, "note": 400, "todo": 8}
    assert {name for name, number in least.items() if one(world, f"SELECT count(*) FROM code_{name}") < number} == set()
    assert one(world, "SELECT count(*) FROM code_project WHERE namespace = ?", ACCOUNT) >= 5
    stars = [row[0] for row in world.db.execute("SELECT count(*) FROM code_star GROUP BY project_id")]
    assert len(stars) == len(set(stars))  # no two projects tie


def test_work_is_by_members_in_the_order_of_time() -> None:
    world = read_only()
    strangers = (
        "SELECT count(*) FROM code_{0} x WHERE NOT EXISTS"
        " (SELECT 1 FROM code_member m WHERE m.project_id = x.project_id AND m.user_id = x.{1})"
    )
    assert one(world, strangers.format("commit", "author_id")) == 0
    assert one(world, strangers.format("merge", "author_id")) == 0
    assert one(world, strangers.format("issue", "assignee_id") + " AND x.assignee_id IS NOT NULL") == 0
    early = "SELECT count(*) FROM code_commit k JOIN code_project p ON p.id = k.project_id WHERE k.created < p.created"
    assert one(world, early) == 0
    assert (
        one(world, "SELECT count(*) FROM code_issue WHERE closed < created OR (closed IS NULL) != (state = 'opened')")
        == 0
    )
    assert (
        one(world, "SELECT count(*) FROM code_merge WHERE ended < created OR (ended IS NULL) != (state = 'opened')")
        == 0
    )
    assert max(one(world, f"SELECT max(created) FROM code_{table}") for table in ("commit", "issue", "note")) < NOW


def test_issues_are_numbered_and_keep_to_their_project() -> None:
    world = read_only()
    for table in ("issue", "merge"):
        gaps = f"SELECT count(*) FROM (SELECT 1 FROM code_{table} GROUP BY project_id HAVING max(iid) <> count(*))"
        assert one(world, gaps) == 0
        assert one(world, f"SELECT count(*) - count(DISTINCT project_id || title) FROM code_{table}") == 0
    assert (
        one(
            world,
            "SELECT count(*) FROM code_issue_label x JOIN code_issue i ON i.id = x.issue_id"
            " JOIN code_label l ON l.id = x.label_id WHERE l.project_id <> i.project_id",
        )
        == 0
    )
    assert (
        one(
            world,
            "SELECT count(*) FROM code_issue i JOIN code_milestone m ON m.id = i.milestone_id"
            " WHERE m.project_id <> i.project_id",
        )
        == 0
    )


def test_open_merge_requests_come_from_branches_with_commits() -> None:
    world = read_only()
    rows = world.db.execute("SELECT project_id, source FROM code_merge WHERE state = 'opened'").fetchall()
    for row in rows:
        assert one(world, "SELECT count(*) FROM code_branch WHERE project_id = ? AND name = ?", *row) == 1
        assert one(world, "SELECT count(*) FROM code_commit WHERE project_id = ? AND branch = ?", *row) >= 1


def test_commits_change_files_that_are_there() -> None:
    world = read_only()
    lost = world.db.execute(
        "SELECT h.path FROM code_change h JOIN code_commit k ON k.id = h.commit_id WHERE NOT EXISTS"
        " (SELECT 1 FROM code_file f WHERE f.project_id = k.project_id AND f.path = h.path)"
    ).fetchall()
    assert lost == []


# ------------------------------------------------------------------------------------------------------- the pages


@pytest.mark.parametrize("is_member", [False, True])
def test_every_link_answers_and_reading_changes_nothing(world: World, is_member: bool) -> None:
    client = Client(world, "code")
    pages = crawled(client.log_in("code", ACCOUNT) if is_member else client, "/", 70)
    assert {url: page.status for url, page in pages.items() if page.status != 200} == {}
    assert {url: page.unnamed for url, page in pages.items() if page.unnamed} == {}
    assert changed_tables(world, template()) == {}


@pytest.mark.parametrize(
    ("sort", "key"),
    [
        ("name", "p.name"),
        ("stars", "-(SELECT count(*) FROM code_star s WHERE s.project_id = p.id)"),
        ("oldest", "p.created"),
    ],
)
def test_projects_are_listed_in_order_over_all_pages(world: World, guest: Client, sort: str, key: str) -> None:
    shown: list[str] = []
    for page in (1, 2, 3):
        shown += re.findall(r"<td><a href=\"/([^\"]+)\">", guest.get(f"/explore?sort={sort}&page={page}").html)
    expected = world.db.execute(
        f"SELECT p.namespace || '/' || p.name FROM code_project p WHERE visibility = 'public' ORDER BY {key}, p.name"
    )
    assert shown == [row[0] for row in expected]
    assert guest.get("/explore?page=4").status == 404


def test_a_private_project_is_there_for_its_members_only(world: World, guest: Client, member: Client) -> None:
    for path in ("", "/-/issues", "/-/tree/main", "/-/commits/main", "/-/project_members", "/-/merge_requests/1"):
        assert guest.get(f"/byteblaze/private-ledger{path}").status == 404
        assert member.get(f"/byteblaze/private-ledger{path}").status == 200
    for url in ("/explore?name=ledger", "/search?search=ledger", "/byteblaze"):
        assert "private-ledger" not in guest.get(url).html.replace("?search=ledger", "")
    assert "private-ledger" in member.get("/search?search=ledger").html
    title = one(world, "SELECT title FROM code_issue WHERE project_id = ?", own_id(world, "private-ledger"))
    assert "private-ledger" not in guest.get(f"/search?{urlencode({'search': title, 'scope': 'issues'})}").html


def test_contributors_are_who_committed(world: World, guest: Client) -> None:
    page = guest.get(f"{OWN}/-/graphs/main")
    rows = world.db.execute(
        "SELECT u.name, count(*) FROM code_commit k JOIN code_user u ON u.id = k.author_id"
        " WHERE k.project_id = ? AND branch = 'main' GROUP BY u.id ORDER BY 2 DESC, 1",
        (own_id(world),),
    ).fetchall()
    shown = re.findall(
        r'<tr><td><a href="/[^"]*">(.*?)</a></td><td>.*?</td><td><a href="[^"]*">([0-9]+)</a>', page.html
    )
    assert shown == [(name, str(count)) for name, count in rows]


def test_files_are_shown_as_text(world: World, member: Client) -> None:
    page = member.get(f"{OWN}/-/tree/main")
    assert any(link.endswith("/-/tree/main/src") for link in page.links)
    assert any(link.endswith("/-/blob/main/README.md") for link in page.links)
    content = one(world, "SELECT content FROM code_file WHERE project_id = ? AND path = 'README.md'", own_id(world))
    assert f"<pre>{content}</pre>" in member.get(f"{OWN}/-/blob/main/README.md").html
    for path in ("/-/blob/main/nothing", "/-/blob/nothing/README.md", "/-/tree/main/nothing", "/-/commit/abc"):
        assert member.get(f"{OWN}{path}").status == 404


ISSUE_FILTERS = [
    ({"state": "closed"}, "state = 'closed'"),
    ({"state": "all"}, "1"),
    ({"state": "all", "search": "crashes"}, "title LIKE '%crashes%' OR body LIKE '%crashes%'"),
    (
        {"state": "all", "label": "bug"},
        "id IN (SELECT issue_id FROM code_issue_label x JOIN code_label l ON l.id = label_id WHERE l.name = 'bug')",
    ),
    ({"state": "opened", "assignee": "none"}, "state = 'opened' AND assignee_id IS NULL"),
    ({"state": "all", "assignee": ACCOUNT}, "assignee_id = 1"),
    ({"state": "all", "author": ACCOUNT}, "author_id = 1"),
]


@pytest.mark.parametrize(("query", "condition"), ISSUE_FILTERS)
def test_issues_are_filtered(world: World, guest: Client, query: dict[str, str], condition: str) -> None:
    shown = iids_of(guest.get(f"{OWN}/-/issues?{urlencode(query)}").html, "issues")
    expected = world.db.execute(
        f"SELECT iid FROM code_issue WHERE project_id = ? AND ({condition}) ORDER BY created DESC, id DESC",
        (own_id(world),),
    )
    assert shown == [row[0] for row in expected]


def test_merge_requests_are_filtered(world: World, guest: Client) -> None:
    for state in ("opened", "merged", "closed"):
        shown = iids_of(guest.get(f"{OWN}/-/merge_requests?state={state}").html, "merge_requests")
        expected = world.db.execute(
            "SELECT iid FROM code_merge WHERE project_id = ? AND state = ? ORDER BY created DESC",
            (own_id(world), state),
        )
        assert shown == [row[0] for row in expected]


def test_the_dashboard_is_the_users(world: World, member: Client) -> None:
    count = one(world, "SELECT count(*) FROM code_issue WHERE assignee_id = 1 AND state = 'opened'")
    assert f"of {count}</p>" in member.get("/dashboard/issues").html
    page = member.get("/dashboard/todos")
    count = one(world, "SELECT count(*) FROM code_todo WHERE user_id = 1 AND NOT is_done")
    assert f"To-do list ({count})" in page.html
    projects = one(world, "SELECT count(*) FROM code_member WHERE user_id = 1")
    assert f"of {projects}</p>" in member.get("/").html
    starred = one(world, "SELECT count(*) FROM code_star WHERE user_id = 1")
    assert f"of {starred}</p>" in member.get("/dashboard/starred").html


@pytest.mark.parametrize("query", ["state=odd", "sort=odd", "page=0", "page=x"])
def test_a_query_that_is_none_is_refused(guest: Client, query: str) -> None:
    assert guest.get(f"{OWN}/-/issues?{query}").status == 400


@pytest.mark.parametrize("url", ["/nobody", "/nobody/nothing", f"{OWN}/-/issues/999", f"{OWN}/-/merge_requests/999"])
def test_what_is_not_there_is_not_found(guest: Client, url: str) -> None:
    assert guest.get(url).status == 404


# --------------------------------------------------------------------------------------------------- log-in, rights


def test_a_log_in_by_name_and_by_mail(world: World, guest: Client) -> None:
    for login in (ACCOUNT, "byteblaze@example.com"):
        page = guest.send(
            guest.get("/users/sign_in?next=/dashboard/todos").form("/sign_in"), login=login, password="hello1234"
        )
        assert "<h1>To-do list</h1>" in page.html
        guest.send(page.form("/users/sign_out"))
    assert guest.post("/users/sign_in", login=ACCOUNT, password="x").status == 422
    other = one(world, "SELECT username FROM code_user WHERE id = 2")
    assert guest.post("/users/sign_in", login=other, password="hello1234").status == 422
    assert changed_tables(world, template()) == {}


def filled(path: str, project: str) -> str:
    namespace, name = project.strip("/").split("/")
    for part, value in {
        "<namespace>": namespace,
        "<name>": name,
        "<branch>": "main",
        "<path:path>": "README.md",
    }.items():
        path = path.replace(part, value)
    return re.sub(r"<int:[a-z_]+>", "1", path).replace("<word>", "close").replace("<username>", "leo.varga")


EVERYTHING = {
    "title": "t",
    "name": "n",
    "body": "b",
    "content": "c",
    "message": "m",
    "path": "p",
    "username": "leo.varga",
}


def test_a_guest_changes_nothing(world: World, guest: Client) -> None:
    posts = [path for method, path in SITE.paths() if method == "POST" and path != "/users/sign_in"]
    assert len(posts) >= 35
    for path in posts:
        guest.post(filled(path, OWN), **EVERYTHING, role="guest", visibility="public", source="main", target="main")
    assert changed_tables(world, template()) == {}


def test_who_is_no_member_may_only_talk(world: World, member: Client) -> None:
    project = foreign(world)
    allowed = ("/star", "/unstar", "/forks", "/issues/new", "/notes", "/todo", "/follow", "/unfollow")
    for method, path in SITE.paths():
        if method == "POST" and path.startswith("/<namespace>") and not path.endswith(allowed):
            answer = member.post(filled(path, project), **EVERYTHING)
            author = world.db.execute("SELECT author_id FROM code_issue WHERE iid = 1").fetchone()
            assert answer.status in (403, 404), (path, author)
    assert changed_tables(world, template()) == {}


def test_roles_are_ordered() -> None:
    assert [role for role in ROLES if is_at_least(role, "developer")] == ["developer", "maintainer", "owner"]
    assert not is_at_least(None, "guest")


# ------------------------------------------------------------------------------------------------------- the forms


def test_a_project_is_created(world: World, member: Client) -> None:
    form = member.get("/projects/new").form("/projects/new")
    page = member.send(form, name="web-agent.v2", description="<b>", visibility="public")
    assert "<h1>web-agent.v2</h1>" in page.html
    expected = ("byteblaze", "web-agent.v2", "<b>", "public", "", NOW, None)
    assert last(world, "project", "namespace, name, description, visibility, license, created, forked_from") == expected
    assert changed_tables(world, template()) == {"code_project": 1, "code_member": 1, "code_branch": 1, "code_file": 1}
    for name in ("", "a b", "<x>", "HARBOR-DASH", "x" * 61):
        assert member.send(form, name=name, readme=None).status == 422
    member.send(form, name="empty", readme=None)
    assert changed_tables(world, template()) == {"code_project": 2, "code_member": 2, "code_branch": 2, "code_file": 1}


def test_stars_and_following(world: World, member: Client) -> None:
    row = world.db.execute(
        "SELECT namespace || '/' || name FROM code_project"
        " WHERE id NOT IN (SELECT project_id FROM code_star WHERE user_id = 1) AND visibility = 'public' ORDER BY id"
    ).fetchone()
    member.send(member.get(f"/{row[0]}").form("/star"))
    assert changed_tables(world, template()) == {"code_star": 1}
    member.send(member.get(f"/{row[0]}").form("/unstar"))
    free = one(world, "SELECT username FROM code_user WHERE id > 1 AND id NOT IN (SELECT followed_id FROM code_follow)")
    member.send(member.get(f"/{free}").form("/follow"))
    assert changed_tables(world, template()) == {"code_follow": 1}
    member.send(member.get(f"/{free}").form("/unfollow"))
    assert changed_tables(world, template()) == {}


def test_a_fork_is_a_copy(world: World, member: Client) -> None:
    project = foreign(world)
    source = one(world, "SELECT id FROM code_project WHERE namespace || '/' || name = ?", project[1:])
    member.send(member.get(f"{project}/-/forks").form("/-/forks"))
    fork = one(world, "SELECT id FROM code_project WHERE forked_from = ? AND namespace = ?", source, ACCOUNT)
    for table, columns in (("file", "path, branch, content"), ("commit", "branch, sha, message"), ("branch", "name")):
        query = (
            f"SELECT {columns} FROM code_{table} WHERE project_id = ? ORDER BY 1, 2"
            if "," in columns
            else (f"SELECT {columns} FROM code_{table} WHERE project_id = ? ORDER BY 1")
        )
        rows = [[tuple(row) for row in world.db.execute(query, (number,))] for number in (source, fork)]
        assert rows[0] == rows[1] != []
    touched = {"code_project", "code_member", "code_file", "code_commit", "code_change", "code_branch"}
    assert set(changed_tables(world, template())) == touched
    assert f"{project[1:].replace('/', ' / ')}</a>" in member.get(f"/byteblaze/{project.rpartition('/')[2]}").html
    assert member.post(f"{project}/-/forks").status == 422


def test_members_are_invited_promoted_and_removed(world: World, member: Client) -> None:
    row = world.db.execute(
        "SELECT id, username FROM code_user WHERE id NOT IN (SELECT user_id FROM code_member WHERE project_id = ?)"
        " ORDER BY id",
        (own_id(world),),
    ).fetchone()
    form = member.get(f"{OWN}/-/project_members").form("/-/project_members")
    member.send(form, username=f"@{row['username']}", role="developer")
    role = "SELECT role FROM code_member WHERE project_id = ? AND user_id = ?"
    assert one(world, role, own_id(world), row["id"]) == "developer"
    member.send(form, username=row["username"], role="maintainer")
    assert one(world, role, own_id(world), row["id"]) == "maintainer"
    assert changed_tables(world, template()) == {"code_member": 1}
    for name, wanted in (("nobody", "guest"), ("", "guest"), (ACCOUNT, "guest"), (row["username"], "owner")):
        assert member.send(form, username=name, role=wanted).status == 422
    member.send(member.get(f"{OWN}/-/project_members").form(f"/{row['id']}/remove"))
    assert changed_tables(world, template()) == {}
    assert member.post(f"{OWN}/-/project_members/1/remove").status == 404  # the owner stays


def test_settings_of_a_project(world: World, member: Client) -> None:
    member.send(member.get(f"{OWN}/edit").form("/edit"), description="Ships & tides", visibility="private")
    row = world.db.execute("SELECT description, visibility FROM code_project WHERE id = ?", (own_id(world),)).fetchone()
    assert tuple(row) == ("Ships & tides", "private")
    assert changed_tables(world, template()) == {"code_project": 2}
    assert Client(world, "code").get(OWN).status == 404


def test_a_file_is_edited_and_added(world: World, member: Client) -> None:
    form = member.get(f"{OWN}/-/edit/main/README.md").form("/README.md")
    page = member.send(form, content="# New\n<b>\n", message="Rewrite")
    assert "# New\n&lt;b&gt;" in page.html
    content = "SELECT content FROM code_file WHERE project_id = ? AND path = ? AND branch = ''"
    assert one(world, content, own_id(world), "README.md") == "# New\n<b>\n"
    assert last(world, "commit", "project_id, branch, author_id, created, message") == (
        own_id(world),
        "main",
        1,
        NOW,
        "Rewrite",
    )
    member.send(member.get(f"{OWN}/-/new/main").form("/-/new/main"), path="docs/a.md", content="a", message="Add")
    assert one(world, content, own_id(world), "docs/a.md") == "a\n"
    assert changed_tables(world, template()) == {"code_file": 3, "code_commit": 2, "code_change": 2}
    for path in ("README.md", "../x", "/x", "a b", ""):
        assert member.post(f"{OWN}/-/new/main", path=path, content="a", message="m").status == 422
    assert member.post(f"{OWN}/-/edit/main/README.md", content="x", message="").status == 422


def test_a_branch_has_files_of_its_own(world: World, member: Client) -> None:
    member.send(member.get(f"{OWN}/-/branches").form("/-/branches"), branch="trial")
    assert changed_tables(world, template()) == {"code_branch": 1}
    member.post(f"{OWN}/-/edit/trial/README.md", content="trial", message="Try")
    assert "<pre>trial\n</pre>" in member.get(f"{OWN}/-/blob/trial/README.md").html
    assert "<pre># harbor-dash" in member.get(f"{OWN}/-/blob/main/README.md").html
    form = member.get(f"{OWN}/-/merge_requests/new").form("/new")
    page = member.send(form, source="trial", target="main", title="Take the trial", body="")
    iid = one(world, "SELECT max(iid) FROM code_merge WHERE project_id = ?", own_id(world))
    member.send(page.form(f"/merge_requests/{iid}/merge"))
    assert "<pre>trial\n</pre>" in member.get(f"{OWN}/-/blob/main/README.md").html
    assert last(world, "commit", "branch, message") == ("main", "Merge branch 'trial' into 'main'")
    member.send(member.get(f"{OWN}/-/branches").form("/trial/delete"))
    assert member.get(f"{OWN}/-/tree/trial").status == 404
    assert member.post(f"{OWN}/-/branches/main/delete").status == 403
    for name in ("main", "a b", ""):
        assert member.post(f"{OWN}/-/branches", **{"branch": name, "from": "main"}).status == 422


def test_an_issue_is_opened_by_a_member_with_everything(world: World, member: Client) -> None:
    project = own_id(world)
    labels = [
        row[0] for row in world.db.execute("SELECT id FROM code_label WHERE project_id = ? ORDER BY id", (project,))
    ]
    milestone = one(world, "SELECT id FROM code_milestone WHERE project_id = ?", project)
    form = member.get(f"{OWN}/-/issues/new").form("/issues/new")
    page = member.send(
        form, title="<b>Bold</b>", body="Why", assignee=1, milestone=milestone, due="2024-07-01", label=labels[0]
    )
    assert "<b>Bold" not in page.html
    columns = "project_id, author_id, assignee_id, milestone_id, title, body, state, due, created, closed"
    assert last(world, "issue", columns) == (
        *(project, 1, 1, milestone, "<b>Bold</b>", "Why", "opened", "2024-07-01", NOW, None),
    )
    assert changed_tables(world, template()) == {"code_issue": 1, "code_issue_label": 1}
    assert last(world, "issue", "iid")[0] == one(world, "SELECT count(*) FROM code_issue WHERE project_id = ?", project)
    other = one(world, "SELECT id FROM code_label WHERE project_id <> ?", project)
    for wrong in ({"title": ""}, {"due": "tomorrow"}, {"assignee": 9999}, {"milestone": "x"}, {"label": other}):
        assert member.send(form, **{"title": "t", **wrong}).status == 422


def test_an_issue_of_a_stranger_has_title_and_text_only(world: World, member: Client) -> None:
    project = foreign(world)
    form = member.get(f"{project}/-/issues/new").form("/issues/new")
    assert {name for name, _ in form.fields} == {"title", "body"}
    member.send(form, title="t", body="b", assignee=1, label=1)
    assert last(world, "issue", "assignee_id, milestone_id, due") == (None, None, "")
    assert changed_tables(world, template()) == {"code_issue": 1}


def test_an_issue_is_edited_closed_reopened_and_discussed(world: World, member: Client) -> None:
    row = world.db.execute(
        "SELECT id, iid FROM code_issue WHERE project_id = ? AND state = 'opened' ORDER BY iid", (own_id(world),)
    ).fetchone()
    url = f"{OWN}/-/issues/{row['iid']}"
    member.send(member.get(url).form("/close"))
    assert one(world, "SELECT closed FROM code_issue WHERE id = ?", row["id"]) == NOW
    assert changed_tables(world, template()) == {"code_issue": 2}
    member.send(member.get(url).form("/reopen"))
    assert changed_tables(world, template()) == {}
    form = member.get(f"{url}/edit").form("/edit")
    member.send(form)
    assert changed_tables(world, template()) == {}  # as it was
    new_label = one(world, "SELECT id FROM code_label WHERE project_id = ? AND name = 'question'", own_id(world))
    member.send(form, title="Other", label=new_label, assignee="")
    row = world.db.execute("SELECT * FROM code_issue WHERE id = ?", (row["id"],)).fetchone()
    assert (row["title"], row["assignee_id"]) == ("Other", None)
    assert [
        r[0] for r in world.db.execute("SELECT label_id FROM code_issue_label WHERE issue_id = ?", (row["id"],))
    ] == [new_label]
    page = member.send(member.get(url).form("/notes"), body="<i>lgtm</i>")
    assert "&lt;i&gt;lgtm" in page.html
    assert last(world, "note", "issue_id, merge_id, author_id, body, created") == (
        row["id"],
        None,
        1,
        "<i>lgtm</i>",
        NOW,
    )
    assert member.post(f"{url}/notes", body="").status == 422


def test_to_do_items_are_added_and_done(world: World, member: Client) -> None:
    iid = one(
        world,
        "SELECT iid FROM code_issue WHERE project_id = ? AND id NOT IN"
        " (SELECT coalesce(issue_id, 0) FROM code_todo) ORDER BY iid",
        own_id(world),
    )
    url = f"{OWN}/-/issues/{iid}"
    member.send(member.get(url).form("/todo"))
    member.post(f"{url}/todo")  # once is enough
    assert changed_tables(world, template()) == {"code_todo": 1}
    number = one(world, "SELECT max(id) FROM code_todo")
    member.send(member.get("/dashboard/todos").form(f"/todos/{number}/done"))
    assert one(world, "SELECT is_done FROM code_todo WHERE id = ?", number) == 1
    member.send(member.get("/dashboard/todos").form("/dashboard/todos/done"))
    assert one(world, "SELECT count(*) FROM code_todo WHERE NOT is_done") == 0
    assert member.post("/dashboard/todos/9999/done").status == 404


def test_a_merge_request_is_approved_merged_and_cannot_be_merged_again(world: World, member: Client) -> None:
    row = world.db.execute(
        "SELECT id, iid, source FROM code_merge WHERE project_id = ? AND state = 'opened' ORDER BY iid",
        (own_id(world),),
    ).fetchone()
    url = f"{OWN}/-/merge_requests/{row['iid']}"
    page = member.send(member.get(url).form("/approve"))
    assert changed_tables(world, template()) == {"code_approval": 1}
    page = member.send(page.form("/unapprove"))
    assert changed_tables(world, template()) == {}
    member.send(page.form("/merge"))
    merged = world.db.execute("SELECT state, ended FROM code_merge WHERE id = ?", (row["id"],)).fetchone()
    assert tuple(merged) == ("merged", NOW)
    assert changed_tables(world, template()) == {"code_merge": 2, "code_commit": 1}
    for word in ("merge", "approve", "close", "reopen"):
        assert member.post(f"{url}/{word}").status == 400


def test_a_merge_request_is_edited_closed_and_reopened(world: World, member: Client) -> None:
    iid = one(world, "SELECT iid FROM code_merge WHERE project_id = ? AND state = 'opened'", own_id(world))
    url = f"{OWN}/-/merge_requests/{iid}"
    other = one(world, "SELECT user_id FROM code_member WHERE project_id = ? AND user_id <> 1", own_id(world))
    form = member.get(f"{url}/edit").form("/edit")
    member.send(form)
    assert changed_tables(world, template()) == {}
    member.send(form, reviewer=other, assignee=1)
    row = world.db.execute(
        "SELECT reviewer_id, assignee_id FROM code_merge WHERE project_id = ? AND iid = ?", (own_id(world), iid)
    ).fetchone()
    assert tuple(row) == (other, 1)
    page = member.send(member.get(url).form("/close"))
    member.send(page.form("/reopen"))
    member.post(f"{url}/notes", body="Thanks")
    assert set(changed_tables(world, template())) == {"code_merge", "code_note"}
    assert member.send(form, reviewer=9999).status == 422
    twice = {"source": one(world, "SELECT source FROM code_merge WHERE project_id = ? AND iid = ?", own_id(world), iid)}
    assert (
        member.post(f"{OWN}/-/merge_requests/new", title="t", target="main", assignee="", reviewer="", **twice).status
        == 422
    )


def test_labels_and_milestones(world: World, member: Client) -> None:
    form = member.get(f"{OWN}/-/labels").form("/-/labels")
    member.send(form, name="urgent", description="Now")
    assert last(world, "label", "project_id, name, description") == (own_id(world), "urgent", "Now")
    assert member.send(form, name="urgent").status == 422
    form = member.get(f"{OWN}/-/milestones").form("/-/milestones")
    page = member.send(form, title="9.9", description="d", start="2024-07-01", due="2024-08-01")
    expected = (own_id(world), "9.9", "d", "2024-07-01", "2024-08-01", "active")
    assert last(world, "milestone", "project_id, title, description, start, due, state") == expected
    assert member.send(form, title="9.9").status == 422
    assert member.send(form, title="8", due="soon").status == 422
    number = one(world, "SELECT max(id) FROM code_milestone")
    member.send(page.form(f"/milestones/{number}/close"))
    assert one(world, "SELECT state FROM code_milestone WHERE id = ?", number) == "closed"
    assert changed_tables(world, template()) == {"code_label": 1, "code_milestone": 1}
    assert member.post(f"{OWN}/-/milestones/{number}/open").status == 404


def test_profile_and_status(world: World, member: Client) -> None:
    member.send(member.get("/-/profile/status").form("/status"), status="Out <for> lunch")
    assert "Out &lt;for&gt; lunch" in member.get("/byteblaze").html
    form = member.get("/-/profile").form("/-/profile")
    member.send(form, bio="Hi", location="Ashcombe", organization="")
    row = world.db.execute("SELECT status, bio, location, organization, name FROM code_user WHERE id = 1").fetchone()
    assert tuple(row) == ("Out <for> lunch", "Hi", "Ashcombe", "", "Byte Blaze")
    assert changed_tables(world, template()) == {"code_user": 2}
    taken = one(world, "SELECT email FROM code_user WHERE id = 2")
    assert member.send(form, email=taken).status == 422
    assert member.send(form, name="").status == 422
