"""The account: log-in, biography, subscriptions, hidden forums, blocked people, messages."""

from __future__ import annotations

import sqlite3

from sojourn.envs.web.sites.forum.queries import forum_of, user_of
from sojourn.envs.web.sites.framework import Context, Entry, Forbidden, NotFound, Reply, Routes, local_path
from sojourn.envs.web.sites.session import check_password

routes = Routes()


@routes.get("/login")
def login_form(ctx: Context) -> Reply:
    """The log-in page."""
    return ctx.render("login.html", entry=Entry(ctx.form), next=ctx.query.get("next"))


@routes.post("/login")
def login(ctx: Context) -> Reply:
    """Log in."""
    entry = Entry(ctx.form)
    name = entry.text("username", "Username")
    entry.text("password", "Password")
    if not entry.errors:
        assert ctx.site.accounts is not None
        user_id = check_password(ctx.db, ctx.site.accounts, name, ctx.form.get("password"))
        if user_id is not None:
            ctx.log_in(user_id)
            return ctx.redirect(local_path(ctx.form.get("next"), "/"))
        entry.refuse("username", "Invalid credentials.")
    return ctx.render("login.html", status=422, entry=entry, next=ctx.form.get("next"))


@routes.post("/logout")
def logout(ctx: Context) -> Reply:
    """Log out."""
    ctx.log_out()
    return ctx.redirect("/")


@routes.get("/user/<name>/edit_biography")
def biography_form(ctx: Context, name: str) -> Reply:
    """The form for one's own biography."""
    row = _oneself(ctx, name)
    return ctx.render("biography.html", person=row, text=row["bio"], entry=Entry(ctx.form))


@routes.post("/user/<name>/edit_biography")
def biography(ctx: Context, name: str) -> Reply:
    """Another biography."""
    row = _oneself(ctx, name)
    entry = Entry(ctx.form)
    text = entry.text("biography", "Biography", max_length=2000, required=False)
    if entry.errors:
        return ctx.render("biography.html", status=422, person=row, text=text, entry=entry)
    ctx.db.execute("UPDATE forum_user SET bio = ? WHERE id = ?", (text, row["id"]))
    return ctx.redirect(f"/user/{row['name']}", "The biography was saved.")


def _oneself(ctx: Context, name: str) -> sqlite3.Row:
    user = ctx.require_user()
    if user["name"] != name:
        raise Forbidden("You may change only your own biography.")
    return user


def _switch(ctx: Context, table: str, columns: str, values: tuple[int, int], is_on: bool) -> None:
    """Insert or delete one row of a table that pairs two ids."""
    if is_on:
        ctx.db.execute(f"INSERT OR IGNORE INTO {table} ({columns}) VALUES (?, ?)", values)
    else:
        first, _, second = columns.partition(", ")
        ctx.db.execute(f"DELETE FROM {table} WHERE {first} = ? AND {second} = ?", values)


@routes.post("/f/<forum>/subscribe")
def subscribe(ctx: Context, forum: str) -> Reply:
    """Subscribe to a forum."""
    user, row = ctx.require_user(), forum_of(ctx, forum)
    _switch(ctx, "forum_subscription", "forum_id, user_id", (row["id"], user["id"]), True)
    return ctx.redirect(f"/f/{row['name']}")


@routes.post("/f/<forum>/unsubscribe")
def unsubscribe(ctx: Context, forum: str) -> Reply:
    """End a subscription."""
    user, row = ctx.require_user(), forum_of(ctx, forum)
    _switch(ctx, "forum_subscription", "forum_id, user_id", (row["id"], user["id"]), False)
    return ctx.redirect(f"/f/{row['name']}")


@routes.post("/f/<forum>/hide")
def hide(ctx: Context, forum: str) -> Reply:
    """Leave a forum out of front page and list of all."""
    user, row = ctx.require_user(), forum_of(ctx, forum)
    _switch(ctx, "forum_hidden", "user_id, forum_id", (user["id"], row["id"]), True)
    return ctx.redirect(f"/f/{row['name']}", "The forum is hidden from your front page.")


@routes.post("/f/<forum>/unhide")
def unhide(ctx: Context, forum: str) -> Reply:
    """Show a forum again."""
    user, row = ctx.require_user(), forum_of(ctx, forum)
    _switch(ctx, "forum_hidden", "user_id, forum_id", (user["id"], row["id"]), False)
    return ctx.redirect(f"/f/{row['name']}", "The forum is shown again.")


@routes.post("/user/<name>/block")
def block(ctx: Context, name: str) -> Reply:
    """Block a person: no messages, and no submissions of theirs in lists."""
    user, row = ctx.require_user(), user_of(ctx, name)
    if user["id"] == row["id"]:
        raise Forbidden("You cannot block yourself.")
    _switch(ctx, "forum_block", "user_id, blocked_id", (user["id"], row["id"]), True)
    return ctx.redirect(f"/user/{row['name']}", f"{row['name']} is blocked.")


