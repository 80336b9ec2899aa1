"""A task on the applications: what is asked, what is right, and a script that does it."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sojourn.envs.web.actions import Click, Goto, Select, Stop, Type, render
from sojourn.envs.web.checks.answers import RightAnswer
from sojourn.envs.web.checks.states import EndState
from sojourn.envs.web.tree import Tree
from sojourn.envs.web.webapps.hosts import CUSTOMER
from sojourn.errors import DataError, EnvError

UNCHANGED = EndState(expected=())
"""Nothing but what looking around changes."""


class Data:
    """The world at the start of every episode, for questions in SQL."""

    def __init__(self, templates: Mapping[str, bytes]) -> None:
        self._databases = {}
        for name, content in templates.items():
            self._databases[name] = sqlite3.connect(":memory:")
            self._databases[name].deserialize(content)

    def rows(self, database: str, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        """All rows of a question."""
        return self._databases[database].execute(sql, values).fetchall()

    def only(self, database: str, sql: str, *values: Any) -> Any:
        """The value of a question that has one answer. Raises `DataError` where it has none, or several."""
        found = self.rows(database, sql, *values)
        if len(found) != 1:
            raise DataError(f"expected one row, got {len(found)}: {sql} {values}")
        return found[0][0] if len(found[0]) == 1 else found[0]

    def close(self) -> None:
        """Free the copies."""
        for database in self._databases.values():
            database.close()


class Look:
    """A script's view of the page that is shown now; its methods say the action that a person would choose."""

    def __init__(self, tree: Callable[[], Tree]) -> None:
        self._tree = tree

    def find(self, role: str, name: str, *, after: str | None = None) -> int:
        """Id of the first node of this role and name, below the first node called `after` if given.

        A name that ends in an asterisk is a beginning. Raises `EnvError` where there is none: the script is wrong.
        """
        is_behind = after is None
        for number, line in enumerate(self._tree().lines, 1):
            is_behind = is_behind or line.name == after
            if is_behind and line.node.role == role and _is_called(line.name, name):
                return number
        raise EnvError(f"no {role} {name!r} after {after!r} on the page:\n{self._tree().text}")

    def click(self, role: str, name: str, *, after: str | None = None) -> str:
        """Click a node."""
        return render(Click(node=self.find(role, name, after=after)))

    def type(
        self, name: str, text: str, *, enter: bool = False, role: str = "textbox", after: str | None = None
    ) -> str:
        """Fill a field."""
        return render(Type(node=self.find(role, name, after=after), text=text, enter=enter))

    def select(self, name: str, option: str, *, after: str | None = None) -> str:
        """Choose an option."""
        return render(Select(node=self.find("combobox", name, after=after), option=option))

    def count(self, role: str, name: str) -> int:
        """Number of nodes of this role and name."""
        return len(self._tree().find(role, name))

    def text_after(self, name: str, *, place: int = 1, after: str | None = None) -> str:
        """The name of the node that comes `place` after the first one called `name` (below `after`, if given)."""
        lines = self._tree().lines
        is_behind = after is None
        for number, line in enumerate(lines):
            if is_behind and line.name == name:
                return lines[number + place].name
            is_behind = is_behind or line.name == after
        raise EnvError(f"nothing called {name!r} after {after!r} on the page:\n{self._tree().text}")

    def content(self, role: str, *, after: str) -> str:
        """What is in the first nameless field of this role below `after`."""
        return self._tree().lines[self.find(role, "", after=after)].name


def _is_called(found: str, name: str) -> bool:
    return found.startswith(name[:-1]) if name.endswith("*") else found == name


def goto(url: str) -> str:
    """Open an address."""
    return render(Goto(url=url))


def stop(answer: str = "") -> str:
    """End the episode."""
    return render(Stop(answer=answer))


Script = Callable[[Look], Iterator[str]]
"""Yields one action after the other; the look shows each time what has come of the last."""


@dataclass(frozen=True, kw_only=True)
class AppTask:
    """One task."""

    name: str
    category: str
    """The application, or ``across``."""
    goal: str
    start: str
    """Address of the first page."""
    solve: Script
    answer: RightAnswer | None = None
    """What has to be answered, where something is asked."""
    end: EndState = UNCHANGED
    shop_user: str | None = CUSTOMER.user
    """Who is logged in on the shop; nobody where it is None."""
