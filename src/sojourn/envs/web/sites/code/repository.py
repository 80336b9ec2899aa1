"""The repository of a project: files, commits, branches, contributors."""

from __future__ import annotations

import hashlib
import re
import sqlite3
from collections import Counter

from sojourn.envs.web.sites.code.queries import branches_of, path_of, project_of
from sojourn.envs.web.sites.code.rights import require
from sojourn.envs.web.sites.framework import Context, Entry, Forbidden, NotFound, Reply, Routes
from sojourn.envs.web.sites.lists import page_of

routes = Routes()
PER_PAGE = 20
_PATH = re.compile(r"(?!\.*(/|$))[A-Za-z0-9._-]+(/(?!\.*(/|$))[A-Za-z0-9._-]+){0,6}")  # no part of dots only
_BRANCH = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_FILES = "FROM code_file f WHERE f.project_id = :project AND f.branch IN ('', :branch)"
"""The files of a branch; one of its own hides the shared one at the same path."""


def directory(db: sqlite3.Connection, project_id: int, branch: str, folder: str) -> tuple[list[str], list[str]]:
    """Names of the folders and of the files directly in `folder` (empty: the top)."""
    prefix = f"{folder}/" if folder else ""
    rows = db.execute(f"SELECT DISTINCT path {_FILES} ORDER BY path", {"project": project_id, "branch": branch})
    rest = [row[0][len(prefix) :] for row in rows if row[0].startswith(prefix)]
    folders = sorted({path.partition("/")[0] for path in rest if "/" in path})
    return folders, [path for path in rest if "/" not in path]


def file_content(db: sqlite3.Connection, project_id: int, branch: str, path: str) -> str | None:
    """The text of a file in a branch, or None."""
    row = db.execute(
        f"SELECT content {_FILES} AND f.path = :path ORDER BY f.branch DESC LIMIT 1",
        {"project": project_id, "branch": branch, "path": path},
    ).fetchone()
    return None if row is None else str(row["content"])


def fork_content(db: sqlite3.Connection, source: int, target: int) -> None:
    """Copy branches, files and commits of one project to another."""
    for table, columns in (("code_branch", "name, is_default"), ("code_file", "path, branch, content")):
        db.execute(f"INSERT INTO {table} SELECT ?, {columns} FROM {table} WHERE project_id = ?", (target, source))
    for commit in db.execute("SELECT * FROM code_commit WHERE project_id = ? ORDER BY id", (source,)).fetchall():
        values = (target, commit["branch"], commit["sha"], commit["author_id"], commit["created"], commit["message"])
        number = _insert_commit(db, *values)
        db.execute(
            "INSERT INTO code_change SELECT ?, path, added, removed FROM code_change WHERE commit_id = ?",
            (number, commit["id"]),
        )


def _insert_commit(
    db: sqlite3.Connection, project_id: int, branch: str, sha: str, author_id: int, created: str, message: str
) -> int:
    cursor = db.execute(
        "INSERT INTO code_commit (project_id, branch, sha, author_id, created, message) VALUES (?, ?, ?, ?, ?, ?)",
        (project_id, branch, sha, author_id, created, message),
    )
    assert cursor.lastrowid is not None
    return cursor.lastrowid


def commit(ctx: Context, project: sqlite3.Row, branch: str, message: str) -> int:
    """Add a commit by who is logged in; its name depends on what it is, not on chance. Returns its id."""
    user = ctx.require_user()
    number = ctx.db.execute("SELECT coalesce(max(id), 0) + 1 FROM code_commit").fetchone()[0]
    sha = hashlib.sha1(f"{project['id']}\n{branch}\n{number}\n{message}".encode(), usedforsecurity=False).hexdigest()
    return _insert_commit(ctx.db, project["id"], branch, sha, user["id"], ctx.now, message)


