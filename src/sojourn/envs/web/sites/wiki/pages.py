"""The wiki's pages: articles, categories, search, history, differences, editing. It needs no account."""

from __future__ import annotations

import sqlite3

from sojourn.envs.web.sites.framework import Context, Entry, NotFound, Reply, Routes
from sojourn.envs.web.sites.lists import like, page_of
from sojourn.envs.web.sites.wiki.changes import line_changes
from sojourn.envs.web.sites.wiki.markup import body_html, inline, parse, plain, title_path
from sojourn.envs.web.sites.wiki.store import save

routes = Routes()
PER_PAGE = 20
VISITOR = "Visitor"
"""The author of edits that are made on the site."""
_START = "Veldmark"


def _title(text: str) -> str:
    return text.replace("_", " ").strip()


def _article(db: sqlite3.Connection, title: str) -> sqlite3.Row | None:
    row: sqlite3.Row | None = db.execute(
        "SELECT a.id, a.title, a.revision_id, r.text, r.created, r.author FROM wiki_article a"
        " JOIN wiki_revision r ON r.id = a.revision_id WHERE a.title = ?",
        (title,),
    ).fetchone()
    return row


def _existing(db: sqlite3.Connection, title: str) -> sqlite3.Row:
    row = _article(db, title)
    if row is None:
        raise NotFound("Wikipedia does not have an article with this exact name.")
    return row


@routes.get("/")
def home(ctx: Context) -> Reply:
    """The main page: how much there is, and where to begin."""
    count = ctx.db.execute("SELECT count(*) FROM wiki_article").fetchone()[0]
    towns = ctx.db.execute(
        "SELECT a.title FROM wiki_category c JOIN wiki_article a ON a.id = c.article_id WHERE c.category = ?"
        " ORDER BY a.title",
        (f"Towns of {_START}",),
    ).fetchall()
    return ctx.render("home.html", count=count, start=_START, towns=[row["title"] for row in towns])


@routes.get("/wiki/<path:name>")
def article(ctx: Context, name: str) -> Reply:
    """An article; for a title without one, where to write it."""
    title = _title(name)
    row = _article(ctx.db, title)
    if row is None:
        return ctx.render("missing.html", status=404, title=title)
    return _shown(ctx, row["title"], row["text"], None, f"This page was last edited on {row['created'][:10]}.")


def _shown(ctx: Context, title: str, text: str, revision: sqlite3.Row | None, edited: str) -> Reply:
    parsed = parse(text)
    facts = [(name, inline(value)) for name, value in parsed.facts]
    return ctx.render(
        "article.html",
        title=title,
        facts=facts,
        body=body_html(parsed),
        headings=parsed.headings,
        categories=sorted(parsed.categories),
        revision=revision,
        edited=edited,
    )


@routes.get("/category/<path:name>")
def category(ctx: Context, name: str) -> Reply:
    """The articles of a category."""
    title = _title(name)
    total = ctx.db.execute("SELECT count(*) FROM wiki_category WHERE category = ?", (title,)).fetchone()[0]
    if not total:
        raise NotFound("There is no such category.")
    paging = page_of(ctx, total, 50)
    rows = ctx.db.execute(
        "SELECT a.title FROM wiki_category c JOIN wiki_article a ON a.id = c.article_id WHERE c.category = ?"
        " ORDER BY a.title LIMIT 50 OFFSET ?",
        (title, paging.offset),
    ).fetchall()
    return ctx.render("category.html", title=title, titles=[row["title"] for row in rows], paging=paging)


@routes.get("/categories")
def categories(ctx: Context) -> Reply:
    """All categories with the number of articles in each."""
    rows = ctx.db.execute(
        "SELECT category, count(*) AS num_articles FROM wiki_category GROUP BY category ORDER BY category"
    ).fetchall()
    return ctx.render("categories.html", rows=rows)


@routes.get("/search")
def search(ctx: Context) -> Reply:
    """Articles that hold every word: those with the words in their titles first."""
    text = ctx.query.get("search")[:200]
    words = [like(word) for word in text.split()[:10]]
    if not words:
        return ctx.render("search.html", text=text, rows=[], paging=None)
    whole = " AND ".join("(a.title LIKE ? ESCAPE '\\' OR r.text LIKE ? ESCAPE '\\')" for _ in words)
    head = " AND ".join("a.title LIKE ? ESCAPE '\\'" for _ in words)
    source = f"FROM wiki_article a JOIN wiki_revision r ON r.id = a.revision_id WHERE {whole}"
    doubled = [word for word in words for _ in range(2)]
    paging = page_of(ctx, ctx.db.execute(f"SELECT count(*) {source}", doubled).fetchone()[0], PER_PAGE)
    found = ctx.db.execute(
        f"SELECT a.title, r.text {source} ORDER BY a.title = ? COLLATE NOCASE DESC, {head} DESC, a.title"
        f" LIMIT {PER_PAGE} OFFSET {paging.offset}",
        (*doubled, text, *words),
    ).fetchall()
    rows = [(row["title"], _first_sentence(row["text"])) for row in found]
    return ctx.render("search.html", text=text, rows=rows, paging=paging)


