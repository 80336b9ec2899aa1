"""People of the code host: log-in, profiles, status, to-do items, search over everything."""

from __future__ import annotations

import sqlite3

from sojourn.envs.web.sites.code.queries import PROJECT_COLUMNS, VISIBLE
from sojourn.envs.web.sites.framework import Context, Entry, NotFound, Reply, Routes, local_path
from sojourn.envs.web.sites.lists import like, me_of, page_of
from sojourn.envs.web.sites.session import check_password

routes = Routes()
PER_PAGE = 20
SCOPES = ("projects", "issues", "merge_requests", "users")


@routes.get("/users/sign_in")
def sign_in_form(ctx: Context) -> Reply:
    """The log-in page."""
    return ctx.render("sign_in.html", entry=Entry(ctx.form), next=ctx.query.get("next"))


@routes.post("/users/sign_in")
def sign_in(ctx: Context) -> Reply:
    """Log in, by username or mail address."""
    entry = Entry(ctx.form)
    login = entry.text("login", "Username or email")
    entry.text("password", "Password")
    if not entry.errors:
        row = ctx.db.execute("SELECT username FROM code_user WHERE email = ?", (login.lower(),)).fetchone()
        username = row["username"] if row is not None else login
        assert ctx.site.accounts is not None
        user_id = check_password(ctx.db, ctx.site.accounts, username, ctx.form.get("password"))
        if user_id is not None:
            ctx.log_in(user_id)
            return ctx.redirect(local_path(ctx.form.get("next"), "/"))
        entry.refuse("login", "Invalid login or password.")
    return ctx.render("sign_in.html", status=422, entry=entry, next=ctx.form.get("next"))


@routes.post("/users/sign_out")
def sign_out(ctx: Context) -> Reply:
    """Log out."""
    ctx.log_out()
    return ctx.redirect("/explore")


@routes.get("/-/profile")
def profile_form(ctx: Context) -> Reply:
    """The settings of the user."""
    user = ctx.require_user()
    values = {name: user[name] for name in ("name", "email", "bio", "location", "organization")}
    return ctx.render("profile.html", entry=Entry(ctx.form), values=values)


@routes.post("/-/profile")
def profile(ctx: Context) -> Reply:
    """Other settings of the user."""
    user = ctx.require_user()
    entry = Entry(ctx.form)
    name = entry.text("name", "Full name", max_length=80)
    email = entry.email("email", "Email")
    bio = entry.text("bio", "Bio", max_length=400, required=False)
    location = entry.text("location", "Location", max_length=80, required=False)
    organization = entry.text("organization", "Organization", max_length=80, required=False)
    for column, value in (("name", name), ("email", email)):
        if ctx.db.execute(f"SELECT 1 FROM code_user WHERE {column} = ? AND id <> ?", (value, user["id"])).fetchone():
            entry.refuse(column, f"Another user has this {column}.")
    if entry.errors:
        return ctx.render("profile.html", status=422, entry=entry, values=entry.values)
    ctx.db.execute(
        "UPDATE code_user SET name = ?, email = ?, bio = ?, location = ?, organization = ? WHERE id = ?",
        (name, email, bio, location, organization, user["id"]),
    )
    return ctx.redirect("/-/profile", "Profile was successfully updated.")


@routes.get("/-/profile/status")
def status_form(ctx: Context) -> Reply:
    """The form for the user's status."""
    user = ctx.require_user()
    return ctx.render("status.html", entry=Entry(ctx.form), text=user["status"])


@routes.post("/-/profile/status")
def status(ctx: Context) -> Reply:
    """Another status; an empty one clears it."""
    user = ctx.require_user()
    entry = Entry(ctx.form)
    text = entry.text("status", "Status", max_length=100, required=False)
    if entry.errors:
        return ctx.render("status.html", status=422, entry=entry, text=text)
    ctx.db.execute("UPDATE code_user SET status = ? WHERE id = ?", (text, user["id"]))
    return ctx.redirect(f"/{user['username']}", "Status updated.")


@routes.get("/dashboard/todos")
def todos(ctx: Context) -> Reply:
    """The user's to-do items: open ones, or done ones."""
    user = ctx.require_user()
    state = ctx.query.choice("state", ("pending", "done"), "pending")
    rows = ctx.db.execute(
        "SELECT t.id, t.action, t.created, u.username, u.name AS author, p.namespace, p.name AS project,"
        " coalesce(i.iid, r.iid) AS iid, coalesce(i.title, r.title) AS title, i.id IS NOT NULL AS is_issue"
        " FROM code_todo t JOIN code_user u ON u.id = t.author_id LEFT JOIN code_issue i ON i.id = t.issue_id"
        " LEFT JOIN code_merge r ON r.id = t.merge_id"
        " JOIN code_project p ON p.id = coalesce(i.project_id, r.project_id)"
        " WHERE t.user_id = ? AND t.is_done = ? ORDER BY t.created DESC, t.id DESC",
        (user["id"], state == "done"),
    ).fetchall()
    return ctx.render("todos.html", todos=rows, state=state)


@routes.post("/dashboard/todos/<int:todo_id>/done")
def todo_done(ctx: Context, todo_id: int) -> Reply:
    """Mark a to-do item as done."""
    user = ctx.require_user()
    cursor = ctx.db.execute("UPDATE code_todo SET is_done = 1 WHERE id = ? AND user_id = ?", (todo_id, user["id"]))
    if not cursor.rowcount:
        raise NotFound("There is no such to-do item.")
    return ctx.redirect("/dashboard/todos", "Marked as done.")