def _branch(ctx: Context, project: sqlite3.Row, branch: str) -> str:
    row = ctx.db.execute(
        "SELECT name FROM code_branch WHERE project_id = ? AND name = ?", (project["id"], branch)
    ).fetchone()
    if row is None:
        raise NotFound(f"The project has no branch {branch}.")
    return branch


@routes.get("/<namespace>/<name>/-/tree/<branch>")
def tree(ctx: Context, namespace: str, name: str, branch: str) -> Reply:
    """The files at the top of a branch."""
    return folder(ctx, namespace, name, branch, "")


@routes.get("/<namespace>/<name>/-/tree/<branch>/<path:path>")
def folder(ctx: Context, namespace: str, name: str, branch: str, path: str) -> Reply:
    """The files in a folder."""
    project = project_of(ctx, namespace, name)
    folders, names = directory(ctx.db, project["id"], _branch(ctx, project, branch), path)
    if path and not folders and not names:
        raise NotFound("There is no such folder.")
    last = ctx.db.execute(
        "SELECT k.sha, k.message, k.created, u.username, u.name FROM code_commit k"
        " JOIN code_user u ON u.id = k.author_id WHERE k.project_id = ? AND k.branch = ?"
        " ORDER BY k.created DESC, k.id DESC LIMIT 1",
        (project["id"], branch),
    ).fetchone()
    branches = [row["name"] for row in branches_of(ctx.db, project["id"])]
    return ctx.render(
        "tree.html",
        project=project,
        branch=branch,
        path=path,
        folders=folders,
        names=names,
        last=last,
        branches=branches,
    )


@routes.get("/<namespace>/<name>/-/blob/<branch>/<path:path>")
def blob(ctx: Context, namespace: str, name: str, branch: str, path: str) -> Reply:
    """A file."""
    project = project_of(ctx, namespace, name)
    content = file_content(ctx.db, project["id"], _branch(ctx, project, branch), path)
    if content is None:
        raise NotFound("There is no such file.")
    return ctx.render("blob.html", project=project, branch=branch, path=path, content=content)


@routes.get("/<namespace>/<name>/-/edit/<branch>/<path:path>")
def edit_form(ctx: Context, namespace: str, name: str, branch: str, path: str) -> Reply:
    """The form to change a file."""
    ctx.require_user()
    project = project_of(ctx, namespace, name)
    require(project["role"], "developer")
    content = file_content(ctx.db, project["id"], _branch(ctx, project, branch), path)
    if content is None:
        raise NotFound("There is no such file.")
    return ctx.render(
        "edit_file.html", project=project, branch=branch, path=path, content=content, entry=Entry(ctx.form)
    )


@routes.post("/<namespace>/<name>/-/edit/<branch>/<path:path>")
def edit(ctx: Context, namespace: str, name: str, branch: str, path: str) -> Reply:
    """Commit another text of a file."""
    ctx.require_user()
    project = project_of(ctx, namespace, name)
    require(project["role"], "developer")
    before = file_content(ctx.db, project["id"], _branch(ctx, project, branch), path)
    if before is None:
        raise NotFound("There is no such file.")
    entry = Entry(ctx.form)
    content = _content(entry)
    message = entry.text("message", "Commit message", max_length=200)
    if entry.errors:
        values = {"project": project, "branch": branch, "path": path, "content": content, "entry": entry}
        return ctx.render("edit_file.html", status=422, **values)
    _write(ctx, project, branch, path, content, message, before)
    return ctx.redirect(f"{path_of(project)}/-/blob/{branch}/{path}", "Your changes have been committed.")


def _content(entry: Entry) -> str:
    """The text of a file as sent, with one line end at its end."""
    entry.text("content", "Content", max_length=50_000, required=False)
    text = next((value for key, value in entry.fields if key == "content"), "")
    return text if not text or text.endswith("\n") else f"{text}\n"


