"""The home page's pages."""

from __future__ import annotations

import sqlite3

from sojourn.envs.web.sites.framework import Context, Entry, NotFound, Reply, Routes
from sojourn.envs.web.sites.home.calculator import MAX_LENGTH, CalculationError, calculate

routes = Routes()
SITES = (
    ("shop", "/", "OneStopMarket", "An online shop"),
    ("admin", "/admin", "Luma admin", "The back office of an online shop"),
    ("forum", "/", "Reddit", "A forum for many topics"),
    ("code", "/", "GitLab", "Projects, issues and merge requests"),
    ("wiki", "/", "Wikipedia", "An encyclopedia that anyone can edit"),
    ("map", "/", "OpenStreetMap", "Places, directions and distances"),
)
"""Site, where to begin, name and what it is."""
ACCOUNTS = (
    ("OneStopMarket", "emma.lopez@gmail.com", "Password.123"),
    ("Luma admin", "admin", "admin1234"),
    ("Reddit", "MarvelsGrantMan136", "test1234"),
    ("GitLab", "byteblaze", "hello1234"),
)
"""Site name, login and password of the accounts that are the reader's own."""


@routes.get("/")
def home(ctx: Context) -> Reply:
    """Links to every site."""
    sites = [(ctx.link(site, path), name, about) for site, path, name, about in SITES]
    return ctx.render("home.html", sites=sites)


@routes.get("/password")
def accounts(ctx: Context) -> Reply:
    """The reader's accounts on the sites."""
    return ctx.render("accounts.html", accounts=ACCOUNTS)


@routes.get("/help")
def help_page(ctx: Context) -> Reply:
    """How to use the sites."""
    return ctx.render("help.html")


@routes.get("/calculator")
def calculator(ctx: Context) -> Reply:
    """A form for a calculation, and its result."""
    text, result, error = ctx.query.get("expression")[: MAX_LENGTH + 1], None, None
    if text:
        try:
            result = calculate(text)
        except CalculationError as refusal:
            error = str(refusal)
    return ctx.render("calculator.html", text=text, result=result, error=error)


@routes.get("/scratchpad")
def scratchpad(ctx: Context) -> Reply:
    """The notes, and the form for a new one."""
    return _scratchpad(ctx, Entry(ctx.form))


def _scratchpad(ctx: Context, entry: Entry) -> Reply:
    notes = ctx.db.execute("SELECT id, title, created FROM home_note ORDER BY id").fetchall()
    return ctx.render("scratchpad.html", status=422 if entry.errors else 200, notes=notes, entry=entry)


def _read(ctx: Context, entry: Entry, note_id: int) -> tuple[str, str]:
    title = entry.text("title", "Title", max_length=100)
    body = entry.text("body", "Text", max_length=5000, required=False)
    if ctx.db.execute("SELECT 1 FROM home_note WHERE title = ? AND id <> ?", (title, note_id)).fetchone():
        entry.refuse("title", "There is a note of this title.")
    return title, body


@routes.post("/scratchpad")
def new_note(ctx: Context) -> Reply:
    """A new note."""
    entry = Entry(ctx.form)
    title, body = _read(ctx, entry, 0)
    if entry.errors:
        return _scratchpad(ctx, entry)
    ctx.db.execute("INSERT INTO home_note (title, body, created) VALUES (?, ?, ?)", (title, body, ctx.now))
    return ctx.redirect("/scratchpad", f"The note {title} was saved.")


def _note(ctx: Context, note_id: int) -> sqlite3.Row:
    row: sqlite3.Row | None = ctx.db.execute("SELECT * FROM home_note WHERE id = ?", (note_id,)).fetchone()
    if row is None:
        raise NotFound("There is no such note.")
    return row


@routes.get("/scratchpad/<int:note_id>")
def note(ctx: Context, note_id: int) -> Reply:
    """A note, and the form to change it."""
    row = _note(ctx, note_id)
    return ctx.render("note.html", note=row, title=row["title"], body=row["body"], entry=Entry(ctx.form))


@routes.post("/scratchpad/<int:note_id>")
def change_note(ctx: Context, note_id: int) -> Reply:
    """Another title and text of a note."""
    row = _note(ctx, note_id)
    entry = Entry(ctx.form)
    title, body = _read(ctx, entry, note_id)
    if entry.errors:
        return ctx.render("note.html", status=422, note=row, title=title, body=body, entry=entry)
    ctx.db.execute("UPDATE home_note SET title = ?, body = ? WHERE id = ?", (title, body, note_id))
    return ctx.redirect("/scratchpad", f"The note {title} was saved.")


@routes.post("/scratchpad/<int:note_id>/delete")
def delete_note(ctx: Context, note_id: int) -> Reply:
    """Delete a note."""
    row = _note(ctx, note_id)
    ctx.db.execute("DELETE FROM home_note WHERE id = ?", (note_id,))
    return ctx.redirect("/scratchpad", f"The note {row['title']} was deleted.")
