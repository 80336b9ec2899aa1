"""Reading the forum: front page, forums, submissions with their comments, search, people."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, field

from sojourn.envs.web.sites.forum.queries import (
    COLUMNS,
    COMMENT_POINTS,
    PER_PAGE,
    SORTS,
    SOURCE,
    forum_of,
    listing,
    submission_of,
    user_of,
)
from sojourn.envs.web.sites.framework import Context, Entry, NotFound, Reply, Routes
from sojourn.envs.web.sites.lists import Filter, like, me_of, page_of

routes = Routes()
MAX_DEPTH = 12
"""Levels of replies that are shown one within the other."""
_COMMENT_SORTS = {"best": "points DESC, c.id", "new": "c.created DESC, c.id DESC", "old": "c.created, c.id"}
_FORUM_SORTS = {
    "name": "f.name COLLATE NOCASE",
    "subscribers": "num_subscribers DESC, f.name",
    "submissions": "num_submissions DESC, f.name",
}
_COMMENT_COLUMNS = f"""
    c.id, c.parent_id, c.user_id, c.body, c.created, c.edited, u.name AS author, {COMMENT_POINTS} AS points
"""


@dataclass(kw_only=True, slots=True)
class Node:
    """A comment with its replies."""

    row: sqlite3.Row
    replies: list[Node] = field(default_factory=list)


@routes.get("/")
def home(ctx: Context) -> Reply:
    """The front page: hot submissions."""
    return front(ctx, "hot")


@routes.get("/all")
def everything(ctx: Context) -> Reply:
    """Hot submissions of every forum."""
    return all_sorted(ctx, "hot")


@routes.get("/all/<sort>")
def all_sorted(ctx: Context, sort: str) -> Reply:
    """Submissions of every forum in another order."""
    wanted = Filter()
    wanted.add("s.forum_id NOT IN (SELECT forum_id FROM forum_hidden WHERE user_id = :me)")
    return listing(ctx, "front.html", wanted, sort, heading="All forums", base="/all")


@routes.get("/forums")
def forums(ctx: Context) -> Reply:
    """All forums."""
    sort = ctx.query.choice("sort", tuple(_FORUM_SORTS), "name")
    rows = ctx.db.execute(
        "SELECT f.name, f.title, f.description,"
        " (SELECT count(*) FROM forum_subscription b WHERE b.forum_id = f.id) AS num_subscribers,"
        " (SELECT count(*) FROM forum_submission s WHERE s.forum_id = f.id) AS num_submissions"
        f" FROM forum_forum f ORDER BY {_FORUM_SORTS[sort]}"
    ).fetchall()
    return ctx.render("forums.html", forums=rows, sort=sort, sorts=tuple(_FORUM_SORTS))


@routes.get("/search")
def search(ctx: Context) -> Reply:
    """Submissions that hold every word in title or text."""
    text = ctx.query.get("q")[:200]
    wanted = Filter()
    for number, word in enumerate(text.split()[:10]):
        name = f"w{number}"
        wanted.add(f"(s.title LIKE :{name} ESCAPE '\\' OR s.body LIKE :{name} ESCAPE '\\')", **{name: like(word)})
    if not wanted.clauses:
        wanted.add("0")
    if forum := ctx.query.get("forum"):
        wanted.add("f.name = :forum", forum=forum)
    sort = ctx.query.choice("sort", tuple(SORTS), "hot")
    names = [row["name"] for row in ctx.db.execute("SELECT name FROM forum_forum ORDER BY name COLLATE NOCASE")]
    return listing(ctx, "search.html", wanted, sort, text=text, forums=names)


@routes.get("/f/<forum>")
def forum(ctx: Context, forum: str) -> Reply:
    """The hot submissions of a forum."""
    return forum_sorted(ctx, forum, "hot")


@routes.get("/f/<forum>/<int:number>")
def submission(ctx: Context, forum: str, number: int) -> Reply:
    """A submission with its comments."""
    return submission_page(ctx, submission_of(ctx, forum, number), Entry(ctx.form))


@routes.get("/f/<forum>/<sort>")
def forum_sorted(ctx: Context, forum: str, sort: str) -> Reply:
    """The submissions of a forum in another order."""
    row = forum_of(ctx, forum)
    wanted = Filter()
    wanted.add("s.forum_id = :forum", forum=row["id"])
    return listing(ctx, "forum.html", wanted, sort, forum=row, base=f"/f/{row['name']}")


def submission_page(ctx: Context, row: sqlite3.Row, entry: Entry) -> Reply:
    """The page of a submission; `entry` holds what was wrong with a comment that was sent."""
    sort = ctx.query.choice("sort", tuple(_COMMENT_SORTS), "best")
    comments = ctx.db.execute(
        f"SELECT {_COMMENT_COLUMNS},"
        " coalesce((SELECT value FROM forum_comment_vote v WHERE v.comment_id = c.id AND v.user_id = :me), 0) AS vote"
        " FROM forum_comment c LEFT JOIN forum_user u ON u.id = c.user_id WHERE c.submission_id = :id"
        f" ORDER BY {_COMMENT_SORTS[sort]}",
        {"me": me_of(ctx), "id": row["id"]},
    ).fetchall()
    return ctx.render(
        "submission.html",
        status=422 if entry.errors else 200,
        submission=row,
        tree=_tree(comments),
        entry=entry,
        sort=sort,
        sorts=tuple(_COMMENT_SORTS),
        url=ctx.local(row["url"]),
        me=me_of(ctx),
    )


def _tree(rows: list[sqlite3.Row]) -> list[Node]:
    """Comments as threads, in the order given on every level; what is nested too deep stands beside its parent."""
    nodes: Mapping[int, Node] = {row["id"]: Node(row=row) for row in rows}
    roots: list[Node] = []
    beside: dict[int, list[Node]] = {}
    depth: dict[int, int] = {}
    for number in sorted(nodes):  # a reply has a higher id than what it replies to
        parent = nodes[number].row["parent_id"]
        depth[number] = 0 if parent is None else min(depth[parent] + 1, MAX_DEPTH)
        is_too_deep = parent is not None and depth[parent] == MAX_DEPTH
        level = roots if parent is None else beside[parent] if is_too_deep else nodes[parent].replies
        level.append(nodes[number])
        beside[number] = level
    place = {number: index for index, number in enumerate(nodes)}
    for level in [roots, *(node.replies for node in nodes.values())]:
        level.sort(key=lambda node: place[node.row["id"]])
    return roots


def comment_of(ctx: Context, submission_id: int, number: int) -> sqlite3.Row:
    """A comment on a submission; raises `NotFound`."""
    row: sqlite3.Row | None = ctx.db.execute(
        f"SELECT {_COMMENT_COLUMNS} FROM forum_comment c LEFT JOIN forum_user u ON u.id = c.user_id"
        " WHERE c.id = ? AND c.submission_id = ?",
        (number, submission_id),
    ).fetchone()
    if row is None:
        raise NotFound("There is no such comment.")
    return row


@routes.get("/f/<forum>/<int:number>/comment/<int:comment_id>")
def comment(ctx: Context, forum: str, number: int, comment_id: int) -> Reply:
    """One comment, and the form to reply to it."""
    return comment_page(ctx, submission_of(ctx, forum, number), comment_id, Entry(ctx.form))


def comment_page(ctx: Context, row: sqlite3.Row, comment_id: int, entry: Entry) -> Reply:
    """The page of a comment; `entry` holds what was wrong with a reply that was sent."""
    shown = comment_of(ctx, row["id"], comment_id)
    return ctx.render(
        "comment.html",
        status=422 if entry.errors else 200,
        submission=row,
        comment=shown,
        entry=entry,
        heading="Reply to comment",
        label="Reply",
        text=entry.values.get("body", ""),
        button="Post reply",
        action="reply",
    )


@routes.get("/user/<name>")
def user(ctx: Context, name: str) -> Reply:
    """A person: biography and what there is of them."""
    row = user_of(ctx, name)
    counts = ctx.db.execute(
        "SELECT (SELECT count(*) FROM forum_submission WHERE user_id = ?1) AS num_submissions,"
        " (SELECT count(*) FROM forum_comment WHERE user_id = ?1) AS num_comments",
        (row["id"],),
    ).fetchone()
    return ctx.render("user.html", person=row, counts=counts)


@routes.get("/user/<name>/submissions")
def submissions_of(ctx: Context, name: str) -> Reply:
    """What a person submitted, newest first."""
    row = user_of(ctx, name)
    total = ctx.db.execute("SELECT count(*) FROM forum_submission WHERE user_id = ?", (row["id"],)).fetchone()[0]
    paging = page_of(ctx, total, PER_PAGE)
    rows = ctx.db.execute(
        f"SELECT {COLUMNS} {SOURCE} WHERE s.user_id = ? ORDER BY s.created DESC, s.id DESC LIMIT ? OFFSET ?",
        (row["id"], PER_PAGE, paging.offset),
    ).fetchall()
    return ctx.render("user_submissions.html", person=row, submissions=rows, paging=paging)


@routes.get("/user/<name>/comments")
def comments_of(ctx: Context, name: str) -> Reply:
    """What a person commented, newest first."""
    row = user_of(ctx, name)
    total = ctx.db.execute("SELECT count(*) FROM forum_comment WHERE user_id = ?", (row["id"],)).fetchone()[0]
    paging = page_of(ctx, total, PER_PAGE)
    rows = ctx.db.execute(
        f"SELECT c.id, c.body, c.created, {COMMENT_POINTS} AS points, s.id AS submission_id, s.title, f.name AS forum"
        " FROM forum_comment c JOIN forum_submission s ON s.id = c.submission_id"
        " JOIN forum_forum f ON f.id = s.forum_id WHERE c.user_id = ?"
        " ORDER BY c.created DESC, c.id DESC LIMIT ? OFFSET ?",
        (row["id"], PER_PAGE, paging.offset),
    ).fetchall()
    return ctx.render("user_comments.html", person=row, comments=rows, paging=paging)


@routes.get("/<sort>")
def front(ctx: Context, sort: str) -> Reply:
    """The front page in an order: of the forums that the user subscribed to, of all for others."""
    wanted = Filter()
    wanted.add("s.forum_id NOT IN (SELECT forum_id FROM forum_hidden WHERE user_id = :me)", me=me_of(ctx))
    heading = "All forums"
    if ctx.db.execute("SELECT 1 FROM forum_subscription WHERE user_id = ?", (me_of(ctx),)).fetchone():
        wanted.add("s.forum_id IN (SELECT forum_id FROM forum_subscription WHERE user_id = :me)")
        heading = "Your subscribed forums"
    return listing(ctx, "front.html", wanted, sort, heading=heading, base="")
