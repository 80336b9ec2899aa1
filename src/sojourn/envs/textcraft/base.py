"""What the two TextCraft scenarios share: the rules as told, the environment, the expert, the content's digest."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence

from sojourn.envs.protocol import Env, Oracle, Panel
from sojourn.envs.textcraft.commands import MAX_GET
from sojourn.envs.textcraft.env import TextCraftEnv, opening
from sojourn.envs.textcraft.planner import TextCraftOracle
from sojourn.envs.textcraft.world import World
from sojourn.errors import ConfigError
from sojourn.types import Task

SPLITS = ("train", "validation", "test")
CATEGORY = "Depth {}"

_INSTRUCTIONS = f"""\
Craft the goal item. You are shown crafting commands; some are not needed. Commands:
craft N X using N1 Y1, N2 Y2 - craft as shown: the same items and numbers.{{groups}}
get N X - gather 1 to {MAX_GET} of an item that has no recipe.
inventory - list what you hold.
Ingredients must be in your inventory: get or craft them first. One command a turn."""


class TextCraftScenario(ABC):
    """Everything of a scenario but its tasks."""

    example_command = "craft 4 stick using 2 oak planks"
    is_light = True
    """A step takes microseconds and never waits: a service may run it in its event loop."""
    groups_rule = " For a group such as planks name one member, such as oak planks."
    """What the rules say about groups; empty where there are none."""

    def __init__(
        self, name: str, *, max_distractors: int, max_steps: int | None, options: Mapping[str, object]
    ) -> None:
        if max_distractors < 0:
            raise ConfigError(f"max_distractors must be >= 0, got {max_distractors}")
        if max_steps is not None and max_steps < 1:
            raise ConfigError(f"max_steps must be >= 1 or absent, got {max_steps}")
        self._max_distractors = max_distractors
        self._max_steps = max_steps
        # an option that changes an episode is part of the id: two results under one id are comparable
        self._env_id = name + "".join(f"+{key}={value}" for key, value in options.items())

    @property
    def env_id(self) -> str:
        """The version, and every option that changes an episode and is not at its default."""
        return self._env_id

    @property
    def instructions(self) -> str:
        """The rules and commands."""
        return _INSTRUCTIONS.format(groups=self.groups_rule)

    @property
    def splits(self) -> tuple[str, ...]:
        """Train, validation and test."""
        return SPLITS

    @abstractmethod
    def tasks(self, split: str) -> Sequence[Task]:
        """All tasks of a split."""

    @abstractmethod
    def panel(self, split: str) -> Panel:
        """The fixed evaluation panel of a split."""

    @abstractmethod
    def resolve(self, task: Task) -> tuple[World, str]:
        """The task's world and goal; raises `DataError` for a task of another environment."""

    def make(self) -> Env:
        """A fresh environment for one episode."""
        return TextCraftEnv(self.resolve, max_distractors=self._max_distractors, max_steps=self._max_steps)

    def oracle(self, env: Env) -> Oracle:
        """The expert of a live episode."""
        if not isinstance(env, TextCraftEnv):
            raise TypeError(f"expected an environment made by this scenario, got {type(env).__name__}")
        return TextCraftOracle(env)

    def content_sha256(self, split: str) -> str:
        """Digest of the first observations of a panel: changes whenever an agent would be told anything else."""
        digest = hashlib.sha256()
        for task in self.panel(split).tasks:
            _, observation = opening(*self.resolve(task), task, self._max_distractors)
            digest.update(observation.encode() + b"\0")
        return digest.hexdigest()