@routes.post("/dashboard/todos/done")
def todos_done(ctx: Context) -> Reply:
    """Mark all to-do items as done."""
    user = ctx.require_user()
    ctx.db.execute("UPDATE code_todo SET is_done = 1 WHERE user_id = ? AND NOT is_done", (user["id"],))
    return ctx.redirect("/dashboard/todos", "All to-do items are done.")


@routes.get("/search")
def search(ctx: Context) -> Reply:
    """Projects, issues, merge requests or users that hold the words searched for."""
    text = ctx.query.get("search")[:200]
    scope = ctx.query.choice("scope", SCOPES, "projects")
    source = {
        "projects": "FROM code_project p WHERE (p.name LIKE :text ESCAPE '\\' OR p.description LIKE :text ESCAPE '\\'"
        f" OR p.namespace LIKE :text ESCAPE '\\') AND {VISIBLE}",
        "issues": "FROM code_issue i JOIN code_project p ON p.id = i.project_id"
        f" WHERE (i.title LIKE :text ESCAPE '\\' OR i.body LIKE :text ESCAPE '\\') AND {VISIBLE}",
        "merge_requests": "FROM code_merge i JOIN code_project p ON p.id = i.project_id"
        f" WHERE (i.title LIKE :text ESCAPE '\\' OR i.body LIKE :text ESCAPE '\\') AND {VISIBLE}",
        "users": "FROM code_user u WHERE u.name LIKE :text ESCAPE '\\' OR u.username LIKE :text ESCAPE '\\'",
    }[scope]
    columns, order = {
        "projects": (PROJECT_COLUMNS, "p.name, p.id"),
        "issues": ("i.iid, i.title, i.state, p.namespace, p.name AS project", "i.created DESC, i.id"),
        "merge_requests": ("i.iid, i.title, i.state, p.namespace, p.name AS project", "i.created DESC, i.id"),
        "users": ("u.username, u.name", "u.name"),
    }[scope]
    values = {"text": like(text), "me": me_of(ctx)}
    total = ctx.db.execute(f"SELECT count(*) {source}", values).fetchone()[0] if text else 0
    paging = page_of(ctx, total, PER_PAGE)
    rows: list[sqlite3.Row] = []
    if text:
        rows = ctx.db.execute(
            f"SELECT {columns} {source} ORDER BY {order} LIMIT {PER_PAGE} OFFSET {paging.offset}", values
        ).fetchall()
    return ctx.render("search.html", text=text, scope=scope, scopes=SCOPES, rows=rows, paging=paging)


@routes.post("/<username>/follow")
def follow(ctx: Context, username: str) -> Reply:
    """Follow a user."""
    user, other = ctx.require_user(), _user(ctx, username)
    if user["id"] != other["id"]:
        ctx.db.execute("INSERT OR IGNORE INTO code_follow VALUES (?, ?)", (user["id"], other["id"]))
    return ctx.redirect(f"/{username}")


@routes.post("/<username>/unfollow")
def unfollow(ctx: Context, username: str) -> Reply:
    """Follow a user no longer."""
    user, other = ctx.require_user(), _user(ctx, username)
    ctx.db.execute("DELETE FROM code_follow WHERE user_id = ? AND followed_id = ?", (user["id"], other["id"]))
    return ctx.redirect(f"/{username}")


def _user(ctx: Context, username: str) -> sqlite3.Row:
    row: sqlite3.Row | None = ctx.db.execute("SELECT * FROM code_user WHERE username = ?", (username,)).fetchone()
    if row is None:
        raise NotFound("There is no such user.")
    return row


@routes.get("/<username>")
def profile_page(ctx: Context, username: str) -> Reply:
    """A user with the projects in that namespace and the last commits, or a group with its projects."""
    projects = ctx.db.execute(
        f"SELECT {PROJECT_COLUMNS} FROM code_project p WHERE p.namespace = :namespace AND {VISIBLE} ORDER BY p.name",
        {"namespace": username, "me": me_of(ctx)},
    ).fetchall()
    group = ctx.db.execute("SELECT * FROM code_group WHERE path = ?", (username,)).fetchone()
    if group is not None:
        return ctx.render("group.html", group=group, projects=projects)
    row = _user(ctx, username)
    commits = ctx.db.execute(
        "SELECT k.sha, k.message, k.created, p.namespace, p.name AS project FROM code_commit k"
        f" JOIN code_project p ON p.id = k.project_id WHERE k.author_id = :author AND {VISIBLE}"
        " ORDER BY k.created DESC, k.id DESC LIMIT 10",
        {"author": row["id"], "me": me_of(ctx)},
    ).fetchall()
    counts = ctx.db.execute(
        "SELECT (SELECT count(*) FROM code_follow WHERE followed_id = ?1) AS num_followers,"
        " (SELECT count(*) FROM code_follow WHERE user_id = ?1) AS num_followed,"
        " EXISTS (SELECT 1 FROM code_follow WHERE user_id = ?2 AND followed_id = ?1) AS is_followed",
        (row["id"], me_of(ctx)),
    ).fetchone()
    return ctx.render("user.html", user=row, projects=projects, commits=commits, counts=counts)
