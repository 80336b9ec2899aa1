"""Projects: lists, search, the page of one, stars, forks, members, new ones and settings."""

from __future__ import annotations

import re
import sqlite3

from sojourn.envs.web.sites.code.queries import (
    PROJECT_COLUMNS,
    VISIBLE,
    members_of,
    path_of,
    project_of,
)
from sojourn.envs.web.sites.code.repository import directory, fork_content
from sojourn.envs.web.sites.code.rights import ROLES, require
from sojourn.envs.web.sites.framework import Context, Entry, NotFound, Reply, Routes
from sojourn.envs.web.sites.lists import Filter, like, me_of, page_of

routes = Routes()
PER_PAGE = 15
VISIBILITIES = ("public", "private")
SORTS = {
    "name": ("Name", "p.name, p.id"),
    "stars": ("Most stars", "num_stars DESC, p.name"),
    "updated": ("Last updated", "updated DESC, p.name"),
    "created": ("Last created", "p.created DESC, p.name"),
    "oldest": ("Oldest created", "p.created, p.name"),
}
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def listing(ctx: Context, heading: str, wanted: Filter) -> Reply:
    """A sorted page of the projects that a filter admits, among those that the user may see."""
    wanted.add(VISIBLE, me=me_of(ctx))
    if name := ctx.query.get("name"):
        wanted.add("(p.name LIKE :word ESCAPE '\\' OR p.description LIKE :word ESCAPE '\\')", word=like(name[:100]))
    total = ctx.db.execute(f"SELECT count(*) FROM code_project p {wanted.where}", wanted.values).fetchone()[0]
    paging = page_of(ctx, total, PER_PAGE)
    sort = ctx.query.choice("sort", tuple(SORTS), "name")
    projects = ctx.db.execute(
        f"SELECT {PROJECT_COLUMNS} FROM code_project p {wanted.where} ORDER BY {SORTS[sort][1]}"
        f" LIMIT {PER_PAGE} OFFSET {paging.offset}",
        wanted.values,
    ).fetchall()
    sorts = [(key, label) for key, (label, _) in SORTS.items()]
    return ctx.render("projects.html", heading=heading, projects=projects, paging=paging, sort=sort, sorts=sorts)


@routes.get("/")
def home(ctx: Context) -> Reply:
    """The projects of who is logged in; others see all."""
    if ctx.user is None:
        return ctx.redirect("/explore")
    wanted = Filter()
    wanted.add("EXISTS (SELECT 1 FROM code_member m WHERE m.project_id = p.id AND m.user_id = :me)")
    return listing(ctx, "Your projects", wanted)


@routes.get("/explore")
def explore(ctx: Context) -> Reply:
    """All projects."""
    return listing(ctx, "Explore projects", Filter())


@routes.get("/dashboard/starred")
def starred(ctx: Context) -> Reply:
    """The projects that the user has starred."""
    ctx.require_user()
    wanted = Filter()
    wanted.add("EXISTS (SELECT 1 FROM code_star s WHERE s.project_id = p.id AND s.user_id = :me)")
    return listing(ctx, "Starred projects", wanted)


@routes.get("/projects/new")
def new_form(ctx: Context) -> Reply:
    """The form for a new project."""
    ctx.require_user()
    return ctx.render("new_project.html", entry=Entry(ctx.form), visibilities=VISIBILITIES)


@routes.post("/projects/new")
def new(ctx: Context) -> Reply:
    """A new project of the user, empty but for a README if wanted."""
    user = ctx.require_user()
    entry = Entry(ctx.form)
    name = entry.text("name", "Project name", max_length=60)
    description = entry.text("description", "Description", max_length=300, required=False)
    visibility = entry.choice("visibility", "a visibility", VISIBILITIES)
    if name and not _NAME.fullmatch(name):
        entry.refuse("name", "Project name may hold letters, digits, dots, hyphens and underscores.")
    if ctx.db.execute(
        "SELECT 1 FROM code_project WHERE namespace = ? AND name = ? COLLATE NOCASE", (user["username"], name)
    ).fetchone():
        entry.refuse("name", "You have a project of this name.")
    if entry.errors:
        return ctx.render("new_project.html", status=422, entry=entry, visibilities=VISIBILITIES)
    project_id = _add_project(ctx, user, name, description, visibility, "", None)
    if ctx.form.get("readme"):
        row = (project_id, "README.md", f"# {name}\n\n{description}\n")
        ctx.db.execute("INSERT INTO code_file (project_id, path, branch, content) VALUES (?, ?, '', ?)", row)
    return ctx.redirect(f"/{user['username']}/{name}", f"Project {name} was successfully created.")


