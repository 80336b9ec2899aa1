"""What every list of a site needs: the page asked for, and patterns that find words."""

from __future__ import annotations

from sojourn.envs.web.sites.framework import Context, NotFound
from sojourn.envs.web.sites.render import Paging

MAX_WORDS = 10
"""Words of a search that count; the others are left out."""


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
