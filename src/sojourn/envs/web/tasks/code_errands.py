"""What is to be changed on the code host."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from sojourn.envs.web.checks.states import Added, Updated
from sojourn.envs.web.sites.hosts import NOW
from sojourn.envs.web.tasks.code import MINE, PATH, numbered, open_issue, open_project, tab
from sojourn.envs.web.tasks.phrases import table
from sojourn.envs.web.tasks.script import stop
from sojourn.envs.web.tasks.template import Category, Goal, Kind, Outline, Template, Values, changed
from sojourn.envs.web.view import View

errand = partial(
    Outline, kind=Kind.MUTATION, category=Category.GITLAB, sites=("code",), accounts=("code",), texts=("{project}",)
)
_ROLE = f"(SELECT m.role FROM code_member m WHERE m.project_id = p.id AND m.user_id = {MINE})"
NEXT = "(SELECT coalesce(max(iid), 0) + 1 FROM code_issue i WHERE i.project_id = p.id) AS iid"
"""Column of a project `p`: the number that its next issue gets."""


def issue(v: Values, title: str, body: str) -> Added:
    """An open issue that the user of the code host wrote in a project (``project_id``, ``iid``)."""
    return Added(
        table="code_issue",
        values={
            "project_id": v["project_id"],
            "iid": v["iid"],
            "author_id": 1,
            "assignee_id": None,
            "milestone_id": None,
            "title": title,
            "body": body,
            "state": "opened",
            "due": "",
            "created": NOW,
            "closed": None,
        },
    )


def write_issue(view: View, path: str, title: str, body: str) -> Iterator[str]:
    """Open the form for a new issue of a project and fill it; what follows sends it."""
    yield from open_project(view, path)
    yield tab(view, "Issues")
    yield view.click("link", "New issue")
    yield view.type("textbox", "Title", title)
    yield view.type("textbox", "Description", body)


_TOPICS = table(
    ("Release notes are missing", "I could not find any for the last version."),
    ("Support for dark mode", "It would be easier on the eyes."),
    ("Crash at the start", "It stops with an error right away."),
    ("Add a quick start guide", "Ten lines would be enough."),
    ("Update the screenshots", "They show an old version."),
    columns=("title", "body"),
)


@errand(
    name="code-new-issue",
    intents=(
        'Open an issue in {path}: title "{title}", description "{body}"',
        'Report "{title}" as an issue of {path}, with the description "{body}"',
    ),
    sql=f"""SELECT p.id || '-' || t.n AS key, p.id AS project_id, {PATH}, {NEXT}, t.title, t.body FROM code_project p
        JOIN {_TOPICS} t""",
    goal=lambda v: changed(issue(v, v["title"], v["body"])),
)
def new_issue(view: View, v: Values) -> Iterator[str]:
    """Fill the form."""
    yield from write_issue(view, v["path"], v["title"], v["body"])
    yield view.click("button", "Create issue")
    yield stop()


@errand(
    name="code-labeled-issue",
    is_held_out=True,
    intents=('Open an issue "{title}" in {path} with the description "{body}" and label it as {label}.',),
    sql=f"""SELECT p.id || '-' || t.n AS key, p.id AS project_id, {PATH}, {NEXT}, t.title, t.body, l.name AS label,
        l.id AS label_id FROM code_project p JOIN {_TOPICS} t
        JOIN (SELECT *, row_number() OVER (PARTITION BY project_id ORDER BY id) - 1 AS n FROM code_label) l
        ON l.project_id = p.id AND l.n = (p.id + t.n) % 6 WHERE {_ROLE} <> 'guest'""",
    goal=lambda v: changed(
        issue(v, v["title"], v["body"]),
        Added(table="code_issue_label", values={"issue_id": lambda number: number > 0, "label_id": v["label_id"]}),
    ),
)
def labeled_issue(view: View, v: Values) -> Iterator[str]:
    """Fill the form and tick the label."""
    yield from write_issue(view, v["path"], v["title"], v["body"])
    yield view.click("checkbox", f"Label {v['label']}")
    yield view.click("button", "Create issue")
    yield stop()


@errand(
    name="code-close-issue",
    intents=('Close the issue "{title}" of {path}.', 'The issue "{title}" in {path} is done: close it.'),
    sql=f"""SELECT i.id AS key, i.id, i.title, {PATH} FROM code_issue i JOIN code_project p ON p.id = i.project_id
        WHERE i.state = 'opened' AND ({_ROLE} <> 'guest' OR i.author_id = {MINE})""",
    goal=lambda v: changed(
        Updated(table="code_issue", where={"id": v["id"]}, values={"state": "closed", "closed": NOW})
    ),
)
def close_issue(view: View, v: Values) -> Iterator[str]:
    """Open it, click."""
    yield from open_issue(view, v["path"], v["title"])
    yield view.click("button", "Close issue")
    yield stop()


_NOTES = table(
    "I can have a look next week.",
    "Is this still wanted?",
    "Please try the latest version.",
    "See also the discussion in the forum.",
)


@errand(
    name="code-comment",
    texts=(),
    start="/{path}/-/issues/{iid}",
    intents=('Comment on this issue: "{text}"', 'Leave the comment "{text}" on the issue shown.'),
    sql=f"""SELECT i.id AS key, i.id, i.iid, {PATH}, n.text FROM code_issue i JOIN code_project p
        ON p.id = i.project_id JOIN {_NOTES} n ON n.n = i.id % 4""",
    goal=lambda v: changed(
        Added(
            table="code_note",
            values={"issue_id": v["id"], "merge_id": None, "author_id": 1, "body": v["text"], "created": NOW},
        )
    ),
)
def comment(view: View, v: Values) -> Iterator[str]:
    """Fill the form below the notes."""
    yield view.type("textbox", "Write a comment", v["text"])
    yield view.click("button", "Comment")
    yield stop()


@errand(
    name="code-assign",
    intents=('Assign the issue "{title}" of {path} to {person}.', 'Make {person} the assignee of "{title}" in {path}.'),
    sql=f"""SELECT i.id || '-' || u.id AS key, i.id, i.title, {PATH}, u.name AS person, u.id AS user_id
        FROM code_issue i JOIN code_project p ON p.id = i.project_id JOIN code_member k ON k.project_id = p.id
        JOIN code_user u ON u.id = k.user_id WHERE i.state = 'opened' AND {_ROLE} NOT IN ('guest')
        AND i.assignee_id IS NOT u.id""",
    goal=lambda v: changed(Updated(table="code_issue", where={"id": v["id"]}, values={"assignee_id": v["user_id"]})),
)
def assign(view: View, v: Values) -> Iterator[str]:
    """Choose the assignee in the issue's form."""
    yield from open_issue(view, v["path"], v["title"])
    yield view.click("link", "Edit issue")
    choice = view.find("combobox", "Assignee")
    option = next(line.name for _, line in view.tree.inside(choice) if v["person"] in line.name)
    yield view.select("Assignee", option)
    yield view.click("button", "Save changes")
    yield stop()


