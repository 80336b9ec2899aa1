"""Issues: lists, one issue with its notes, new ones, editing, labels and milestones."""

from __future__ import annotations

import sqlite3
from typing import Any

from sojourn.envs.web.sites.code.queries import (
    DAY,
    VISIBLE,
    labels_of,
    members_of,
    milestones_of,
    next_iid,
    notes_of,
    path_of,
    project_of,
)
from sojourn.envs.web.sites.code.rights import is_at_least
from sojourn.envs.web.sites.framework import Context, Entry, Forbidden, NotFound, Reply, Routes
from sojourn.envs.web.sites.lists import Filter, like, me_of, page_of

routes = Routes()
PER_PAGE = 20
STATES = ("opened", "closed", "all")
SORTS = {
    "created": ("Created date", "i.created DESC, i.id DESC"),
    "oldest": ("Oldest first", "i.created, i.id"),
    "title": ("Title", "i.title, i.id"),
    "due": ("Due date", "i.due = '', i.due, i.id"),
    "notes": ("Most comments", "num_notes DESC, i.id"),
}
_COLUMNS = """
    i.id, i.iid, i.title, i.state, i.created, i.due, p.namespace, p.name AS project, u.username, u.name AS author,
    a.username AS assignee, a.name AS assignee_name, s.title AS milestone,
    (SELECT count(*) FROM code_note n WHERE n.issue_id = i.id) AS num_notes,
    (SELECT group_concat(l.name, ', ') FROM code_issue_label x JOIN code_label l ON l.id = x.label_id
     WHERE x.issue_id = i.id) AS labels
"""
_SOURCE = """
    FROM code_issue i JOIN code_project p ON p.id = i.project_id JOIN code_user u ON u.id = i.author_id
    LEFT JOIN code_user a ON a.id = i.assignee_id LEFT JOIN code_milestone s ON s.id = i.milestone_id
"""


def listing(ctx: Context, template: str, wanted: Filter, **values: Any) -> Reply:
    """A sorted page of the issues that a filter and the query admit."""
    state = ctx.query.choice("state", STATES, "opened")
    if state != "all":
        wanted.add("i.state = :state", state=state)
    if words := ctx.query.get("search")[:200]:
        wanted.add("(i.title LIKE :words ESCAPE '\\' OR i.body LIKE :words ESCAPE '\\')", words=like(words))
    if label := ctx.query.get("label"):
        wanted.add(
            "EXISTS (SELECT 1 FROM code_issue_label x JOIN code_label l ON l.id = x.label_id"
            " WHERE x.issue_id = i.id AND l.name = :label)",
            label=label,
        )
    if author := ctx.query.get("author"):
        wanted.add("u.username = :author", author=author)
    if assignee := ctx.query.get("assignee"):
        wanted.add("i.assignee_id IS NULL" if assignee == "none" else "a.username = :assignee", assignee=assignee)
    if milestone := ctx.query.get("milestone"):
        wanted.add("s.title = :milestone", milestone=milestone)
    total = ctx.db.execute(f"SELECT count(*) {_SOURCE} {wanted.where}", wanted.values).fetchone()[0]
    paging = page_of(ctx, total, PER_PAGE)
    sort = ctx.query.choice("sort", tuple(SORTS), "created")
    issues = ctx.db.execute(
        f"SELECT {_COLUMNS} {_SOURCE} {wanted.where} ORDER BY {SORTS[sort][1]} LIMIT {PER_PAGE} OFFSET {paging.offset}",
        wanted.values,
    ).fetchall()
    sorts = [(key, text) for key, (text, _) in SORTS.items()]
    return ctx.render(template, issues=issues, paging=paging, state=state, sort=sort, sorts=sorts, **values)


@routes.get("/dashboard/issues")
def dashboard(ctx: Context) -> Reply:
    """Issues over all projects: those assigned to the user, or those that the user wrote."""
    user = ctx.require_user()
    wanted = Filter()
    wanted.add(VISIBLE, me=me_of(ctx))
    scope = ctx.query.choice("scope", ("assigned", "created"), "assigned")
    wanted.add("i.assignee_id = :me" if scope == "assigned" else "i.author_id = :me", me=user["id"])
    return listing(ctx, "dashboard_issues.html", wanted, scope=scope)


@routes.get("/<namespace>/<name>/-/issues")
def issues(ctx: Context, namespace: str, name: str) -> Reply:
    """The issues of a project."""
    project = project_of(ctx, namespace, name)
    wanted = Filter()
    wanted.add("i.project_id = :project", project=project["id"])
    return listing(ctx, "issues.html", wanted, project=project, **_choices(ctx.db, project["id"]))


def _choices(db: sqlite3.Connection, project_id: int) -> dict[str, list[sqlite3.Row]]:
    return {
        "labels": labels_of(db, project_id),
        "milestones": milestones_of(db, project_id),
        "members": members_of(db, project_id),
    }


