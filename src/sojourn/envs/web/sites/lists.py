"""What the lists of the sites need: conditions, the page asked for, patterns that find words, and who asks."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from sojourn.envs.web.sites.framework import Context, NotFound
from sojourn.envs.web.sites.render import Paging

MAX_WORDS = 10
"""Words of a search that count; the others are left out."""


@dataclass(kw_only=True, slots=True)
class Filter:
    """Conditions joined with AND, with the values of their named parameters."""

    clauses: list[str] = field(default_factory=list)
    values: dict[str, Any] = field(default_factory=dict)

    def add(self, clause: str, **values: Any) -> None:
        """Demand another condition."""
        self.clauses.append(clause)
        self.values |= values

    @property
    def where(self) -> str:
        return f"WHERE {' AND '.join(self.clauses)}" if self.clauses else ""


def me_of(ctx: Context) -> int:
    """Id of who is logged in; 0 for nobody."""
    return int(ctx.user["id"]) if ctx.user is not None else 0


def page_of(ctx: Context, total: int, per_page: int) -> Paging:
    """The part of a list of `total` rows that the query asks for; raises `NotFound` past its end."""
    paging = Paging(page=ctx.query.integer("page", 1, low=1), per_page=per_page, total=total)
    if paging.page > paging.num_pages:
        raise NotFound(f"This list has {paging.num_pages} pages.")
    return paging


def like(word: str) -> str:
    """Pattern for ``LIKE ... ESCAPE '\\'`` that finds `word` anywhere."""
    escaped = word.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%{escaped}%"


def word_clauses(text: str, expression: str) -> tuple[list[str], list[str]]:
    """Clauses that demand every word of `text` in an SQL expression, and the values they are bound to."""
    words = text[:200].split()[:MAX_WORDS]
    return [f"{expression} LIKE ? ESCAPE '\\'" for _ in words], [like(word) for word in words]
