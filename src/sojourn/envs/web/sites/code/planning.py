"""Labels and milestones of a project."""

from __future__ import annotations

import sqlite3

from sojourn.envs.web.sites.code.queries import DAY, labels_of, milestones_of, path_of, project_of
from sojourn.envs.web.sites.code.rights import require
from sojourn.envs.web.sites.framework import Context, Entry, NotFound, Reply, Routes

routes = Routes()


@routes.get("/<namespace>/<name>/-/labels")
def labels(ctx: Context, namespace: str, name: str) -> Reply:
    """The labels of a project, and the form for a new one."""
    return _labels_page(ctx, project_of(ctx, namespace, name), Entry(ctx.form))


def _labels_page(ctx: Context, project: sqlite3.Row, entry: Entry) -> Reply:
    rows = ctx.db.execute(
        "SELECT l.name, l.description, count(i.id) AS num_issues FROM code_label l"
        " LEFT JOIN code_issue_label x ON x.label_id = l.id"
        " LEFT JOIN code_issue i ON i.id = x.issue_id AND i.state = 'opened'"
        " WHERE l.project_id = ? GROUP BY l.id ORDER BY l.name",
        (project["id"],),
    ).fetchall()
    return ctx.render("labels.html", status=422 if entry.errors else 200, project=project, labels=rows, entry=entry)


@routes.post("/<namespace>/<name>/-/labels")
def new_label(ctx: Context, namespace: str, name: str) -> Reply:
    """A new label."""
    ctx.require_user()
    project = project_of(ctx, namespace, name)
    require(project["role"], "reporter")
    entry = Entry(ctx.form)
    title = entry.text("name", "Name", max_length=60)
    description = entry.text("description", "Description", max_length=200, required=False)
    if any(row["name"] == title for row in labels_of(ctx.db, project["id"])):
        entry.refuse("name", "There is a label of this name.")
    if entry.errors:
        return _labels_page(ctx, project, entry)
    values = (project["id"], title, description)
    ctx.db.execute("INSERT INTO code_label (project_id, name, description) VALUES (?, ?, ?)", values)
    return ctx.redirect(f"{path_of(project)}/-/labels", f"The label {title} was created.")


@routes.get("/<namespace>/<name>/-/milestones")
def milestones(ctx: Context, namespace: str, name: str) -> Reply:
    """The milestones of a project, and the form for a new one."""
    return _milestones_page(ctx, project_of(ctx, namespace, name), Entry(ctx.form))


def _milestones_page(ctx: Context, project: sqlite3.Row, entry: Entry) -> Reply:
    rows = ctx.db.execute(
        "SELECT m.*, count(i.id) AS num_issues, coalesce(sum(i.state = 'closed'), 0) AS num_closed"
        " FROM code_milestone m LEFT JOIN code_issue i ON i.milestone_id = m.id"
        " WHERE m.project_id = ? GROUP BY m.id ORDER BY m.due, m.id",
        (project["id"],),
    ).fetchall()
    status = 422 if entry.errors else 200
    return ctx.render("milestones.html", status=status, project=project, milestones=rows, entry=entry)


@routes.post("/<namespace>/<name>/-/milestones")
def new_milestone(ctx: Context, namespace: str, name: str) -> Reply:
    """A new milestone."""
    ctx.require_user()
    project = project_of(ctx, namespace, name)
    require(project["role"], "reporter")
    entry = Entry(ctx.form)
    title = entry.text("title", "Title", max_length=60)
    description = entry.text("description", "Description", max_length=200, required=False)
    days = []
    for field, label in (("start", "Start date"), ("due", "Due date")):
        days.append(entry.text(field, label, max_length=10, required=False))
        if days[-1] and not DAY.fullmatch(days[-1]):
            entry.refuse(field, f"{label} must be a day such as 2024-07-01.")
    if any(row["title"] == title for row in milestones_of(ctx.db, project["id"])):
        entry.refuse("title", "There is a milestone of this title.")
    if entry.errors:
        return _milestones_page(ctx, project, entry)
    ctx.db.execute(
        "INSERT INTO code_milestone (project_id, title, description, start, due, state)"
        " VALUES (?, ?, ?, ?, ?, 'active')",
        (project["id"], title, description, *days),
    )
    return ctx.redirect(f"{path_of(project)}/-/milestones", f"The milestone {title} was created.")


@routes.post("/<namespace>/<name>/-/milestones/<int:number>/<word>")
def change_milestone(ctx: Context, namespace: str, name: str, number: int, word: str) -> Reply:
    """Close a milestone, or open it again (`word` is ``close`` or ``reopen``)."""
    ctx.require_user()
    project = project_of(ctx, namespace, name)
    require(project["role"], "reporter")
    states = {"close": "closed", "reopen": "active"}
    if word not in states:
        raise NotFound("There is no such page.")
    values = (states[word], project["id"], number)
    cursor = ctx.db.execute("UPDATE code_milestone SET state = ? WHERE project_id = ? AND id = ?", values)
    if not cursor.rowcount:
        raise NotFound("There is no such milestone.")
    return ctx.redirect(f"{path_of(project)}/-/milestones", f"The milestone is {states[word]} now.")
