"""What an expert sees: the page as it is, and the actions on it by role and name."""

from __future__ import annotations

from collections.abc import Callable

from sojourn.envs.web.actions import Click, Hover, Select, Type, render
from sojourn.envs.web.browser.protocol import Observation
from sojourn.envs.web.tree import Tree
from sojourn.errors import EnvError


class View:
    """The page that an episode shows, always as it is now."""

    def __init__(self, observation: Callable[[], Observation]) -> None:
        self._observation = observation

    @property
    def tree(self) -> Tree:
        """What the page shows."""
        return self._observation().tree

    @property
    def url(self) -> str:
        """Its address."""
        return self._observation().url

    @property
    def text(self) -> str:
        """What an agent sees of it."""
        return self._observation().text

    def has(self, role: str, name: str | None = None) -> bool:
        """Whether there is a node of this role and name."""
        return bool(self.tree.find(role, name))

    def find(self, role: str, name: str | None = None, *, nth: int = 0, within: int | None = None) -> int:
        """Id of the `nth` node of a role and name. Raises `EnvError`, for the plan lost its way, if there is none."""
        found = self.tree.find(role, name, within=within)
        if len(found) <= nth:
            shown = self.tree.text[:2_000]
            raise EnvError(f"expert: expected {role} {name!r} ({nth + 1} of them) at {self.url}, which shows:\n{shown}")
        return found[nth]

    def row(self, *texts: str) -> int:
        """Id of the first row of a table, or item of its kind, whose cells or links say all of `texts`."""
        for number in self.tree.find("row"):
            said = [line.name for _, line in self.tree.inside(number)]
            if all(any(text in name for name in said) for text in texts):
                return number
        raise EnvError(f"expert: expected a row with {texts} at {self.url}, which shows:\n{self.tree.text[:2_000]}")

    def click(self, role: str, name: str | None = None, *, nth: int = 0, within: int | None = None) -> str:
        """The action that clicks a node."""
        return render(Click(node=self.find(role, name, nth=nth, within=within)))

    def type(self, role: str, name: str, text: str, *, enter: bool = False, nth: int = 0) -> str:
        """The action that types into a field."""
        return render(Type(node=self.find(role, name, nth=nth), text=text, enter=enter))

    def select(self, name: str, option: str, *, role: str = "combobox", nth: int = 0) -> str:
        """The action that chooses an option."""
        return render(Select(node=self.find(role, name, nth=nth), option=option))

    def hover(self, role: str, name: str | None = None) -> str:
        """The action that moves the pointer over a node."""
        return render(Hover(node=self.find(role, name)))
