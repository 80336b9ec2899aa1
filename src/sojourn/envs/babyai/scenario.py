"""BabyAI as a `Scenario`: levels, splits and panels."""

from __future__ import annotations

import math
from collections.abc import Sequence

from sojourn.envs.babyai import agentgym_style, default_style
from sojourn.envs.babyai.env import STYLES, BabyAIEnv, RewardName, StyleName
from sojourn.envs.babyai.levels import NUM_LEVELS, Level, select_levels
from sojourn.envs.babyai.oracle import BabyAIOracle
from sojourn.envs.protocol import Env, Oracle, Panel
from sojourn.envs.task_list import TaskList
from sojourn.errors import ConfigError, unknown_name
from sojourn.types import Task

SEEDS = {"train": range(200, 10_000_000), "validation": range(100, 200), "test": range(100)}
"""The seeds of each split, the same for every level."""
PANEL_TASKS = 100
PANEL_SEEDS = 5

_INSTRUCTIONS = {
    "default": default_style.INSTRUCTIONS,
    "reminder": default_style.INSTRUCTIONS,
    "agentgym": agentgym_style.INSTRUCTIONS,
}


class BabyAI:
    """The 40 levels of BabyAI that AgentGym uses, in words.

    ``style`` is ``default``; ``reminder``, the same with the goal as the last line of every observation; or
    ``agentgym`` for AgentGym's own words and faults. ``reward`` is ``binary`` (1 at
    success: the same task is worth the same however it is solved, so returns are success rates) or ``time`` (minigrid's
    1 - 0.9 * low-level steps / limit, which also prefers short ways); where it is left out, the default style pays
    ``binary`` and AgentGym's ``time``, as it does. ``levels`` (numbers 1 to 40 or names such as ``GoToLocalS8N7``) and
    ``categories`` narrow the tasks.
    """

    example_command = "turn left"

    def __init__(
        self,
        *,
        style: StyleName = "default",
        levels: Sequence[str | int] | None = None,
        categories: Sequence[str] | None = None,
        reward: RewardName | None = None,
    ) -> None:
        if style not in STYLES:
            raise unknown_name("BabyAI style", style, STYLES)
        if reward not in (None, "binary", "time"):
            raise unknown_name("BabyAI reward", reward, ("binary", "time"))
        own_reward: RewardName = "time" if style == "agentgym" else "binary"
        self._style: StyleName = style
        self._reward: RewardName = own_reward if reward is None else reward
        self._levels = select_levels(levels, categories)
        parts = [
            "babyai",
            *([style] if style != "default" else []),
            *([reward] if reward not in (None, own_reward) else []),
        ]
        self._env_id = "-".join([*parts, "v1"])

    @property
    def env_id(self) -> str:
        """``babyai-v1``; a style or reward that is not the default is part of it, for it changes trajectories."""
        return self._env_id

    @property
    def instructions(self) -> str:
        """The rules and the commands."""
        return _INSTRUCTIONS[self._style]

    @property
    def levels(self) -> tuple[Level, ...]:
        """The levels that tasks are drawn from."""
        return self._levels

    @property
    def splits(self) -> tuple[str, ...]:
        """The names of the splits."""
        return tuple(SEEDS)

    def tasks(self, split: str) -> Sequence[Task]:
        """All tasks of a split, made when looked at: all levels of a seed in their order, then the next seed."""
        if split not in SEEDS:
            raise unknown_name("BabyAI split", split, SEEDS)
        return TaskList(range(len(SEEDS[split]) * len(self._levels)), lambda index: self._task(index, split))

    def _task(self, index: int, split: str) -> Task:
        level = self._levels[index % len(self._levels)]
        seed = SEEDS[split][index // len(self._levels)]
        return Task(
            env_id=self._env_id,
            task_id=str(seed * NUM_LEVELS + level.number - 1),
            split=split,
            seed=seed,
            category=level.category,
        )

    def panel(self, split: str) -> Panel:
        """The first seeds of every level: five, or as many as make up a hundred tasks when the levels are few."""
        num_seeds = max(PANEL_SEEDS, math.ceil(PANEL_TASKS / len(self._levels)))
        tasks = self.tasks(split)[: num_seeds * len(self._levels)]
        return Panel(name=f"{self._env_id}/{split}", tasks=tuple(tasks))

    def make(self) -> BabyAIEnv:
        """A fresh environment for one episode."""
        return BabyAIEnv(env_id=self._env_id, style=self._style, reward=self._reward)

    def oracle(self, env: Env) -> Oracle:
        """minigrid's expert bot, speaking the default style's commands."""
        if not isinstance(env, BabyAIEnv) or self._style == "agentgym":
            raise ConfigError("the BabyAI oracle does not speak the style 'agentgym': use 'default' or 'reminder'")
        return BabyAIOracle(env)