@routes.post("/user/<name>/unblock")
def unblock(ctx: Context, name: str) -> Reply:
    """Block a person no longer."""
    user, row = ctx.require_user(), user_of(ctx, name)
    _switch(ctx, "forum_block", "user_id, blocked_id", (user["id"], row["id"]), False)
    return ctx.redirect(f"/user/{row['name']}", f"{row['name']} is no longer blocked.")


@routes.get("/settings")
def settings(ctx: Context) -> Reply:
    """What the user subscribed to, hid and blocked."""
    user = ctx.require_user()
    queries = {
        "subscribed": "SELECT f.name FROM forum_subscription x JOIN forum_forum f ON f.id = x.forum_id",
        "hidden": "SELECT f.name FROM forum_hidden x JOIN forum_forum f ON f.id = x.forum_id",
        "blocked": "SELECT u.name FROM forum_block x JOIN forum_user u ON u.id = x.blocked_id",
    }
    found = {
        key: [row["name"] for row in ctx.db.execute(f"{query} WHERE x.user_id = ? ORDER BY 1", (user["id"],))]
        for key, query in queries.items()
    }
    return ctx.render("settings.html", names=found)


@routes.get("/messages")
def messages(ctx: Context) -> Reply:
    """The user's threads, the latest message first."""
    user = ctx.require_user()
    rows = ctx.db.execute(
        "SELECT m.id, m.subject, u.name AS other, count(*) AS num_messages, max(r.created) AS latest"
        " FROM forum_message m JOIN forum_message r ON coalesce(r.thread_id, r.id) = m.id"
        " JOIN forum_user u ON u.id = CASE WHEN m.sender_id = ?1 THEN m.recipient_id ELSE m.sender_id END"
        " WHERE m.thread_id IS NULL AND (m.sender_id = ?1 OR m.recipient_id = ?1)"
        " GROUP BY m.id ORDER BY latest DESC, m.id DESC",
        (user["id"],),
    ).fetchall()
    return ctx.render("messages.html", threads=rows)


def _thread(ctx: Context, number: int) -> list[sqlite3.Row]:
    user = ctx.require_user()
    rows = ctx.db.execute(
        "SELECT m.id, m.subject, m.body, m.created, m.sender_id, m.recipient_id, u.name AS sender FROM forum_message m"
        " JOIN forum_user u ON u.id = m.sender_id WHERE coalesce(m.thread_id, m.id) = ? ORDER BY m.created, m.id",
        (number,),
    ).fetchall()
    if not rows or user["id"] not in (rows[0]["sender_id"], rows[0]["recipient_id"]):
        raise NotFound("There is no such message.")
    return rows


@routes.get("/messages/<int:number>")
def thread(ctx: Context, number: int) -> Reply:
    """A thread, and the form to reply."""
    return ctx.render("thread.html", number=number, messages=_thread(ctx, number), entry=Entry(ctx.form))


@routes.post("/messages/<int:number>")
def reply(ctx: Context, number: int) -> Reply:
    """A reply in a thread."""
    user, rows = ctx.require_user(), _thread(ctx, number)
    entry = Entry(ctx.form)
    body = entry.text("body", "Message", max_length=5000)
    if entry.errors:
        return ctx.render("thread.html", status=422, number=number, messages=rows, entry=entry)
    pair = (rows[0]["sender_id"], rows[0]["recipient_id"])
    other = pair[1] if pair[0] == user["id"] else pair[0]
    ctx.db.execute(
        "INSERT INTO forum_message (thread_id, sender_id, recipient_id, subject, body, created)"
        " VALUES (?, ?, ?, '', ?, ?)",
        (number, user["id"], other, body, ctx.now),
    )
    return ctx.redirect(f"/messages/{number}")


@routes.get("/user/<name>/compose_message")
def compose_form(ctx: Context, name: str) -> Reply:
    """The form for a message to a person."""
    ctx.require_user()
    return ctx.render("compose.html", person=user_of(ctx, name), entry=Entry(ctx.form))


@routes.post("/user/<name>/compose_message")
def compose(ctx: Context, name: str) -> Reply:
    """A message that begins a thread."""
    user, row = ctx.require_user(), user_of(ctx, name)
    if user["id"] == row["id"] or row["is_blocked"]:
        raise Forbidden("You cannot write to yourself, nor to people whom you block.")
    entry = Entry(ctx.form)
    subject = entry.text("subject", "Subject", max_length=200)
    body = entry.text("body", "Message", max_length=5000)
    if entry.errors:
        return ctx.render("compose.html", status=422, person=row, entry=entry)
    cursor = ctx.db.execute(
        "INSERT INTO forum_message (sender_id, recipient_id, subject, body, created) VALUES (?, ?, ?, ?, ?)",
        (user["id"], row["id"], subject, body, ctx.now),
    )
    return ctx.redirect(f"/messages/{cursor.lastrowid}", "The message was sent.")
