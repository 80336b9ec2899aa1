"""Writing in the forum: submissions, comments, editing, deleting, votes."""

from __future__ import annotations

import re
import sqlite3
from typing import Any

from sojourn.envs.web.sites.forum.browse import comment_of, comment_page, submission_page
from sojourn.envs.web.sites.forum.queries import forum_of, page_path, submission_of
from sojourn.envs.web.sites.framework import Context, Entry, Forbidden, Reply, Routes

routes = Routes()
_URL = re.compile(r"https?://[A-Za-z0-9.-]{1,100}(:[0-9]{1,5})?(/[^\s<>\"]{0,400})?")
_FORUM_NAME = re.compile(r"[A-Za-z0-9_]{3,25}")
_MAX_BODY = 10_000


@routes.get("/submit")
def submit_anywhere(ctx: Context) -> Reply:
    """The form for a submission to a forum that is still to be chosen."""
    ctx.require_user()
    return _submit_page(ctx, "", Entry(ctx.form))


@routes.get("/submit/<forum>")
def submit_to(ctx: Context, forum: str) -> Reply:
    """The form for a submission to a forum."""
    ctx.require_user()
    return _submit_page(ctx, forum_of(ctx, forum)["name"], Entry(ctx.form))


def _submit_page(ctx: Context, forum: str, entry: Entry) -> Reply:
    names = [row["name"] for row in ctx.db.execute("SELECT name FROM forum_forum ORDER BY name COLLATE NOCASE")]
    return ctx.render("submit.html", status=422 if entry.errors else 200, chosen=forum, forums=names, entry=entry)


@routes.post("/submit")
def submit(ctx: Context) -> Reply:
    """A new submission: a text, or a link."""
    user = ctx.require_user()
    entry = Entry(ctx.form)
    title = entry.text("title", "Title", max_length=300)
    url = entry.text("url", "URL", max_length=500, required=False)
    body = entry.text("body", "Body", max_length=_MAX_BODY, required=False)
    name = entry.text("forum", "Forum", max_length=60)
    if url and not _URL.fullmatch(url):
        entry.refuse("url", "URL must begin with http:// or https://.")
    found = ctx.db.execute("SELECT id FROM forum_forum WHERE name = ?", (name,)).fetchone()
    if name and found is None:
        entry.refuse("forum", "There is no such forum.")
    if entry.errors:
        return _submit_page(ctx, name, entry)
    cursor = ctx.db.execute(
        "INSERT INTO forum_submission (forum_id, user_id, title, url, body, created, ups, downs)"
        " VALUES (?, ?, ?, ?, ?, ?, 1, 0)",
        (found["id"], user["id"], title, url, body, ctx.now),
    )
    return ctx.redirect(f"/f/{name}/{cursor.lastrowid}")


@routes.get("/create_forum")
def forum_form(ctx: Context) -> Reply:
    """The form for a new forum."""
    ctx.require_user()
    return ctx.render("create_forum.html", entry=Entry(ctx.form))


@routes.post("/create_forum")
def create_forum(ctx: Context) -> Reply:
    """A new forum, owned by the user."""
    user = ctx.require_user()
    entry = Entry(ctx.form)
    name = entry.text("name", "Name", max_length=25)
    title = entry.text("title", "Title", max_length=100)
    description = entry.text("description", "Description", max_length=300)
    sidebar = entry.text("sidebar", "Sidebar", max_length=2000, required=False)
    if name and not _FORUM_NAME.fullmatch(name):
        entry.refuse("name", "Name must be 3 to 25 letters, digits or underscores.")
    elif ctx.db.execute("SELECT 1 FROM forum_forum WHERE name = ?", (name,)).fetchone():
        entry.refuse("name", "There is a forum of this name.")
    if entry.errors:
        return ctx.render("create_forum.html", status=422, entry=entry)
    ctx.db.execute(
        "INSERT INTO forum_forum (name, title, description, sidebar, owner_id, created) VALUES (?, ?, ?, ?, ?, ?)",
        (name, title, description, sidebar, user["id"], ctx.now),
    )
    return ctx.redirect(f"/f/{name}", "The forum was created.")