def _issue(ctx: Context, project: sqlite3.Row, iid: int) -> sqlite3.Row:
    row: sqlite3.Row | None = ctx.db.execute(
        f"SELECT {_COLUMNS}, i.body, i.closed, i.author_id, i.assignee_id, i.milestone_id, i.project_id {_SOURCE}"
        " WHERE i.project_id = ? AND i.iid = ?",
        (project["id"], iid),
    ).fetchone()
    if row is None:
        raise NotFound("There is no such issue.")
    return row


@routes.get("/<namespace>/<name>/-/issues/new")
def new_form(ctx: Context, namespace: str, name: str) -> Reply:
    """The form for a new issue."""
    ctx.require_user()
    project = project_of(ctx, namespace, name)
    return _form_page(ctx, project, None, Entry(ctx.form))


def _form_page(ctx: Context, project: sqlite3.Row, issue: sqlite3.Row | None, entry: Entry) -> Reply:
    """The form for a new issue, or for changing one."""
    if entry.errors:
        values = entry.values
        chosen = {int(value) for value in ctx.form.all("label") if value.isascii() and value.isdigit()}
    elif issue is not None:
        values = {
            "title": issue["title"],
            "body": issue["body"],
            "due": issue["due"],
            "assignee": issue["assignee_id"] or "",
            "milestone": issue["milestone_id"] or "",
        }
        rows = ctx.db.execute("SELECT label_id FROM code_issue_label WHERE issue_id = ?", (issue["id"],))
        chosen = {row["label_id"] for row in rows}
    else:
        values, chosen = {"title": ctx.query.get("title")[:200]}, set()
    return ctx.render(
        "issue_form.html",
        status=422 if entry.errors else 200,
        project=project,
        issue=issue,
        entry=entry,
        values=values,
        chosen=chosen,
        **_choices(ctx.db, project["id"]),
    )


def _read(ctx: Context, project: sqlite3.Row, entry: Entry) -> tuple[dict[str, Any], list[int]]:
    """Columns and labels from the form; guests may set title and description only."""
    columns: dict[str, Any] = {
        "title": entry.text("title", "Title", max_length=200),
        "body": entry.text("body", "Description", max_length=5000, required=False),
    }
    if not is_at_least(project["role"], "reporter"):
        return columns, []
    choices = _choices(ctx.db, project["id"])
    for name, label, options in (("assignee", "an assignee", "members"), ("milestone", "a milestone", "milestones")):
        value = entry.choice(name, label, ["", *(str(row["id"]) for row in choices[options])])
        columns[f"{name}_id"] = int(value) if value else None
    columns["due"] = entry.text("due", "Due date", max_length=10, required=False)
    if columns["due"] and not DAY.fullmatch(columns["due"]):
        entry.refuse("due", "Due date must be a day such as 2024-07-01.")
    known = {str(row["id"]) for row in choices["labels"]}
    if not set(ctx.form.all("label")) <= known:
        entry.refuse("label", "Please choose labels of this project.")
        return columns, []
    return columns, sorted({int(value) for value in ctx.form.all("label")})


@routes.post("/<namespace>/<name>/-/issues/new")
def new(ctx: Context, namespace: str, name: str) -> Reply:
    """A new issue."""
    user, project = ctx.require_user(), project_of(ctx, namespace, name)
    entry = Entry(ctx.form)
    columns, labels = _read(ctx, project, entry)
    if entry.errors:
        return _form_page(ctx, project, None, entry)
    iid = next_iid(ctx.db, "code_issue", project["id"])
    cursor = ctx.db.execute(
        "INSERT INTO code_issue (project_id, iid, author_id, assignee_id, milestone_id, title, body, state, due,"
        " created) VALUES (?, ?, ?, ?, ?, ?, ?, 'opened', ?, ?)",
        (
            *(project["id"], iid, user["id"], columns.get("assignee_id"), columns.get("milestone_id")),
            *(columns["title"], columns["body"], columns.get("due", ""), ctx.now),
        ),
    )
    rows = [(cursor.lastrowid, label) for label in labels]
    ctx.db.executemany("INSERT INTO code_issue_label VALUES (?, ?)", rows)
    return ctx.redirect(f"{path_of(project)}/-/issues/{iid}")


@routes.get("/<namespace>/<name>/-/issues/<int:iid>")
def issue(ctx: Context, namespace: str, name: str, iid: int) -> Reply:
    """An issue with its notes."""
    project = project_of(ctx, namespace, name)
    return _issue_page(ctx, project, _issue(ctx, project, iid), Entry(ctx.form))


def _issue_page(ctx: Context, project: sqlite3.Row, row: sqlite3.Row, entry: Entry) -> Reply:
    notes = notes_of(ctx.db, "issue_id", row["id"])
    may_edit = _may_edit(ctx, project, row)
    status = 422 if entry.errors else 200
    return ctx.render(
        "issue.html", status=status, project=project, issue=row, notes=notes, entry=entry, may_edit=may_edit
    )


