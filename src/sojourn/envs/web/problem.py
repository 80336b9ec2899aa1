"""What a task asks for: where it begins, what it wants, how it is judged, and how an expert does it."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from sojourn.envs.web.sites.world import World
from sojourn.envs.web.view import View


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """Whether an episode that ended did what was asked."""

    success: bool
    reason: str
    """What was right or wrong, for the record; an agent never sees it."""


Check = Callable[[World, str, str], Verdict]
"""Judges the sites as they are at the end, the address shown, and the answer."""
Plan = Callable[[View], AsyncIterator[str]]
"""Yields the actions of an expert; the view shows the page as it is after the last of them."""


@dataclass(frozen=True, kw_only=True)
class Problem:
    """One task."""

    intent: str
    """What the agent is told to do."""
    start_url: str
    """The page that the first tab shows."""
    logged_in_sites: tuple[str, ...] = ()
    """Sites (keys of `HOSTS`) that the agent has logged in to already."""
    check: Check
    plan: Plan | None = None
    """How an expert does it; None where there is none."""
    texts: tuple[str, ...] = ()
    """What may have to be typed, besides what `offered_texts` finds in the intent."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """A task in a list of tasks."""

    task_id: str
    category: str
    sites: tuple[str, ...]
    """Sites that it takes place on."""


class ProblemSet(Protocol):
    """Where the tasks come from."""

    @property
    def splits(self) -> Sequence[str]:
        """Names of the splits, at least ``train``, ``validation`` and ``test``."""

    def entries(self, split: str) -> Sequence[Entry]:
        """The tasks of a split in a fixed order."""

    def problem(self, task_id: str) -> Problem:
        """The task of this id. Raises `DataError` if there is none."""


_QUOTED = re.compile(r"\"([^\"\n]{1,80})\"|“([^”\n]{1,80})”|(?<!\w)'([^'\n]{1,80})'(?!\w)")
_VALUE = re.compile(r"\$?\d[\d,]*(?:\.\d+)?%?|[\w.+-]+@[\w-]+\.[\w.-]*\w")
MAX_TEXTS = 8


def offered_texts(problem: Problem) -> tuple[str, ...]:
    """What may have to be typed: the texts of the problem, then what its intent quotes, its numbers and addresses."""
    return tuple(dict.fromkeys([*problem.texts, *texts_in(problem.intent)]))[:MAX_TEXTS]


def texts_in(intent: str) -> tuple[str, ...]:
    """What may have to be typed for `intent`: what it quotes, its numbers and addresses."""
    quoted = [next(filter(None, match.groups())) for match in _QUOTED.finditer(intent)]
    rest = _QUOTED.sub(" ", intent)
    values = [match[0].lstrip("$").rstrip(",").replace(",", "") for match in _VALUE.finditer(rest)]
    return tuple(dict.fromkeys([*quoted, *values]))[:MAX_TEXTS]
