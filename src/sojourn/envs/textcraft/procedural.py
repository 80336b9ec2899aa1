"""TextCraft on invented recipes: any depth, any size, as many tasks as one likes, item names no model has seen.

Every task has a world of its own, drawn from the task's seed, so recipes cannot be remembered, only read.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from functools import cache

from sojourn.envs.protocol import Panel
from sojourn.envs.task_list import TaskList
from sojourn.envs.textcraft.base import CATEGORY, SPLITS, TextCraftScenario
from sojourn.envs.textcraft.world import Ingredient, Recipe, World
from sojourn.errors import ConfigError, DataError, unknown_name
from sojourn.types import Task

_VERSION = "textcraft-procedural-v1"
_SEEDS = {"train": range(1_000_000), "validation": range(1_000_000, 1_010_000), "test": range(2_000_000, 2_010_000)}
_PANEL_SIZE = 100
_NUM_NAMES = 2_000
_MAX_PARTS = 2
_MAX_PART_COUNT = 3
_MAX_YIELD = 4


class ProceduralTextCraft(TextCraftScenario):
    """TextCraft with a seeded generator in place of Minecraft's recipes.

    `depth` is the goal's depth, or the inclusive range ``[low, high]`` it cycles through; `num_items` the number of
    items the goal's world has (more than are needed: the rest distract); `max_distractors` bounds the recipes shown
    that do not help; `vocabulary` is the seed of the item names; `max_steps` the environment's own limit.
    """

    example_command = "craft 2 tavo using 1 kelim, 3 suda"
    groups_rule = ""

    def __init__(
        self,
        *,
        depth: int | Sequence[int] = 2,
        num_items: int = 12,
        max_distractors: int = 4,
        vocabulary: int = 0,
        max_steps: int | None = None,
    ) -> None:
        low, high = (depth, depth) if isinstance(depth, int) else _pair(depth)
        if not 1 <= low <= high:
            raise ConfigError(f"depth must be >= 1, or a pair low <= high, got {depth!r}")
        if not high + 1 <= num_items <= _NUM_NAMES:
            raise ConfigError(f"num_items must be between depth + 1 = {high + 1} and {_NUM_NAMES}, got {num_items}")
        named = {"depth": str(low) if low == high else f"{low}-{high}", "num_items": num_items}
        named |= {"max_distractors": max_distractors, "vocabulary": vocabulary, "max_steps": max_steps}
        defaults = {"depth": "2", "num_items": 12, "max_distractors": 4, "vocabulary": 0, "max_steps": None}
        options = {key: value for key, value in named.items() if value != defaults[key]}
        super().__init__(_VERSION, max_distractors=max_distractors, max_steps=max_steps, options=options)
        self._depths = range(low, high + 1)
        self._num_items = num_items
        self._vocabulary = vocabulary

    def tasks(self, split: str) -> Sequence[Task]:
        """A million for training, ten thousand for each of the others; made when looked at."""
        if split not in SPLITS:
            raise unknown_name("split", split, SPLITS)
        return TaskList(_SEEDS[split], lambda seed: self._task(seed, split))

    def _task(self, seed: int, split: str) -> Task:
        category = CATEGORY.format(_depth(seed, self._depths))
        return Task(env_id=self.env_id, task_id=_task_id(seed), split=split, seed=seed, category=category)

    def panel(self, split: str) -> Panel:
        """The first hundred tasks of the split, which cycle through the depths."""
        return Panel(name=f"{self.env_id}/{split}", tasks=tuple(self.tasks(split)[:_PANEL_SIZE]))

    def resolve(self, task: Task) -> tuple[World, str]:
        """The task's own world, drawn anew from its seed, and its goal."""
        if task.env_id != self.env_id or task.task_id != _task_id(task.seed):
            raise DataError(f"expected a task of {self.env_id}, got {task.task_id!r} of {task.env_id!r}")
        rng = random.Random(f"{_VERSION}:{task.seed}")
        names = rng.sample(item_names(self._vocabulary), self._num_items)
        return draw_world(rng, names, _depth(task.seed, self._depths))


def draw_world(rng: random.Random, names: Sequence[str], depth: int) -> tuple[World, str]:
    """A world of the items `names` and a goal of exactly `depth`.

    Items lie on levels 0 (gathered) to `depth` (the goal, and others that distract). An item's recipe takes one item of
    the level below, which fixes its depth, and with luck one from any lower level.
    """
    levels: list[list[str]] = [[names[level]] for level in range(depth + 1)]
    for name in names[depth + 1 :]:
        levels[rng.randrange(depth + 1)].append(name)
    recipes = []
    for level in range(1, depth + 1):
        lower = [name for names_below in levels[:level] for name in names_below]
        for output in levels[level]:
            first = rng.choice(levels[level - 1])
            others = rng.sample(lower, min(len(lower), rng.randint(0, _MAX_PARTS - 1)))
            parts = [Ingredient(name=n, count=rng.randint(1, _MAX_PART_COUNT)) for n in dict.fromkeys([first, *others])]
            count = 1 if output == names[depth] else rng.randint(1, _MAX_YIELD)
            recipes.append(Recipe(output=output, count=count, ingredients=tuple(parts)))
    return World(recipes, {}), names[depth]


@cache
def item_names(seed: int) -> tuple[str, ...]:
    """The vocabulary of `seed`: words of two or three syllables."""
    rng = random.Random(f"{_VERSION}:names:{seed}")
    names: dict[str, None] = {}  # a set that remembers the order
    while len(names) < _NUM_NAMES:
        syllables = (rng.choice("bdfgklmnprstvz") + rng.choice("aeiou") for _ in range(rng.randint(2, 3)))
        names["".join(syllables) + rng.choice(("", "", "l", "m", "n", "r", "s"))] = None
    return tuple(names)


def _task_id(seed: int) -> str:
    return f"world-{seed}"


def _depth(seed: int, depths: range) -> int:
    return depths[seed % len(depths)]


def _pair(depth: Sequence[int]) -> tuple[int, int]:
    if len(depth) != 2:
        raise ConfigError(f"depth must be a number or a pair low, high, got {list(depth)}")
    return depth[0], depth[1]
