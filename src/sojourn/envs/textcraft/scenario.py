"""TextCraft on the recipes of Minecraft: 544 goals in three fixed splits."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

from sojourn.envs.protocol import Panel
from sojourn.envs.textcraft.base import CATEGORY, SPLITS, TextCraftScenario
from sojourn.envs.textcraft.minecraft import minecraft_world
from sojourn.envs.textcraft.world import World
from sojourn.errors import ConfigError, DataError, unknown_name
from sojourn.types import Task

NUM_TASKS: Mapping[str, Mapping[int, int]] = {
    "train": {1: 79, 2: 211, 3: 77, 4: 7},
    "validation": {1: 15, 2: 39, 3: 15, 4: 1},
    "test": {1: 31, 2: 41, 3: 25, 4: 3},
}
"""split -> depth -> tasks. Train 374 and test 100 as in the paper, the test panel's depths too; the rest validates."""

PANEL_SHA256: Mapping[str, str] = {
    "train": "000600ff6ab0d2353248afcdf9ff31071a11a9b5b5969972bbc447edfc3ae1cb",
    "validation": "c61a68674246178fa87cbcb55fd2432675e598b02a110515662a4007a88bfbe5",
    "test": "77b86c77440d30ed672651fdd5a2d7a497dd4ca3954df579ac6314343fe32f55",
}
"""What `Panel.sha256` is under the default options; a test compares."""

CONTENT_SHA256: Mapping[str, str] = {
    "train": "f262846cd2c7c405a631f41bb2de5886ab1094e84e1093b3e916a1050a999b38",
    "validation": "654e9ad6f82d6aba8942d3fae7c7ba21fe227c4a4575d982a049d8beb6d49502",
    "test": "21031488d5cabdf7940b5ae0a5344f8deaebd368559a66fcfec5579e28102786",
}
"""What `content_sha256` is under the default options; a test compares."""

_VERSION = "textcraft-v1"
_DEFAULT_DISTRACTORS = 10


class TextCraft(TextCraftScenario):
    """The paper's TextCraft. A task's id is its goal, so it is the same task on every machine.

    `depths` confines every split to goals of these depths (1 to 4); `max_distractors` bounds the recipes shown that
    do not help; `max_steps` is the environment's own limit (absent: only the rollout's horizon cuts).
    """

    def __init__(
        self,
        *,
        depths: Sequence[int] | None = None,
        max_distractors: int = _DEFAULT_DISTRACTORS,
        max_steps: int | None = None,
    ) -> None:
        options: dict[str, object] = {}
        if max_distractors != _DEFAULT_DISTRACTORS:
            options["max_distractors"] = max_distractors
        if max_steps is not None:
            options["max_steps"] = max_steps
        super().__init__(_VERSION, max_distractors=max_distractors, max_steps=max_steps, options=options)
        self._depths = _checked_depths(depths)
        self._world = minecraft_world()
        self._goals = {goal.replace(" ", "_"): goal for goal in self._world.recipes_of if self._world.depth(goal) >= 1}
        self._tasks: dict[str, tuple[Task, ...]] = {}

    def tasks(self, split: str) -> tuple[Task, ...]:
        """The split's tasks by depth, then by name."""
        if split not in SPLITS:
            raise unknown_name("split", split, SPLITS)
        if not self._tasks:
            self._tasks = self._split_tasks()
        return self._tasks[split]

    def panel(self, split: str) -> Panel:
        """All tasks of the split."""
        suffix = f"/depths={','.join(map(str, self._depths))}" if self._depths else ""
        return Panel(name=f"{self.env_id}/{split}{suffix}", tasks=self.tasks(split))

    def resolve(self, task: Task) -> tuple[World, str]:
        """The real world and the goal the task's id names. Any seed will do: it draws and orders the distractors."""
        if task.env_id != self.env_id or task.task_id not in self._goals:
            raise DataError(f"expected a task of {self.env_id}, got {task.task_id!r} of {task.env_id!r}")
        return self._world, self._goals[task.task_id]

    def _split_tasks(self) -> dict[str, tuple[Task, ...]]:
        tasks: dict[str, list[Task]] = {split: [] for split in SPLITS}
        for depth in sorted(NUM_TASKS["test"]):
            # by digest, not by name: each split gets its share of every kind of goal
            drawn = sorted((t for t, g in self._goals.items() if self._world.depth(g) == depth), key=_rank)
            for split in SPLITS:
                count = NUM_TASKS[split][depth]
                chosen, drawn = sorted(drawn[:count]), drawn[count:]
                if self._depths is None or depth in self._depths:
                    tasks[split] += [self._task(task_id, split, depth) for task_id in chosen]
            assert not drawn, f"{len(drawn)} goals of depth {depth} are in no split"
        return {split: tuple(rows) for split, rows in tasks.items()}

    def _task(self, task_id: str, split: str, depth: int) -> Task:
        return Task(env_id=self.env_id, task_id=task_id, split=split, seed=0, category=CATEGORY.format(depth))


def _rank(task_id: str) -> str:
    return hashlib.sha256(f"{_VERSION}:{task_id}".encode()).hexdigest()


def _checked_depths(depths: Sequence[int] | None) -> tuple[int, ...] | None:
    if depths is None:
        return None
    known = NUM_TASKS["test"]
    if not depths or not set(depths) <= known.keys():
        raise ConfigError(f"depths must be some of {sorted(known)}, got {list(depths)}")
    return tuple(sorted(set(depths)))