def _add_comment(ctx: Context, row: sqlite3.Row, parent_id: int | None, body: str) -> Reply:
    user = ctx.require_user()
    ctx.db.execute(
        "INSERT INTO forum_comment (submission_id, parent_id, user_id, body, created, ups, downs)"
        " VALUES (?, ?, ?, ?, ?, 1, 0)",
        (row["id"], parent_id, user["id"], body, ctx.now),
    )
    return ctx.redirect(page_path(row))


@routes.post("/f/<forum>/<int:number>/comment")
def add_comment(ctx: Context, forum: str, number: int) -> Reply:
    """A comment on a submission."""
    ctx.require_user()
    row = submission_of(ctx, forum, number)
    entry = Entry(ctx.form)
    body = entry.text("body", "Comment", max_length=_MAX_BODY)
    if entry.errors:
        return submission_page(ctx, row, entry)
    return _add_comment(ctx, row, None, body)


@routes.post("/f/<forum>/<int:number>/comment/<int:comment_id>/reply")
def reply(ctx: Context, forum: str, number: int, comment_id: int) -> Reply:
    """A reply to a comment."""
    ctx.require_user()
    row = submission_of(ctx, forum, number)
    comment_of(ctx, row["id"], comment_id)
    entry = Entry(ctx.form)
    body = entry.text("body", "Reply", max_length=_MAX_BODY)
    if entry.errors:
        return comment_page(ctx, row, comment_id, entry)
    return _add_comment(ctx, row, comment_id, body)


def _own(ctx: Context, row: sqlite3.Row) -> None:
    if row["user_id"] != ctx.require_user()["id"]:
        raise Forbidden("Only the author may do that.")


@routes.get("/f/<forum>/<int:number>/edit")
def edit_form(ctx: Context, forum: str, number: int) -> Reply:
    """The form to change one's own submission."""
    row = submission_of(ctx, forum, number)
    _own(ctx, row)
    return _edit_page(ctx, row, {"title": row["title"], "body": row["body"]}, Entry(ctx.form))


def _edit_page(ctx: Context, row: sqlite3.Row, values: dict[str, Any], entry: Entry) -> Reply:
    status = 422 if entry.errors else 200
    return ctx.render("edit_submission.html", status=status, submission=row, values=values, entry=entry)


@routes.post("/f/<forum>/<int:number>/edit")
def edit(ctx: Context, forum: str, number: int) -> Reply:
    """Change title and text of one's own submission."""
    row = submission_of(ctx, forum, number)
    _own(ctx, row)
    entry = Entry(ctx.form)
    title = entry.text("title", "Title", max_length=300)
    body = entry.text("body", "Body", max_length=_MAX_BODY, required=False)
    if entry.errors:
        return _edit_page(ctx, row, entry.values, entry)
    values = (title, body, ctx.now, row["id"])
    ctx.db.execute("UPDATE forum_submission SET title = ?, body = ?, edited = ? WHERE id = ?", values)
    return ctx.redirect(page_path(row), "The submission was changed.")


@routes.post("/f/<forum>/<int:number>/delete")
def delete(ctx: Context, forum: str, number: int) -> Reply:
    """Delete one's own submission with everything under it."""
    row = submission_of(ctx, forum, number)
    _own(ctx, row)
    ctx.db.execute("UPDATE forum_comment SET parent_id = NULL WHERE submission_id = ?", (row["id"],))
    ctx.db.execute("DELETE FROM forum_submission WHERE id = ?", (row["id"],))
    return ctx.redirect(f"/f/{row['forum']}", "The submission was deleted.")


