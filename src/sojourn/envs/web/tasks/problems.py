"""All tasks of the templates: listed, split and put into words."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import AsyncIterator, Iterator, Sequence
from functools import cache, cached_property
from itertools import zip_longest
from typing import TypeVar

from sojourn.envs.web.problem import Entry, Plan, Problem
from sojourn.envs.web.sites.world import template as database
from sojourn.envs.web.tasks.catalog import TEMPLATES
from sojourn.envs.web.tasks.template import Category, Template, Values
from sojourn.envs.web.tasks.verdict import check
from sojourn.envs.web.view import View
from sojourn.errors import DataError, unknown_name

T = TypeVar("T")

SPLITS = ("train", "validation", "test", "test-template")
"""``test`` has other values than ``train`` for the same templates; ``test-template`` has other templates."""
MAX_PER_TEMPLATE = 160
"""Tasks of a template that are kept, so that those with many values do not drown the others."""
_PERCENT = {"test": 20, "validation": 10}
"""Shares of the tasks of a template that is in several splits; the rest is ``train``."""


class TemplateProblems:
    """The tasks of the templates called `names` (all, if absent). Nothing is computed before it is asked for."""

    def __init__(self, names: Sequence[str] | None = None, *, seed: int = 0) -> None:
        for name in names or ():
            if name not in TEMPLATES:
                raise unknown_name("Web template", name, TEMPLATES)
        self._templates = {name: TEMPLATES[name] for name in (TEMPLATES if names is None else names)}
        self._seed = seed

    @property
    def splits(self) -> Sequence[str]:
        """Names of the splits; ``test-template`` only where there is a template for it."""
        return SPLITS if self._by_split["test-template"] else SPLITS[:-1]

    def entries(self, split: str) -> Sequence[Entry]:
        """The tasks of a split, categories in turn and in each its templates in turn: any stretch is mixed."""
        return self._by_split[split]

    def problem(self, task_id: str) -> Problem:
        """The task of this id. Raises `DataError` if there is none."""
        name, _, key = task_id.partition("/")
        found = self._templates.get(name)
        values = self.values(found).get(key) if found else None
        if found is None or values is None:
            raise DataError(f"Web: there is no task {task_id!r}; expected one such as 'shop-price/12'")
        wording = found.intents[_number(f"wording of {task_id}") % len(found.intents)]
        return Problem(
            intent=wording.format_map(values),
            start_url=found.start_url(values),
            logged_in_sites=found.accounts,
            check=check(found.goal(values), database(self._seed)),
            plan=_plan(found, values),
            texts=tuple(text.format_map(values) for text in found.texts),
        )

    def values(self, template: Template) -> dict[str, Values]:
        """key -> what fills the places of a template, for the tasks of it that are kept, in a mixed order."""
        return _values(template.name, self._seed)

    @cached_property
    def _by_split(self) -> dict[str, tuple[Entry, ...]]:
        return {split: tuple(self._listed(split)) for split in SPLITS}

    def _listed(self, split: str) -> Iterator[Entry]:
        columns = []
        for category in Category:
            templates = [template for template in self._templates.values() if template.category is category]
            columns.append(list(_in_turn([self._of(template, split) for template in templates])))
        return _in_turn(columns)

    def _of(self, template: Template, split: str) -> list[Entry]:
        names = (f"{template.name}/{key}" for key in self.values(template))
        return [
            Entry(task_id=name, category=template.category.value, sites=template.sites)
            for name in names
            if split_of(template, name) == split
        ]


@cache
def _values(name: str, seed: int) -> dict[str, Values]:
    rows = {str(row["key"]): dict(row) for row in _connection(seed).execute(TEMPLATES[name].sql)}
    keys = sorted(rows, key=lambda key: _number(f"order of {name}/{key}"))
    return {key: rows[key] for key in keys[:MAX_PER_TEMPLATE]}


@cache
def _connection(seed: int) -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:", check_same_thread=False)
    connection.deserialize(database(seed))
    connection.row_factory = sqlite3.Row
    return connection


def split_of(template: Template, task_id: str) -> str:
    """The split of a task: its template's if that is held out, otherwise by the hash of what is filled in."""
    if template.is_held_out:
        return "test-template"
    place = _number(f"split of {task_id}") % 100
    for split, percent in _PERCENT.items():
        if place < percent:
            return split
        place -= percent
    return "train"


def _in_turn(columns: Sequence[Sequence[T]]) -> Iterator[T]:
    """The first of each, then the second of each that has one, and so on."""
    for line in zip_longest(*columns):
        yield from (one for one in line if one is not None)


def _number(text: str) -> int:
    """A number that depends on a text in the same way everywhere."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")


def _plan(template: Template, values: Values) -> Plan:
    async def plan(view: View) -> AsyncIterator[str]:
        for action in template.plan(view, values):
            yield action

    return plan
