"""Merge requests: lists, one with its notes, new ones, approving, merging, closing, editing."""

from __future__ import annotations

import sqlite3
from typing import Any

from sojourn.envs.web.sites.code.queries import (
    VISIBLE,
    branches_of,
    members_of,
    next_iid,
    notes_of,
    path_of,
    project_of,
)
from sojourn.envs.web.sites.code.repository import commit
from sojourn.envs.web.sites.code.rights import is_at_least, require
from sojourn.envs.web.sites.framework import BadRequest, Context, Entry, Forbidden, NotFound, Reply, Routes
from sojourn.envs.web.sites.lists import Filter, like, me_of, page_of

routes = Routes()
PER_PAGE = 20
STATES = ("opened", "merged", "closed", "all")
SORTS = {
    "created": ("Created date", "r.created DESC, r.id DESC"),
    "oldest": ("Oldest first", "r.created, r.id"),
    "title": ("Title", "r.title, r.id"),
}
_COLUMNS = """
    r.id, r.iid, r.title, r.state, r.created, r.source, r.target, p.namespace, p.name AS project, u.username,
    u.name AS author, a.username AS assignee, a.name AS assignee_name, w.username AS reviewer, w.name AS reviewer_name,
    (SELECT count(*) FROM code_note n WHERE n.merge_id = r.id) AS num_notes,
    (SELECT count(*) FROM code_approval y WHERE y.merge_id = r.id) AS num_approvals
"""
_SOURCE = """
    FROM code_merge r JOIN code_project p ON p.id = r.project_id JOIN code_user u ON u.id = r.author_id
    LEFT JOIN code_user a ON a.id = r.assignee_id LEFT JOIN code_user w ON w.id = r.reviewer_id
"""


def listing(ctx: Context, template: str, wanted: Filter, **values: Any) -> Reply:
    """A sorted page of the merge requests that a filter and the query admit."""
    state = ctx.query.choice("state", STATES, "opened")
    if state != "all":
        wanted.add("r.state = :state", state=state)
    if words := ctx.query.get("search")[:200]:
        wanted.add("(r.title LIKE :words ESCAPE '\\' OR r.body LIKE :words ESCAPE '\\')", words=like(words))
    for name, column in (("author", "u"), ("assignee", "a"), ("reviewer", "w")):
        if value := ctx.query.get(name):
            wanted.add(f"{column}.username = :{name}", **{name: value})
    total = ctx.db.execute(f"SELECT count(*) {_SOURCE} {wanted.where}", wanted.values).fetchone()[0]
    paging = page_of(ctx, total, PER_PAGE)
    sort = ctx.query.choice("sort", tuple(SORTS), "created")
    merges = ctx.db.execute(
        f"SELECT {_COLUMNS} {_SOURCE} {wanted.where} ORDER BY {SORTS[sort][1]} LIMIT {PER_PAGE} OFFSET {paging.offset}",
        wanted.values,
    ).fetchall()
    sorts = [(key, text) for key, (text, _) in SORTS.items()]
    return ctx.render(template, merges=merges, paging=paging, state=state, sort=sort, sorts=sorts, **values)


@routes.get("/dashboard/merge_requests")
def dashboard(ctx: Context) -> Reply:
    """Merge requests over all projects: assigned to the user, to be reviewed by, or written by the user."""
    user = ctx.require_user()
    columns = {"assigned": "r.assignee_id", "reviews": "r.reviewer_id", "created": "r.author_id"}
    scope = ctx.query.choice("scope", tuple(columns), "assigned")
    wanted = Filter()
    wanted.add(VISIBLE, me=me_of(ctx))
    wanted.add(f"{columns[scope]} = :me", me=user["id"])
    return listing(ctx, "dashboard_merges.html", wanted, scope=scope)


@routes.get("/<namespace>/<name>/-/merge_requests")
def merges(ctx: Context, namespace: str, name: str) -> Reply:
    """The merge requests of a project."""
    project = project_of(ctx, namespace, name)
    wanted = Filter()
    wanted.add("r.project_id = :project", project=project["id"])
    return listing(ctx, "merges.html", wanted, project=project, members=members_of(ctx.db, project["id"]))


def _merge(ctx: Context, project: sqlite3.Row, iid: int) -> sqlite3.Row:
    row: sqlite3.Row | None = ctx.db.execute(
        f"SELECT {_COLUMNS}, r.body, r.ended, r.author_id, r.assignee_id, r.reviewer_id {_SOURCE}"
        " WHERE r.project_id = ? AND r.iid = ?",
        (project["id"], iid),
    ).fetchone()
    if row is None:
        raise NotFound("There is no such merge request.")
    return row


@routes.get("/<namespace>/<name>/-/merge_requests/new")
def new_form(ctx: Context, namespace: str, name: str) -> Reply:
    """The form for a new merge request."""
    ctx.require_user()
    project = project_of(ctx, namespace, name)
    require(project["role"], "developer")
    return _form_page(ctx, project, None, Entry(ctx.form))