def _add_project(
    ctx: Context,
    user: sqlite3.Row,
    name: str,
    description: str,
    visibility: str,
    license_name: str,
    forked_from: int | None,
) -> int:
    cursor = ctx.db.execute(
        "INSERT INTO code_project (namespace, name, description, visibility, license, created, forked_from)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        (user["username"], name, description, visibility, license_name, ctx.now, forked_from),
    )
    assert cursor.lastrowid is not None
    row = (cursor.lastrowid, user["id"], ctx.now)
    ctx.db.execute("INSERT INTO code_member VALUES (?, ?, 'owner', ?)", row)
    if forked_from is None:
        ctx.db.execute("INSERT INTO code_branch VALUES (?, 'main', 1)", (cursor.lastrowid,))
    return cursor.lastrowid


@routes.get("/<namespace>/<name>")
def project(ctx: Context, namespace: str, name: str) -> Reply:
    """A project: description, files at the top, README, figures."""
    row = project_of(ctx, namespace, name)
    counts = ctx.db.execute(
        "SELECT (SELECT count(*) FROM code_commit WHERE project_id = ?1 AND branch = ?2) AS num_commits,"
        " (SELECT count(*) FROM code_branch WHERE project_id = ?1) AS num_branches,"
        " (SELECT count(*) FROM code_member WHERE project_id = ?1) AS num_members",
        (row["id"], row["branch"]),
    ).fetchone()
    readme = ctx.db.execute(
        "SELECT content FROM code_file WHERE project_id = ? AND path = 'README.md' AND branch = ''", (row["id"],)
    ).fetchone()
    upstream = ctx.db.execute("SELECT namespace, name FROM code_project WHERE id = ?", (row["forked_from"],)).fetchone()
    folders, names = directory(ctx.db, row["id"], row["branch"], "")
    return ctx.render(
        "project.html",
        project=row,
        counts=counts,
        readme=readme["content"] if readme else "",
        upstream=upstream,
        folders=folders,
        names=names,
    )


@routes.post("/<namespace>/<name>/star")
def star(ctx: Context, namespace: str, name: str) -> Reply:
    """Star a project."""
    user, row = ctx.require_user(), project_of(ctx, namespace, name)
    ctx.db.execute("INSERT OR IGNORE INTO code_star VALUES (?, ?)", (row["id"], user["id"]))
    return ctx.redirect(path_of(row))


@routes.post("/<namespace>/<name>/unstar")
def unstar(ctx: Context, namespace: str, name: str) -> Reply:
    """Take a star back."""
    user, row = ctx.require_user(), project_of(ctx, namespace, name)
    ctx.db.execute("DELETE FROM code_star WHERE project_id = ? AND user_id = ?", (row["id"], user["id"]))
    return ctx.redirect(path_of(row))


@routes.get("/<namespace>/<name>/-/starrers")
def starrers(ctx: Context, namespace: str, name: str) -> Reply:
    """Who starred a project."""
    row = project_of(ctx, namespace, name)
    paging = page_of(ctx, row["num_stars"], 30)
    users = ctx.db.execute(
        "SELECT u.username, u.name FROM code_star s JOIN code_user u ON u.id = s.user_id WHERE s.project_id = ?"
        " ORDER BY u.name LIMIT 30 OFFSET ?",
        (row["id"], paging.offset),
    ).fetchall()
    return ctx.render("starrers.html", project=row, users=users, paging=paging)


@routes.get("/<namespace>/<name>/-/forks")
def forks(ctx: Context, namespace: str, name: str) -> Reply:
    """The forks of a project, and the form to make one."""
    return _forks_page(ctx, project_of(ctx, namespace, name), Entry(ctx.form))


def _forks_page(ctx: Context, row: sqlite3.Row, entry: Entry) -> Reply:
    found = ctx.db.execute(
        f"SELECT p.namespace, p.name, p.created FROM code_project p WHERE p.forked_from = :id AND {VISIBLE}"
        " ORDER BY p.id",
        {"id": row["id"], "me": me_of(ctx)},
    ).fetchall()
    return ctx.render("forks.html", status=422 if entry.errors else 200, project=row, forks=found, entry=entry)


