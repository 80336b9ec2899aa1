"""One TextCraft episode: gather and craft until the goal is made."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from enum import Enum, auto
from types import MappingProxyType
from typing import Any

from sojourn.envs.textcraft.commands import Inventory, Reason, Refusal, execute, possible_crafts
from sojourn.envs.textcraft.world import Recipe, World
from sojourn.errors import EnvError
from sojourn.types import StepResult, Task

Resolve = Callable[[Task], tuple[World, str]]
"""Task -> its world and goal; raises `DataError` for a task of another environment."""

_REFUSED: Mapping[Reason, Mapping[str, Any]] = {
    reason: MappingProxyType({"invalid": True, "reason": str(reason)}) for reason in Reason
}


class _State(Enum):
    NEW = auto()
    LIVE = auto()
    OVER = auto()
    CLOSED = auto()


def opening(world: World, goal: str, task: Task, max_distractors: int) -> tuple[tuple[Recipe, ...], str]:
    """The recipes an episode shows, drawn and ordered by the task's own random stream, and its first observation."""
    listing = world.listing(goal, random.Random(f"{task.seed}:{task.task_id}"), max_distractors)
    lines = "\n".join(recipe.text for recipe in listing)
    return listing, f"Crafting commands:\n{lines}\n\nGoal: craft {goal}."


class TextCraftEnv:
    """An episode: reward 1, once, for crafting the goal; 0 for everything else.

    Any recipe of the world is accepted, shown or not. A refused command changes nothing, counts as a step, and has
    ``info["invalid"]`` and ``info["reason"]`` set.
    """

    __slots__ = (
        "_goal",
        "_inventory",
        "_listing",
        "_max_distractors",
        "_max_steps",
        "_num_steps",
        "_resolve",
        "_state",
        "_world",
    )

    _world: World
    _goal: str
    _listing: tuple[Recipe, ...]

    def __init__(self, resolve: Resolve, *, max_distractors: int, max_steps: int | None) -> None:
        self._resolve = resolve
        self._max_distractors = max_distractors
        self._max_steps = max_steps
        self._num_steps = 0
        self._inventory: Inventory = {}
        self._state = _State.NEW

    async def reset(self, task: Task) -> StepResult:
        """Start: the recipes that may serve the goal among some that do not, and the goal."""
        if self._state is not _State.NEW:
            raise EnvError(f"reset of an environment that is {self._state.name.lower()}; an episode is used once")
        self._world, self._goal = self._resolve(task)
        self._listing, observation = opening(self._world, self._goal, task, self._max_distractors)
        self._state = _State.LIVE
        return StepResult(observation=observation, success=False)

    async def step(self, action: str) -> StepResult:
        """Do one command."""
        if self._state is not _State.LIVE:
            raise EnvError(f"step of an environment that is {self._state.name.lower()}, expected a live episode")
        self._num_steps += 1
        cut = self._num_steps == self._max_steps
        try:
            answer, crafted = execute(self._world, self._inventory, action)
        except Refusal as refusal:
            self._state = _State.OVER if cut else _State.LIVE
            return StepResult(observation=str(refusal), truncated=cut, success=False, info=_REFUSED[refusal.reason])
        if crafted == self._goal:
            self._state = _State.OVER
            return StepResult(observation=f"{answer} Goal reached.", reward=1.0, terminated=True, success=True)
        self._state = _State.OVER if cut else _State.LIVE
        return StepResult(observation=answer, truncated=cut, success=False)

    async def close(self) -> None:
        """End the episode."""
        self._state = _State.CLOSED

    async def admissible_commands(self) -> Sequence[str]:
        """`get` in the quantities the shown recipes name, the shown crafts that can be paid now, `inventory`."""
        if self._state is not _State.LIVE:
            return ()
        quantities = {
            (part.name, part.count)
            for recipe in self._listing
            for part in recipe.ingredients
            if part.name in self._world.gathered
        }
        gets = [f"get {count} {name}" for name, count in sorted(quantities)]
        crafts = possible_crafts(self._world, self._inventory, self._listing)
        return (*gets, *dict.fromkeys(crafts), "inventory")

    @property
    def is_live(self) -> bool:
        """Whether a step may follow."""
        return self._state is _State.LIVE

    @property
    def world(self) -> World:
        """The recipes in force; for oracles and viewers."""
        return self._world

    @property
    def goal(self) -> str:
        """The item to craft."""
        return self._goal

    @property
    def inventory(self) -> Mapping[str, int]:
        """What is held now (a view)."""
        return MappingProxyType(self._inventory)

    @property
    def listing(self) -> tuple[Recipe, ...]:
        """The recipes shown."""
        return self._listing
