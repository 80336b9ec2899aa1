"""A template: a question or an errand with places to fill in, and all that is needed to ask, judge and do it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any

from sojourn.envs.web.checks.addresses import Target
from sojourn.envs.web.checks.answers import NO_ANSWER, RightAnswer
from sojourn.envs.web.checks.states import EndState, Expected
from sojourn.envs.web.sites.hosts import ORIGINS
from sojourn.envs.web.view import View

Values = Mapping[str, Any]
"""What fills the places of a template: one row of its SQL, by column; ``key`` tells it from the others."""

UNCHANGED = EndState(expected=())
"""Nothing has changed."""


class Category(StrEnum):
    """What the paper reports a task under."""

    SHOPPING = "Shopping"  # as a customer of the shop
    CMS = "CMS"  # in the back office of the shop
    MAP = "Map"  # on the map and the encyclopedia
    GITLAB = "GitLab"  # on the code host
    REDDIT = "Reddit"  # on the forum


class Kind(StrEnum):
    """What is asked for."""

    INFORMATION = "information"  # an answer
    NAVIGATION = "navigation"  # a page
    MUTATION = "mutation"  # a change
    INFEASIBLE = "infeasible"  # nothing: it cannot be answered or done, and that is the answer


@dataclass(frozen=True, kw_only=True)
class Goal:
    """What is right at the end of an episode: all of it has to be so."""

    answer: RightAnswer = NO_ANSWER
    target: Target | None = None
    """The page that is shown; None where any may be."""
    end: EndState = UNCHANGED


def answered(answer: RightAnswer) -> Goal:
    """The goal of a question: this answer, and nothing changed."""
    return Goal(answer=answer)


def shown(target: Target) -> Goal:
    """The goal of a navigation: this page, and nothing changed."""
    return Goal(target=target)


def changed(*expected: Expected) -> Goal:
    """The goal of an errand: these rows, and nothing else."""
    return Goal(end=EndState(expected=expected))


Plan = Callable[[View, Values], Iterator[str]]
"""Yields the actions of an expert; the view shows each time what has come of the last."""


@dataclass(frozen=True, kw_only=True)
class Outline:
    """Tasks that differ in a few values. As a decorator it makes a `Template` of its expert's plan."""

    name: str
    kind: Kind
    category: Category
    sites: tuple[str, ...]
    """Sites that it takes place on; it starts on the first, at ``start``."""
    intents: tuple[str, ...]
    """Ways to put it, with the columns of `sql` in braces."""
    sql: str
    """One row for every task, over the database at the start; has a column ``key``. Rows without one right answer
    (ties) are left out here."""
    goal: Callable[[Values], Goal]
    start: str = "/"
    """Path of the first page, with columns in braces."""
    accounts: tuple[str, ...] = ()
    """Sites that the agent has logged in to already."""
    texts: tuple[str, ...] = ()
    """What may have to be typed besides what the intent quotes, with columns in braces."""
    is_held_out: bool = False
    """Whether all its tasks are in the split ``test-template``, and none in another."""

    def __call__(self, plan: Plan) -> Template:
        """The template with this plan."""
        return Template(plan=plan, **{one.name: getattr(self, one.name) for one in fields(self)})

    def start_url(self, values: Values) -> str:
        """The address of the first page."""
        return ORIGINS[self.sites[0]] + self.start.format_map(values)


@dataclass(frozen=True, kw_only=True)
class Template(Outline):
    """An outline with a plan."""

    plan: Plan