@routes.post("/<namespace>/<name>/-/forks")
def fork(ctx: Context, namespace: str, name: str) -> Reply:
    """Copy a project with its files, branches and commits into the user's namespace."""
    user, row = ctx.require_user(), project_of(ctx, namespace, name)
    entry = Entry(ctx.form)
    if ctx.db.execute(
        "SELECT 1 FROM code_project WHERE namespace = ? AND name = ? COLLATE NOCASE", (user["username"], row["name"])
    ).fetchone():
        entry.refuse("name", "You have a project of this name.")
        return _forks_page(ctx, row, entry)
    project_id = _add_project(
        ctx, user, row["name"], row["description"], row["visibility"], row["license"], int(row["id"])
    )
    fork_content(ctx.db, row["id"], project_id)
    return ctx.redirect(f"/{user['username']}/{row['name']}", "The project was successfully forked.")


@routes.get("/<namespace>/<name>/-/project_members")
def members(ctx: Context, namespace: str, name: str) -> Reply:
    """The members of a project, and the form to invite one."""
    return _members_page(ctx, project_of(ctx, namespace, name), Entry(ctx.form))


def _members_page(ctx: Context, row: sqlite3.Row, entry: Entry) -> Reply:
    status = 422 if entry.errors else 200
    found = members_of(ctx.db, row["id"])
    return ctx.render("members.html", status=status, project=row, members=found, entry=entry, roles=ROLES[:-1])


@routes.post("/<namespace>/<name>/-/project_members")
def invite(ctx: Context, namespace: str, name: str) -> Reply:
    """Make a user a member with a role, or give a member another role."""
    ctx.require_user()
    row = project_of(ctx, namespace, name)
    require(row["role"], "maintainer")
    entry = Entry(ctx.form)
    username = entry.text("username", "Username", max_length=60).removeprefix("@")
    role = entry.choice("role", "a role", ROLES[:-1])
    found = ctx.db.execute("SELECT id, name FROM code_user WHERE username = ?", (username,)).fetchone()
    if username and found is None:
        entry.refuse("username", f"There is no user {username}.")
    elif found and _role(ctx.db, row["id"], found["id"]) == "owner":
        entry.refuse("username", "The role of the owner cannot be changed.")
    if entry.errors:
        return _members_page(ctx, row, entry)
    ctx.db.execute(
        "INSERT INTO code_member VALUES (?, ?, ?, ?)"
        " ON CONFLICT (project_id, user_id) DO UPDATE SET role = excluded.role",
        (row["id"], found["id"], role, ctx.now),
    )
    return ctx.redirect(f"{path_of(row)}/-/project_members", f"{found['name']} is now {role}.")


def _role(db: sqlite3.Connection, project_id: int, user_id: int) -> str | None:
    row = db.execute(
        "SELECT role FROM code_member WHERE project_id = ? AND user_id = ?", (project_id, user_id)
    ).fetchone()
    return None if row is None else str(row["role"])


@routes.post("/<namespace>/<name>/-/project_members/<int:user_id>/remove")
def remove(ctx: Context, namespace: str, name: str, user_id: int) -> Reply:
    """Remove a member who is not the owner."""
    ctx.require_user()
    row = project_of(ctx, namespace, name)
    require(row["role"], "maintainer")
    if _role(ctx.db, row["id"], user_id) in (None, "owner"):
        raise NotFound("There is no such member who could be removed.")
    ctx.db.execute("DELETE FROM code_member WHERE project_id = ? AND user_id = ?", (row["id"], user_id))
    return ctx.redirect(f"{path_of(row)}/-/project_members", "The member was removed.")


@routes.get("/<namespace>/<name>/edit")
def settings_form(ctx: Context, namespace: str, name: str) -> Reply:
    """The settings of a project."""
    ctx.require_user()
    row = project_of(ctx, namespace, name)
    require(row["role"], "maintainer")
    return ctx.render("settings.html", project=row, entry=Entry(ctx.form), visibilities=VISIBILITIES)


@routes.post("/<namespace>/<name>/edit")
def settings(ctx: Context, namespace: str, name: str) -> Reply:
    """Another description or visibility."""
    ctx.require_user()
    row = project_of(ctx, namespace, name)
    require(row["role"], "maintainer")
    entry = Entry(ctx.form)
    description = entry.text("description", "Description", max_length=300, required=False)
    visibility = entry.choice("visibility", "a visibility", VISIBILITIES)
    if entry.errors:
        return ctx.render("settings.html", status=422, project=row, entry=entry, visibilities=VISIBILITIES)
    ctx.db.execute(
        "UPDATE code_project SET description = ?, visibility = ? WHERE id = ?", (description, visibility, row["id"])
    )
    return ctx.redirect(f"{path_of(row)}/edit", "The settings were saved.")
