"""What a task expects to have changed, and whether an episode changed exactly that."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from sojourn.envs.web.checks.diff import ALL, Row, TableChange

Wanted = Mapping[str, Any]
"""Column -> value; numbers are compared as numbers, texts without blanks around them, a callable is asked."""


@dataclass(frozen=True, kw_only=True)
class Added:
    """One new row."""

    table: str
    values: Wanted


@dataclass(frozen=True, kw_only=True)
class Updated:
    """One row with other values; no column but these and `also` is different."""

    table: str
    where: Wanted
    """Which row, by what it was before."""
    values: Wanted
    also: tuple[str, ...] = ()
    """Columns that change with it (times, counts)."""


@dataclass(frozen=True, kw_only=True)
class Removed:
    """One row that is gone."""

    table: str
    where: Wanted


Expected = Added | Updated | Removed

NO_SIDE_EFFECTS: Mapping[str, tuple[str, ...]] = MappingProxyType({})


@dataclass(frozen=True, kw_only=True)
class EndState:
    """The state that a task asks for."""

    expected: tuple[Expected, ...]
    allowed: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """table -> further columns (or `ALL`) that may change with it."""

    def is_reached(
        self, found: Mapping[str, TableChange], side_effects: Mapping[str, tuple[str, ...]] = NO_SIDE_EFFECTS
    ) -> bool:
        """Whether `found` (over all databases) is what is expected, row for row, and nothing else.

        `side_effects` are the columns (or `ALL`) of tables that looking around changes, in any task.
        """
        wanted: dict[str, list[Expected]] = {}
        for one in self.expected:
            wanted.setdefault(one.table, []).append(one)
        if not wanted.keys() <= found.keys():
            return False
        for table, change in found.items():
            may = {*side_effects.get(table, ()), *self.allowed.get(table, ())}
            if not _is_right(change, wanted.get(table, []), may):
                return False
        return True


def _is_right(change: TableChange, wanted: Sequence[Expected], may: set[str]) -> bool:
    if not wanted and ALL in may:
        return True
    added = [one for one in wanted if isinstance(one, Added)]
    removed = [one for one in wanted if isinstance(one, Removed)]
    updated = [one for one in wanted if isinstance(one, Updated)]
    really_updated = [pair for pair in change.updated if not _changed(*pair) <= may]
    return (
        _is_matched(change.added, added, lambda row, one: _fits(row, one.values))
        and _is_matched(change.removed, removed, lambda row, one: _fits(row, one.where))
        and _is_matched(really_updated, updated, lambda pair, one: _is_update(pair[0], pair[1], one, may))
    )


def _is_matched(found: Sequence[Any], wanted: Sequence[Any], fits: Callable[[Any, Any], bool]) -> bool:
    """Whether each of `found` is one of `wanted`, each used once."""
    if len(found) != len(wanted):
        return False
    left = list(wanted)
    for row in found:
        match = next((one for one in left if fits(row, one)), None)
        if match is None:
            return False
        left.remove(match)
    return True


def _is_update(before: Row, after: Row, one: Updated, may: set[str]) -> bool:
    return (
        _fits(before, one.where)
        and _fits(after, one.values)
        and _changed(before, after) <= {*one.values, *one.also, *may}
    )


def _changed(before: Row, after: Row) -> set[str]:
    return {column for column in after if before[column] != after[column]}


def _fits(row: Row, wanted: Wanted) -> bool:
    return all(column in row and _is_same(row[column], value) for column, value in wanted.items())


def _is_same(found: Any, wanted: Any) -> bool:
    if callable(wanted):
        return bool(wanted(found))
    if isinstance(wanted, str) and (found is None or isinstance(found, str)):
        found = found or ""  # Trac writes nothing in both ways
        return "\n".join(found.split("\r\n")).strip() == wanted.strip()
    if isinstance(wanted, (int, float)) and not isinstance(found, str) and found is not None:
        return abs(float(found) - float(wanted)) < 0.005
    return bool(found == wanted)