def _may_edit(ctx: Context, project: sqlite3.Row, row: sqlite3.Row) -> bool:
    return is_at_least(project["role"], "reporter") or (ctx.user is not None and ctx.user["id"] == row["author_id"])


def _editable(ctx: Context, namespace: str, name: str, iid: int) -> tuple[sqlite3.Row, sqlite3.Row]:
    """Project and issue for who may change the issue; others get `Forbidden`."""
    ctx.require_user()
    project = project_of(ctx, namespace, name)
    row = _issue(ctx, project, iid)
    if not _may_edit(ctx, project, row):
        raise Forbidden("Only the author and members of the project may change this issue.")
    return project, row


@routes.get("/<namespace>/<name>/-/issues/<int:iid>/edit")
def edit_form(ctx: Context, namespace: str, name: str, iid: int) -> Reply:
    """The form to change an issue."""
    project, row = _editable(ctx, namespace, name, iid)
    return _form_page(ctx, project, row, Entry(ctx.form))


@routes.post("/<namespace>/<name>/-/issues/<int:iid>/edit")
def edit(ctx: Context, namespace: str, name: str, iid: int) -> Reply:
    """Change title, description, assignee, milestone, due date and labels."""
    project, row = _editable(ctx, namespace, name, iid)
    entry = Entry(ctx.form)
    columns, labels = _read(ctx, project, entry)
    if entry.errors:
        return _form_page(ctx, project, row, entry)
    assignments = ", ".join(f"{column} = :{column}" for column in columns)
    ctx.db.execute(f"UPDATE code_issue SET {assignments} WHERE id = :id", {**columns, "id": row["id"]})
    if is_at_least(project["role"], "reporter"):
        ctx.db.execute("DELETE FROM code_issue_label WHERE issue_id = ?", (row["id"],))
        ctx.db.executemany("INSERT INTO code_issue_label VALUES (?, ?)", [(row["id"], label) for label in labels])
    return ctx.redirect(f"{path_of(project)}/-/issues/{iid}", "The issue was saved.")


@routes.post("/<namespace>/<name>/-/issues/<int:iid>/notes")
def note(ctx: Context, namespace: str, name: str, iid: int) -> Reply:
    """A comment."""
    user, project = ctx.require_user(), project_of(ctx, namespace, name)
    row = _issue(ctx, project, iid)
    entry = Entry(ctx.form)
    body = entry.text("body", "Comment", max_length=5000)
    if entry.errors:
        return _issue_page(ctx, project, row, entry)
    values = (row["id"], user["id"], body, ctx.now)
    ctx.db.execute("INSERT INTO code_note (issue_id, author_id, body, created) VALUES (?, ?, ?, ?)", values)
    return ctx.redirect(f"{path_of(project)}/-/issues/{iid}")


@routes.post("/<namespace>/<name>/-/issues/<int:iid>/close")
def close(ctx: Context, namespace: str, name: str, iid: int) -> Reply:
    """Close an open issue."""
    project, row = _editable(ctx, namespace, name, iid)
    ctx.db.execute(
        "UPDATE code_issue SET state = 'closed', closed = ? WHERE id = ? AND state = 'opened'", (ctx.now, row["id"])
    )
    return ctx.redirect(f"{path_of(project)}/-/issues/{iid}", "The issue was closed.")


@routes.post("/<namespace>/<name>/-/issues/<int:iid>/reopen")
def reopen(ctx: Context, namespace: str, name: str, iid: int) -> Reply:
    """Open a closed issue again."""
    project, row = _editable(ctx, namespace, name, iid)
    ctx.db.execute("UPDATE code_issue SET state = 'opened', closed = NULL WHERE id = ?", (row["id"],))
    return ctx.redirect(f"{path_of(project)}/-/issues/{iid}", "The issue was reopened.")


@routes.post("/<namespace>/<name>/-/issues/<int:iid>/todo")
def todo(ctx: Context, namespace: str, name: str, iid: int) -> Reply:
    """Put the issue on the user's to-do list, unless it is there."""
    user, project = ctx.require_user(), project_of(ctx, namespace, name)
    row = _issue(ctx, project, iid)
    ctx.db.execute(
        "INSERT INTO code_todo (user_id, author_id, action, issue_id, created, is_done)"
        " SELECT ?1, ?1, 'marked', ?2, ?3, 0 WHERE NOT EXISTS"
        " (SELECT 1 FROM code_todo WHERE user_id = ?1 AND issue_id = ?2 AND NOT is_done)",
        (user["id"], row["id"], ctx.now),
    )
    return ctx.redirect(f"{path_of(project)}/-/issues/{iid}", "The issue is on your to-do list.")