def _first_sentence(text: str) -> str:
    first = next((lines[0] for kind, lines in parse(text).blocks if kind == "p"), "")
    return plain(first)[:200]


@routes.get("/history/<path:name>")
def history(ctx: Context, name: str) -> Reply:
    """The revisions of an article, newest first."""
    row = _existing(ctx.db, _title(name))
    total = ctx.db.execute("SELECT count(*) FROM wiki_revision WHERE article_id = ?", (row["id"],)).fetchone()[0]
    paging = page_of(ctx, total, PER_PAGE)
    rows = ctx.db.execute(
        "SELECT id, author, created, summary, length(text) AS num_characters FROM wiki_revision WHERE article_id = ?"
        " ORDER BY id DESC LIMIT ? OFFSET ?",
        (row["id"], PER_PAGE, paging.offset),
    ).fetchall()
    return ctx.render("history.html", title=row["title"], rows=rows, paging=paging, shown=row["revision_id"])


def _revision(db: sqlite3.Connection, number: int) -> sqlite3.Row:
    row: sqlite3.Row | None = db.execute(
        "SELECT r.id, r.article_id, r.author, r.created, r.summary, r.text, a.title FROM wiki_revision r"
        " JOIN wiki_article a ON a.id = r.article_id WHERE r.id = ?",
        (number,),
    ).fetchone()
    if row is None:
        raise NotFound("There is no such revision.")
    return row


@routes.get("/revision/<int:number>")
def revision(ctx: Context, number: int) -> Reply:
    """An article as it was."""
    row = _revision(ctx.db, number)
    return _shown(ctx, row["title"], row["text"], row, f"This is how the page was on {row['created'][:10]}.")


@routes.get("/diff/<int:number>")
def diff(ctx: Context, number: int) -> Reply:
    """What a revision changed in the one before it, line by line."""
    new = _revision(ctx.db, number)
    old = ctx.db.execute(
        "SELECT id, author, created, text FROM wiki_revision WHERE article_id = ? AND id < ? ORDER BY id DESC LIMIT 1",
        (new["article_id"], number),
    ).fetchone()
    changes = line_changes(old["text"] if old is not None else "", new["text"])
    return ctx.render("diff.html", new=new, old=old, changes=changes)


@routes.get("/links/<path:name>")
def links(ctx: Context, name: str) -> Reply:
    """The articles that link to a title."""
    title = _title(name)
    rows = ctx.db.execute(
        "SELECT a.title FROM wiki_article a JOIN wiki_revision r ON r.id = a.revision_id"
        " WHERE instr(r.text, ?) OR instr(r.text, ?) ORDER BY a.title LIMIT 500",
        (f"[[{title}]]", f"[[{title}|"),
    ).fetchall()
    return ctx.render("links.html", title=title, titles=[row["title"] for row in rows])


@routes.get("/recent")
def recent(ctx: Context) -> Reply:
    """The latest edits of all articles."""
    rows = ctx.db.execute(
        "SELECT r.id, r.author, r.created, r.summary, a.title FROM wiki_revision r"
        " JOIN wiki_article a ON a.id = r.article_id ORDER BY r.created DESC, r.id DESC LIMIT 30"
    ).fetchall()
    return ctx.render("recent.html", rows=rows)


@routes.get("/edit/<path:name>")
def edit_form(ctx: Context, name: str) -> Reply:
    """The form to change an article, or to write one."""
    title = _title(name)
    row = _article(ctx.db, title)
    return _form_page(ctx, title, row is None, row["text"] if row is not None else "", Entry(ctx.form))


def _form_page(ctx: Context, title: str, is_new: bool, text: str, entry: Entry) -> Reply:
    status = 422 if entry.errors else 200
    return ctx.render("edit.html", status=status, title=title, is_new=is_new, text=text, entry=entry)


@routes.post("/edit/<path:name>")
def edit(ctx: Context, name: str) -> Reply:
    """Save another text of an article, or a new article."""
    title = _title(name)
    row = _article(ctx.db, title)
    entry = Entry(ctx.form)
    text = entry.text("text", "Text", max_length=40_000)
    summary = entry.text("summary", "Summary", max_length=200, required=False)
    if not title or len(title) > 120 or any(mark in title for mark in "[]{}|#<>"):
        entry.refuse("title", "A title has at most 120 characters and none of [ ] { } | # < >.")
    elif row is not None and row["text"] == text:
        entry.refuse("text", "Nothing was changed.")
    if entry.errors:
        return _form_page(ctx, title, row is None, text, entry)
    save(ctx.db, title, author=VISITOR, created=ctx.now, summary=summary, text=text)
    return ctx.redirect(f"/wiki/{title_path(title)}", "Your edit was saved.")