def _write(ctx: Context, project: sqlite3.Row, branch: str, path: str, content: str, message: str, before: str) -> None:
    where = "" if branch == project["branch"] else branch
    ctx.db.execute(
        "INSERT INTO code_file VALUES (?, ?, ?, ?)"
        " ON CONFLICT (project_id, path, branch) DO UPDATE SET content = excluded.content",
        (project["id"], path, where, content),
    )
    old, new = Counter(before.splitlines()), Counter(content.splitlines())
    added, removed = (new - old).total(), (old - new).total()  # a line that moved did not change
    number = commit(ctx, project, branch, message)
    ctx.db.execute("INSERT INTO code_change VALUES (?, ?, ?, ?)", (number, path, added, removed))


@routes.get("/<namespace>/<name>/-/new/<branch>")
def new_form(ctx: Context, namespace: str, name: str, branch: str) -> Reply:
    """The form for a new file."""
    ctx.require_user()
    project = project_of(ctx, namespace, name)
    require(project["role"], "developer")
    return ctx.render("new_file.html", project=project, branch=_branch(ctx, project, branch), entry=Entry(ctx.form))


@routes.post("/<namespace>/<name>/-/new/<branch>")
def new(ctx: Context, namespace: str, name: str, branch: str) -> Reply:
    """Commit a new file."""
    ctx.require_user()
    project = project_of(ctx, namespace, name)
    require(project["role"], "developer")
    _branch(ctx, project, branch)
    entry = Entry(ctx.form)
    path = entry.text("path", "File name", max_length=120)
    content = _content(entry)
    message = entry.text("message", "Commit message", max_length=200)
    if path and not _PATH.fullmatch(path):
        entry.refuse("path", "File name must be a path such as docs/notes.md.")
    elif path and file_content(ctx.db, project["id"], branch, path) is not None:
        entry.refuse("path", "There is a file of this name.")
    if entry.errors:
        return ctx.render("new_file.html", status=422, project=project, branch=branch, entry=entry)
    _write(ctx, project, branch, path, content, message, "")
    return ctx.redirect(f"{path_of(project)}/-/blob/{branch}/{path}", "The file has been created.")


@routes.get("/<namespace>/<name>/-/commits/<branch>")
def commits(ctx: Context, namespace: str, name: str, branch: str) -> Reply:
    """The commits of a branch, newest first; by one author if asked."""
    project = project_of(ctx, namespace, name)
    author = ctx.query.get("author")
    where = "WHERE k.project_id = ? AND k.branch = ? AND (? = '' OR u.username = ?)"
    values = (project["id"], _branch(ctx, project, branch), author, author)
    source = f"FROM code_commit k JOIN code_user u ON u.id = k.author_id {where}"
    paging = page_of(ctx, ctx.db.execute(f"SELECT count(*) {source}", values).fetchone()[0], PER_PAGE)
    rows = ctx.db.execute(
        f"SELECT k.sha, k.message, k.created, u.username, u.name {source}"
        f" ORDER BY k.created DESC, k.id DESC LIMIT {PER_PAGE} OFFSET {paging.offset}",
        values,
    ).fetchall()
    branches = [row["name"] for row in branches_of(ctx.db, project["id"])]
    return ctx.render(
        "commits.html", project=project, branch=branch, commits=rows, paging=paging, author=author, branches=branches
    )


@routes.get("/<namespace>/<name>/-/commit/<sha>")
def one_commit(ctx: Context, namespace: str, name: str, sha: str) -> Reply:
    """A commit: who, when, what it changed."""
    project = project_of(ctx, namespace, name)
    row = ctx.db.execute(
        "SELECT k.*, u.username, u.name, u.email FROM code_commit k JOIN code_user u ON u.id = k.author_id"
        " WHERE k.project_id = ? AND k.sha = ?",
        (project["id"], sha),
    ).fetchone()
    if row is None:
        raise NotFound("There is no such commit.")
    files = ctx.db.execute("SELECT * FROM code_change WHERE commit_id = ? ORDER BY path", (row["id"],)).fetchall()
    return ctx.render("commit.html", project=project, commit=row, changes=files)