@errand(
    name="code-star",
    texts=(),
    start="/{path}",
    intents=("Star this project, {path}.", "Give {path} a star."),
    sql=f"""SELECT p.id AS key, p.id, {PATH} FROM code_project p
        WHERE p.id NOT IN (SELECT project_id FROM code_star WHERE user_id = {MINE})""",
    goal=lambda v: changed(Added(table="code_star", values={"project_id": v["id"], "user_id": 1})),
)
def star(view: View, v: Values) -> Iterator[str]:
    """One click."""
    yield view.click("button", "Star")
    yield stop()


@errand(
    name="code-follow",
    texts=(),
    start="/{username}",
    intents=("Follow {person}.", "I want to follow {person}, whose page this is."),
    sql=f"""SELECT id AS key, id, username, name AS person FROM code_user WHERE id <> {MINE}
        AND id NOT IN (SELECT followed_id FROM code_follow WHERE user_id = {MINE})""",
    goal=lambda v: changed(Added(table="code_follow", values={"user_id": 1, "followed_id": v["id"]})),
)
def follow(view: View, v: Values) -> Iterator[str]:
    """One click."""
    yield view.click("button", "Follow")
    yield stop()


@errand(
    name="code-status",
    texts=(),
    intents=('Set my status to "{text}"', 'Change my status: it should be "{text}" now.'),
    sql=f"""SELECT a.n || '-' || b.n AS key, a.text || ' ' || b.text AS text
        FROM {table("Out of office", "Reviewing", "On the train", "In a workshop", "Testing")} a
        JOIN {table("until Monday", "all day", "this week", "until noon")} b""",
    goal=lambda v: changed(Updated(table="code_user", where={"id": 1}, values={"status": v["text"]})),
)
def status(view: View, v: Values) -> Iterator[str]:
    """Fill the form."""
    yield view.click("link", "Set status")
    yield view.type("textbox", "What is your status?", v["text"])
    yield view.click("button", "Set status")
    yield stop()


@errand(
    name="code-new-branch",
    intents=('Create a branch "{branch}" from main in {path}.', 'In {path}, start a branch "{branch}" at main.'),
    sql=f"""SELECT p.id || '-' || n.n AS key, p.id, {PATH}, n.text AS branch FROM code_project p
        JOIN {table("fix-typos", "next-release", "try-cache", "docs-update")} n
        WHERE {_ROLE} IN ('developer', 'maintainer', 'owner')""",
    goal=lambda v: changed(
        Added(table="code_branch", values={"project_id": v["id"], "name": v["branch"], "is_default": 0})
    ),
)
def new_branch(view: View, v: Values) -> Iterator[str]:
    """Fill the form below the branches."""
    yield from open_project(view, v["path"])
    yield tab(view, "Branches")
    yield view.type("textbox", "Branch name", v["branch"])
    yield view.select("Create from", "main")
    yield view.click("button", "Create branch")
    yield stop()


