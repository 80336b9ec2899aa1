"""What several pages of the forum ask of the database."""

from __future__ import annotations

import sqlite3
from typing import Any

from sojourn.envs.web.sites.data.dates import DAY_S, seconds_ago
from sojourn.envs.web.sites.framework import Context, NotFound, Reply
from sojourn.envs.web.sites.lists import Filter, me_of, page_of

PER_PAGE = 20
POINTS = "s.ups - s.downs + coalesce((SELECT sum(v.value) FROM forum_vote v WHERE v.submission_id = s.id), 0)"
"""Points of a submission `s`: all votes, those of accounts and those of others."""
COMMENT_POINTS = (
    "c.ups - c.downs + coalesce((SELECT sum(v.value) FROM forum_comment_vote v WHERE v.comment_id = c.id), 0)"
)
NUM_COMMENTS = "(SELECT count(*) FROM forum_comment c WHERE c.submission_id = s.id)"
COLUMNS = f"""
    s.id, s.title, s.url, s.body, s.created, s.edited, s.user_id, u.name AS author, f.name AS forum,
    {POINTS} AS points, {NUM_COMMENTS} AS num_comments
"""
SOURCE = "FROM forum_submission s JOIN forum_user u ON u.id = s.user_id JOIN forum_forum f ON f.id = s.forum_id"
SORTS = {
    # a point is worth half an hour, two hundred at most; a comment an hour and a half
    "hot": f"CAST(strftime('%s', s.created) AS INTEGER) + min({POINTS}, 200) * 1800 + {NUM_COMMENTS} * 5400 DESC, s.id",
    "new": "s.created DESC, s.id DESC",
    "top": f"{POINTS} DESC, s.id",
    "comments": f"{NUM_COMMENTS} DESC, s.id",
}
SORT_NAMES = {"hot": "Hot", "new": "New", "top": "Top", "comments": "Most commented"}
SPANS = {"day": 1, "week": 7, "month": 30, "year": 365, "all": 0}
"""How far back lists by points go: the name in the query -> days, 0 for no limit."""


def listing(ctx: Context, template: str, wanted: Filter, sort: str, **values: Any) -> Reply:
    """A sorted page of the submissions that a filter admits; those of blocked users are left out."""
    if sort not in SORTS:
        raise NotFound("There is no such page.")
    wanted.add("s.user_id NOT IN (SELECT blocked_id FROM forum_block WHERE user_id = :me)", me=me_of(ctx))
    span = ctx.query.choice("t", tuple(SPANS), "all")
    if SPANS[span]:
        wanted.add("s.created >= :since", since=seconds_ago(SPANS[span] * DAY_S))
    where = f"{SOURCE} {wanted.where}"
    found = ctx.db.execute(f"SELECT s.id {where} ORDER BY {SORTS[sort]}", wanted.values).fetchall()
    paging = page_of(ctx, len(found), PER_PAGE)
    ids = [row["id"] for row in found[paging.offset : paging.offset + PER_PAGE]]  # the rest is asked of these only
    rows = ctx.db.execute(f"SELECT {COLUMNS} {SOURCE} WHERE s.id IN ({','.join('?' * len(ids))})", ids).fetchall()
    rows.sort(key=lambda row: ids.index(row["id"]))
    return ctx.render(
        template, submissions=rows, paging=paging, sort=sort, sorts=SORT_NAMES, span=span, spans=tuple(SPANS), **values
    )


def forum_of(ctx: Context, name: str) -> sqlite3.Row:
    """The forum with this name, with what it is to the user; raises `NotFound`."""
    row: sqlite3.Row | None = ctx.db.execute(
        "SELECT f.*, u.name AS owner,"
        " (SELECT count(*) FROM forum_subscription b WHERE b.forum_id = f.id) AS num_subscribers,"
        " EXISTS (SELECT 1 FROM forum_subscription b WHERE b.forum_id = f.id AND b.user_id = :me) AS is_subscribed,"
        " EXISTS (SELECT 1 FROM forum_hidden h WHERE h.forum_id = f.id AND h.user_id = :me) AS is_hidden"
        " FROM forum_forum f JOIN forum_user u ON u.id = f.owner_id WHERE f.name = :name",
        {"me": me_of(ctx), "name": name},
    ).fetchone()
    if row is None:
        raise NotFound("There is no such forum.")
    return row


def submission_of(ctx: Context, forum: str, number: int) -> sqlite3.Row:
    """A submission of a forum, with the user's vote on it; raises `NotFound`."""
    row: sqlite3.Row | None = ctx.db.execute(
        f"SELECT {COLUMNS},"
        " coalesce((SELECT value FROM forum_vote v WHERE v.submission_id = s.id AND v.user_id = :me), 0) AS vote"
        f" {SOURCE} WHERE s.id = :id AND f.name = :forum",
        {"me": me_of(ctx), "id": number, "forum": forum},
    ).fetchone()
    if row is None:
        raise NotFound("There is no such submission.")
    return row


def user_of(ctx: Context, name: str) -> sqlite3.Row:
    """The user with this name, with what it is to who is logged in; raises `NotFound`."""
    row: sqlite3.Row | None = ctx.db.execute(
        "SELECT u.*, EXISTS (SELECT 1 FROM forum_block b WHERE b.user_id = ? AND b.blocked_id = u.id) AS is_blocked"
        " FROM forum_user u WHERE u.name = ?",
        (me_of(ctx), name),
    ).fetchone()
    if row is None:
        raise NotFound("There is no such user.")
    return row


def page_path(row: sqlite3.Row) -> str:
    """The address of a submission within the site."""
    return f"/f/{row['forum']}/{row['id']}"