@routes.get("/<namespace>/<name>/-/branches")
def branches(ctx: Context, namespace: str, name: str) -> Reply:
    """The branches of a project, and the form for a new one."""
    return _branches_page(ctx, project_of(ctx, namespace, name), Entry(ctx.form))


def _branches_page(ctx: Context, project: sqlite3.Row, entry: Entry) -> Reply:
    rows = ctx.db.execute(
        "SELECT b.name, b.is_default, count(k.id) AS num_commits, max(k.created) AS updated FROM code_branch b"
        " LEFT JOIN code_commit k ON k.project_id = b.project_id AND k.branch = b.name WHERE b.project_id = ?"
        " GROUP BY b.name ORDER BY b.is_default DESC, b.name",
        (project["id"],),
    ).fetchall()
    return ctx.render("branches.html", status=422 if entry.errors else 200, project=project, branches=rows, entry=entry)


@routes.post("/<namespace>/<name>/-/branches")
def new_branch(ctx: Context, namespace: str, name: str) -> Reply:
    """A new branch that begins at another."""
    ctx.require_user()
    project = project_of(ctx, namespace, name)
    require(project["role"], "developer")
    entry = Entry(ctx.form)
    branch = entry.text("branch", "Branch name", max_length=60)
    known = [row["name"] for row in branches_of(ctx.db, project["id"])]
    source = entry.choice("from", "a branch to begin at", known)
    if branch and not _BRANCH.fullmatch(branch):
        entry.refuse("branch", "Branch name may hold letters, digits, dots, hyphens and underscores.")
    elif branch in known:
        entry.refuse("branch", "There is a branch of this name.")
    if entry.errors:
        return _branches_page(ctx, project, entry)
    ctx.db.execute("INSERT INTO code_branch VALUES (?, ?, 0)", (project["id"], branch))
    ctx.db.execute(
        "INSERT INTO code_file SELECT project_id, path, ?, content FROM code_file WHERE project_id = ? AND branch = ?"
        " AND branch <> ''",
        (branch, project["id"], source),
    )
    return ctx.redirect(f"{path_of(project)}/-/branches", f"The branch {branch} was created.")


@routes.post("/<namespace>/<name>/-/branches/<branch>/delete")
def delete_branch(ctx: Context, namespace: str, name: str, branch: str) -> Reply:
    """Delete a branch that is not the default one; its commits stay known by their names."""
    ctx.require_user()
    project = project_of(ctx, namespace, name)
    require(project["role"], "developer")
    if _branch(ctx, project, branch) == project["branch"]:
        raise Forbidden("The default branch cannot be deleted.")
    ctx.db.execute("DELETE FROM code_branch WHERE project_id = ? AND name = ?", (project["id"], branch))
    ctx.db.execute("DELETE FROM code_file WHERE project_id = ? AND branch = ?", (project["id"], branch))
    return ctx.redirect(f"{path_of(project)}/-/branches", f"The branch {branch} was deleted.")


@routes.get("/<namespace>/<name>/-/graphs/<branch>")
def contributors(ctx: Context, namespace: str, name: str, branch: str) -> Reply:
    """Who made how many commits on a branch, most first."""
    project = project_of(ctx, namespace, name)
    rows = ctx.db.execute(
        "SELECT u.username, u.name, u.email, count(*) AS num_commits, sum(k.added) AS added, sum(k.removed) AS removed"
        " FROM (SELECT c.author_id, sum(h.added) AS added, sum(h.removed) AS removed FROM code_commit c"
        "  LEFT JOIN code_change h ON h.commit_id = c.id WHERE c.project_id = ? AND c.branch = ? GROUP BY c.id) k"
        " JOIN code_user u ON u.id = k.author_id GROUP BY u.id ORDER BY num_commits DESC, u.name",
        (project["id"], _branch(ctx, project, branch)),
    ).fetchall()
    return ctx.render("contributors.html", project=project, branch=branch, contributors=rows)