@routes.get("/f/<forum>/<int:number>/comment/<int:comment_id>/edit")
def edit_comment_form(ctx: Context, forum: str, number: int, comment_id: int) -> Reply:
    """The form to change one's own comment."""
    row = submission_of(ctx, forum, number)
    shown = comment_of(ctx, row["id"], comment_id)
    _own(ctx, shown)
    return _edit_comment_page(ctx, row, shown, shown["body"], Entry(ctx.form))


def _edit_comment_page(ctx: Context, row: sqlite3.Row, shown: sqlite3.Row, text: str, entry: Entry) -> Reply:
    return ctx.render(
        "comment.html",
        status=422 if entry.errors else 200,
        submission=row,
        comment=shown,
        entry=entry,
        heading="Edit comment",
        label="Comment",
        text=text,
        button="Save comment",
        action="edit",
    )


@routes.post("/f/<forum>/<int:number>/comment/<int:comment_id>/edit")
def edit_comment(ctx: Context, forum: str, number: int, comment_id: int) -> Reply:
    """Change one's own comment."""
    row = submission_of(ctx, forum, number)
    shown = comment_of(ctx, row["id"], comment_id)
    _own(ctx, shown)
    entry = Entry(ctx.form)
    body = entry.text("body", "Comment", max_length=_MAX_BODY)
    if entry.errors:
        return _edit_comment_page(ctx, row, shown, body, entry)
    ctx.db.execute("UPDATE forum_comment SET body = ?, edited = ? WHERE id = ?", (body, ctx.now, comment_id))
    return ctx.redirect(page_path(row), "The comment was changed.")


@routes.post("/f/<forum>/<int:number>/comment/<int:comment_id>/delete")
def delete_comment(ctx: Context, forum: str, number: int, comment_id: int) -> Reply:
    """Delete one's own comment; one with replies stays, without text and author."""
    row = submission_of(ctx, forum, number)
    _own(ctx, comment_of(ctx, row["id"], comment_id))
    if ctx.db.execute("SELECT 1 FROM forum_comment WHERE parent_id = ?", (comment_id,)).fetchone():
        ctx.db.execute("UPDATE forum_comment SET user_id = NULL, body = '[deleted]' WHERE id = ?", (comment_id,))
    else:
        ctx.db.execute("DELETE FROM forum_comment WHERE id = ?", (comment_id,))
    return ctx.redirect(page_path(row), "The comment was deleted.")


def _vote(ctx: Context, table: str, key: str, row: sqlite3.Row) -> None:
    """Set or take back the user's vote on a submission or comment of somebody else."""
    user = ctx.require_user()
    value = ctx.form.integer("choice", 0, low=-1, high=1)
    if row["user_id"] == user["id"]:
        raise Forbidden("You cannot vote on what you wrote.")
    if value:
        ctx.db.execute(
            f"INSERT INTO {table} VALUES (?, ?, ?) ON CONFLICT ({key}, user_id) DO UPDATE SET value = excluded.value",
            (row["id"], user["id"], value),
        )
    else:
        ctx.db.execute(f"DELETE FROM {table} WHERE {key} = ? AND user_id = ?", (row["id"], user["id"]))


@routes.post("/f/<forum>/<int:number>/vote")
def vote(ctx: Context, forum: str, number: int) -> Reply:
    """Vote on a submission: 1, -1, or 0 to take the vote back."""
    ctx.require_user()
    row = submission_of(ctx, forum, number)
    _vote(ctx, "forum_vote", "submission_id", row)
    return ctx.redirect(page_path(row))


@routes.post("/f/<forum>/<int:number>/comment/<int:comment_id>/vote")
def vote_comment(ctx: Context, forum: str, number: int, comment_id: int) -> Reply:
    """Vote on a comment: 1, -1, or 0 to take the vote back."""
    ctx.require_user()
    row = submission_of(ctx, forum, number)
    _vote(ctx, "forum_comment_vote", "comment_id", comment_of(ctx, row["id"], comment_id))
    return ctx.redirect(page_path(row))