def _form_page(ctx: Context, project: sqlite3.Row, row: sqlite3.Row | None, entry: Entry) -> Reply:
    """The form for a new merge request, or for changing one."""
    values: dict[str, Any] = {"target": project["branch"]}
    if entry.errors:
        values = entry.values
    elif row is not None:
        values = {"title": row["title"], "body": row["body"]}
        values |= {"assignee": row["assignee_id"] or "", "reviewer": row["reviewer_id"] or ""}
    return ctx.render(
        "merge_form.html",
        status=422 if entry.errors else 200,
        project=project,
        merge=row,
        entry=entry,
        values=values,
        members=members_of(ctx.db, project["id"]),
        branches=[branch["name"] for branch in branches_of(ctx.db, project["id"])],
    )


def _read(ctx: Context, project: sqlite3.Row, entry: Entry) -> dict[str, Any]:
    """Columns from the form that new and changed merge requests share."""
    columns: dict[str, Any] = {
        "title": entry.text("title", "Title", max_length=200),
        "body": entry.text("body", "Description", max_length=5000, required=False),
    }
    known = ["", *(str(member["id"]) for member in members_of(ctx.db, project["id"]))]
    for name, label in (("assignee", "an assignee"), ("reviewer", "a reviewer")):
        value = entry.choice(name, label, known)
        columns[f"{name}_id"] = int(value) if value else None
    return columns


@routes.post("/<namespace>/<name>/-/merge_requests/new")
def new(ctx: Context, namespace: str, name: str) -> Reply:
    """A new merge request from one branch into another."""
    user, project = ctx.require_user(), project_of(ctx, namespace, name)
    require(project["role"], "developer")
    entry = Entry(ctx.form)
    columns = _read(ctx, project, entry)
    known = [branch["name"] for branch in branches_of(ctx.db, project["id"])]
    source = entry.choice("source", "a source branch", known)
    target = entry.choice("target", "a target branch", known)
    if source and source == target:
        entry.refuse("source", "Source and target must be different branches.")
    elif ctx.db.execute(
        "SELECT 1 FROM code_merge WHERE project_id = ? AND source = ? AND target = ? AND state = 'opened'",
        (project["id"], source, target),
    ).fetchone():
        entry.refuse("source", "There is an open merge request for these branches.")
    if entry.errors:
        return _form_page(ctx, project, None, entry)
    iid = next_iid(ctx.db, "code_merge", project["id"])
    ctx.db.execute(
        "INSERT INTO code_merge (project_id, iid, author_id, assignee_id, reviewer_id, title, body, source, target,"
        " state, created) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 'opened', ?)",
        (
            *(project["id"], iid, user["id"], columns["assignee_id"], columns["reviewer_id"]),
            *(columns["title"], columns["body"], source, target, ctx.now),
        ),
    )
    return ctx.redirect(f"{path_of(project)}/-/merge_requests/{iid}")


@routes.get("/<namespace>/<name>/-/merge_requests/<int:iid>")
def merge_request(ctx: Context, namespace: str, name: str, iid: int) -> Reply:
    """A merge request with its commits and notes."""
    project = project_of(ctx, namespace, name)
    return _page(ctx, project, _merge(ctx, project, iid), Entry(ctx.form))


def _page(ctx: Context, project: sqlite3.Row, row: sqlite3.Row, entry: Entry) -> Reply:
    approvals = ctx.db.execute(
        "SELECT u.id, u.username, u.name FROM code_approval y JOIN code_user u ON u.id = y.user_id WHERE y.merge_id = ?"
        " ORDER BY u.name",
        (row["id"],),
    ).fetchall()
    commits = ctx.db.execute(
        "SELECT sha, message, created FROM code_commit WHERE project_id = ? AND branch = ?"
        " ORDER BY created DESC, id DESC",
        (project["id"], row["source"]),
    ).fetchall()
    me = me_of(ctx)
    return ctx.render(
        "merge.html",
        status=422 if entry.errors else 200,
        project=project,
        merge=row,
        approvals=approvals,
        has_approved=any(user["id"] == me for user in approvals),
        commits=commits,
        notes=notes_of(ctx.db, "merge_id", row["id"]),
        entry=entry,
        may_merge=is_at_least(project["role"], "developer"),
        may_edit=_may_edit(ctx, project, row),
    )


def _may_edit(ctx: Context, project: sqlite3.Row, row: sqlite3.Row) -> bool:
    return is_at_least(project["role"], "developer") or (ctx.user is not None and ctx.user["id"] == row["author_id"])


def _editable(ctx: Context, namespace: str, name: str, iid: int) -> tuple[sqlite3.Row, sqlite3.Row]:
    """Project and merge request for who may change the latter; others get `Forbidden`."""
    ctx.require_user()
    project = project_of(ctx, namespace, name)
    row = _merge(ctx, project, iid)
    if not _may_edit(ctx, project, row):
        raise Forbidden("Only the author and developers of the project may change this merge request.")
    return project, row


def _open_one(ctx: Context, namespace: str, name: str, iid: int) -> tuple[sqlite3.Row, sqlite3.Row]:
    """Project and merge request, which must be open, for developers; others get `Forbidden`."""
    ctx.require_user()
    project = project_of(ctx, namespace, name)
    require(project["role"], "developer")
    row = _merge(ctx, project, iid)
    if row["state"] != "opened":
        raise BadRequest(f"This merge request is {row['state']}.")
    return project, row


