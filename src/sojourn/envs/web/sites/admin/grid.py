"""Lists of the back office: one table with filters, sorting and paging, described by data."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from sojourn.envs.web.sites.framework import BadRequest, Context, Reply
from sojourn.envs.web.sites.lists import like, page_of
from sojourn.envs.web.sites.render import day, moment, money
from sojourn.envs.web.sites.shop.queries import where

PER_PAGE = 20
FORMATS: Mapping[str, Callable[[Any], str]] = {
    "text": str,
    "money": money,
    "day": day,
    "moment": moment,
    "yes": lambda value: "Yes" if value else "No",
    "status": str.capitalize,
}
"""How the values of a column are shown, by its kind."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Column:
    """One column of a list."""

    key: str
    """Name in the result, and in the address when the list is sorted by it."""
    label: str
    sql: str
    kind: str = "text"
    """How it is shown: a key of `FORMATS`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Filter:
    """One field above a list."""

    name: str
    label: str
    clause: str
    """SQL with one placeholder."""
    kind: str = "like"
    """like (a part of a text), choice, number, money, or day."""
    options: tuple[tuple[str, str], ...] = ()
    """Values and labels of a choice."""

    def value(self, ctx: Context) -> Any:
        """What the placeholder is bound to, or None if the field was left empty; raises `BadRequest`."""
        text = ctx.query.get(self.name)[:200]
        if not text:
            return None
        if self.kind == "money":
            return ctx.query.cents(self.name)
        if self.kind == "number":
            return ctx.query.integer(self.name, 0)
        if self.kind == "day":
            return read_day(ctx, self.name)
        if self.kind == "choice":
            return ctx.query.choice(self.name, [value for value, _ in self.options], "")
        return like(text)


@dataclass(frozen=True, kw_only=True, slots=True)
class Grid:
    """A list of the back office."""

    title: str
    source: str
    """What stands behind FROM."""
    key: str
    """SQL of a row's id; rows that are else equal are sorted by it."""
    columns: tuple[Column, ...]
    """The first one holds the link to the row's page."""
    filters: tuple[Filter, ...]
    order: str
    """Key of the column that sorts it, and ``asc`` or ``desc``."""
    link: str
    """Address of a row's page up to its id; the empty text for rows without a page."""
    new: tuple[str, str] | None = None
    """Text and address of the link to add a row."""


def read_day(ctx: Context, name: str) -> str | None:
    """The day sent under `name` as ``YYYY-MM-DD``; None if absent, `BadRequest` if it is no day."""
    text = ctx.query.get(name)
    if not text:
        return None
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError as error:
        raise BadRequest(f"{name} must be a day such as 2024-05-31.") from error


def grid_page(ctx: Context, grid: Grid) -> Reply:
    """The page of a list, filtered and sorted as the query says."""
    clauses: list[str] = []
    values: list[Any] = []
    for field in grid.filters:
        value = field.value(ctx)
        if value is not None:
            clauses.append(field.clause)
            values += [value] * field.clause.count("?")
    total = ctx.db.execute(f"SELECT count(*) FROM {grid.source} {where(clauses)}", values).fetchone()[0]
    paging = page_of(ctx, total, PER_PAGE)
    first, direction = grid.order.split()
    sort = ctx.query.choice("sort", [column.key for column in grid.columns], first)
    direction = ctx.query.choice("dir", ("asc", "desc"), direction)
    rows = ctx.db.execute(
        f"SELECT {grid.key} AS key_, {_selected(grid.columns)} FROM {grid.source} {where(clauses)}"
        f" ORDER BY {sort} {direction}, key_ LIMIT ? OFFSET ?",
        (*values, PER_PAGE, paging.offset),
    ).fetchall()
    formats = [FORMATS[column.kind] for column in grid.columns]
    shown = [(row[0], [show(value) for show, value in zip(formats, row[1:], strict=True)]) for row in rows]
    return ctx.render("grid.html", grid=grid, rows=shown, paging=paging, sort=sort, direction=direction)


def _selected(columns: Sequence[Column]) -> str:
    return ", ".join(f"{column.sql} AS {column.key}" for column in columns)