@errand(
    name="code-new-milestone",
    intents=(
        'Create the milestone "{title}" in {path}: description "{about}", due on "{due}". It has no start date.',
        'Plan the milestone "{title}" for {path}, due "{due}" and described as "{about}"; leave the start empty.',
    ),
    sql=f"""SELECT p.id || '-' || n.n AS key, p.id, {PATH}, n.text AS title, 'Work for ' || n.text AS about,
        '2024-' || printf('%02d', 7 + (p.id + n.n) % 6) || '-15' AS due FROM code_project p
        JOIN {table("Spring clean", "Beta", "Freeze", "Long-term")} n WHERE {_ROLE} <> 'guest'""",
    goal=lambda v: changed(
        Added(
            table="code_milestone",
            values={
                "project_id": v["id"],
                "title": v["title"],
                "description": v["about"],
                "start": "",
                "due": v["due"],
                "state": "active",
            },
        )
    ),
)
def new_milestone(view: View, v: Values) -> Iterator[str]:
    """Fill the form below the milestones."""
    yield from open_project(view, v["path"])
    yield tab(view, "Milestones")
    yield view.type("textbox", "Title", v["title"])
    yield view.type("textbox", "Description", v["about"])
    yield view.type("textbox", "Due date", v["due"])
    yield view.click("button", "Create milestone")
    yield stop()


@errand(
    name="code-invite",
    intents=('Make "{username}" a {role} of {path}.', 'Invite "{username}" to {path} with the role {role}.'),
    sql=f"""SELECT p.id || '-' || u.id AS key, p.id, {PATH}, u.username, u.id AS user_id, r.text AS role
        FROM code_project p JOIN code_user u JOIN {table("guest", "reporter", "developer", "maintainer")} r
        ON r.n = (p.id + u.id) % 4 WHERE {_ROLE} IN ('maintainer', 'owner') AND (p.id + u.id) % 3 = 0
        AND NOT EXISTS (SELECT 1 FROM code_member m WHERE m.project_id = p.id AND m.user_id = u.id)""",
    goal=lambda v: changed(
        Added(
            table="code_member",
            values={"project_id": v["id"], "user_id": v["user_id"], "role": v["role"], "since": NOW},
        )
    ),
)
def invite(view: View, v: Values) -> Iterator[str]:
    """Fill the form below the members."""
    yield from open_project(view, v["path"])
    yield tab(view, "Members")
    yield view.type("textbox", "Username", v["username"])
    yield view.select("Role", v["role"].capitalize())
    yield view.click("button", "Invite")
    yield stop()


def _approved(v: Values) -> Goal:
    return changed(Added(table="code_approval", values={"merge_id": v["id"], "user_id": 1}))


@errand(
    name="code-approve",
    intents=(
        'Approve the merge request "{title}" of {path}, but do not merge it.',
        'The merge request "{title}" in {path} is fine: approve it.',
    ),
    sql=f"""SELECT r.id AS key, r.id, r.title, {PATH} FROM code_merge r JOIN code_project p ON p.id = r.project_id
        WHERE r.state = 'opened' AND {_ROLE} IN ('developer', 'maintainer', 'owner')
        AND (SELECT count(*) FROM code_merge o WHERE o.project_id = p.id AND o.title = r.title) = 1
        AND NOT EXISTS (SELECT 1 FROM code_approval a WHERE a.merge_id = r.id AND a.user_id = {MINE})""",
    goal=_approved,
)
def approve(view: View, v: Values) -> Iterator[str]:
    """Open it, click."""
    yield from open_project(view, v["path"])
    yield tab(view, "Merge requests")
    yield numbered(view, "!", v["title"])
    yield view.click("button", "Approve")
    yield stop()


@errand(
    name="code-todo-done",
    texts=(),
    intents=('Mark the to-do item about "{title}" as done.', 'I have dealt with "{title}": tick it off my to-do list.'),
    sql=f"""SELECT t.id AS key, t.id, '#' || i.iid || ' ' || i.title AS target, i.title FROM code_todo t
        JOIN code_issue i ON i.id = t.issue_id WHERE t.user_id = {MINE} AND NOT t.is_done
        GROUP BY i.title HAVING count(*) = 1""",
    goal=lambda v: changed(Updated(table="code_todo", where={"id": v["id"]}, values={"is_done": 1})),
)
def todo_done(view: View, v: Values) -> Iterator[str]:
    """Click in its row of the list."""
    name = next(line.name for line in view.tree.lines if line.name.startswith("To-do list"))
    yield view.click("link", name)
    yield view.click("button", "Mark as done", within=view.row(v["target"]))
    yield stop()


TEMPLATES: tuple[Template, ...] = (
    new_issue,
    star,
    comment,
    close_issue,
    status,
    assign,
    new_branch,
    follow,
    new_milestone,
    invite,
    approve,
    todo_done,
    labeled_issue,
)