def _back(ctx: Context, project: sqlite3.Row, iid: int, notice: str = "") -> Reply:
    return ctx.redirect(f"{path_of(project)}/-/merge_requests/{iid}", notice)


@routes.get("/<namespace>/<name>/-/merge_requests/<int:iid>/edit")
def edit_form(ctx: Context, namespace: str, name: str, iid: int) -> Reply:
    """The form to change a merge request."""
    project, row = _editable(ctx, namespace, name, iid)
    return _form_page(ctx, project, row, Entry(ctx.form))


@routes.post("/<namespace>/<name>/-/merge_requests/<int:iid>/edit")
def edit(ctx: Context, namespace: str, name: str, iid: int) -> Reply:
    """Change title, description, assignee and reviewer."""
    project, row = _editable(ctx, namespace, name, iid)
    entry = Entry(ctx.form)
    columns = _read(ctx, project, entry)
    if entry.errors:
        return _form_page(ctx, project, row, entry)
    assignments = ", ".join(f"{column} = :{column}" for column in columns)
    ctx.db.execute(f"UPDATE code_merge SET {assignments} WHERE id = :id", {**columns, "id": row["id"]})
    return _back(ctx, project, iid, "The merge request was saved.")


@routes.post("/<namespace>/<name>/-/merge_requests/<int:iid>/notes")
def note(ctx: Context, namespace: str, name: str, iid: int) -> Reply:
    """A comment."""
    user, project = ctx.require_user(), project_of(ctx, namespace, name)
    row = _merge(ctx, project, iid)
    entry = Entry(ctx.form)
    body = entry.text("body", "Comment", max_length=5000)
    if entry.errors:
        return _page(ctx, project, row, entry)
    values = (row["id"], user["id"], body, ctx.now)
    ctx.db.execute("INSERT INTO code_note (merge_id, author_id, body, created) VALUES (?, ?, ?, ?)", values)
    return _back(ctx, project, iid)


@routes.post("/<namespace>/<name>/-/merge_requests/<int:iid>/approve")
def approve(ctx: Context, namespace: str, name: str, iid: int) -> Reply:
    """Approve an open merge request."""
    project, row = _open_one(ctx, namespace, name, iid)
    ctx.db.execute("INSERT OR IGNORE INTO code_approval VALUES (?, ?)", (row["id"], me_of(ctx)))
    return _back(ctx, project, iid, "You approved this merge request.")


@routes.post("/<namespace>/<name>/-/merge_requests/<int:iid>/unapprove")
def unapprove(ctx: Context, namespace: str, name: str, iid: int) -> Reply:
    """Take an approval back."""
    project, row = _open_one(ctx, namespace, name, iid)
    ctx.db.execute("DELETE FROM code_approval WHERE merge_id = ? AND user_id = ?", (row["id"], me_of(ctx)))
    return _back(ctx, project, iid, "You took your approval back.")


@routes.post("/<namespace>/<name>/-/merge_requests/<int:iid>/merge")
def merge(ctx: Context, namespace: str, name: str, iid: int) -> Reply:
    """Merge: the target gets a commit, and the files that the source branch has of its own."""
    project, row = _open_one(ctx, namespace, name, iid)
    values = (ctx.now, row["id"])
    ctx.db.execute("UPDATE code_merge SET state = 'merged', ended = ? WHERE id = ?", values)
    commit(ctx, project, row["target"], f"Merge branch '{row['source']}' into '{row['target']}'")
    where = "" if row["target"] == project["branch"] else row["target"]
    ctx.db.execute(
        "INSERT OR REPLACE INTO code_file SELECT project_id, path, ?, content FROM code_file"
        " WHERE project_id = ? AND branch = ? AND branch <> ''",
        (where, project["id"], row["source"]),
    )
    return _back(ctx, project, iid, "Merged.")


@routes.post("/<namespace>/<name>/-/merge_requests/<int:iid>/close")
def close(ctx: Context, namespace: str, name: str, iid: int) -> Reply:
    """Close without merging."""
    project, row = _editable(ctx, namespace, name, iid)
    if row["state"] != "opened":
        raise BadRequest(f"This merge request is {row['state']}.")
    ctx.db.execute("UPDATE code_merge SET state = 'closed', ended = ? WHERE id = ?", (ctx.now, row["id"]))
    return _back(ctx, project, iid, "The merge request was closed.")


@routes.post("/<namespace>/<name>/-/merge_requests/<int:iid>/reopen")
def reopen(ctx: Context, namespace: str, name: str, iid: int) -> Reply:
    """Open a closed merge request again."""
    project, row = _editable(ctx, namespace, name, iid)
    if row["state"] != "closed":
        raise BadRequest(f"This merge request is {row['state']}.")
    ctx.db.execute("UPDATE code_merge SET state = 'opened', ended = NULL WHERE id = ?", (row["id"],))
    return _back(ctx, project, iid, "The merge request was reopened.")
