"""The contract of an environment: one episode in an `Env`, a family of tasks in a `Scenario`.

An environment raises only `EnvError` (or lets a bug rise); an action that makes no sense is answered with an
observation that says what was expected, never with an exception.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol, runtime_checkable

from sojourn.types import StepResult, Task


@runtime_checkable
class Env(Protocol):
    """One episode, then thrown away."""

    async def reset(self, task: Task) -> StepResult:
        """Start the episode and return its first observation. Called once; raises `DataError` for a bad task."""

    async def step(self, action: str) -> StepResult:
        """Act. After the episode has ended it raises `EnvError`; it never raises for what `action` says."""

    async def close(self) -> None:
        """Free what the episode holds; may be called twice, and before `reset`."""


@runtime_checkable
class ListsCommands(Protocol):
    """An `Env` that can say which commands make sense now; computed only when asked."""

    async def admissible_commands(self) -> Sequence[str]:
        """Commands in a fixed order, without duplicates; each is accepted by `step` in the current state.

        Empty before `reset` and once the episode is over.
        """


class Oracle(Protocol):
    """Knows the way: an expert bound to one live episode."""

    async def next_action(self) -> str | None:
        """The next action of a plan that solves the task; None when it has none."""


@dataclass(frozen=True, kw_only=True)
class Panel:
    """A fixed list of evaluation tasks with a hash of their content."""

    name: str
    """Such as ``textcraft-v1/test``."""
    tasks: tuple[Task, ...]

    @cached_property
    def sha256(self) -> str:
        """Hash of the tasks' identities; two panels with one hash hold the same tasks in the same order."""
        rows = [[t.env_id, t.task_id, t.split, t.seed, t.category] for t in self.tasks]
        return hashlib.sha256(json.dumps(rows, separators=(",", ":")).encode()).hexdigest()


class Scenario(Protocol):
    """A family of tasks: what the catalog holds under one environment id."""

    @property
    def env_id(self) -> str:
        """Versioned id; changes whenever the same actions on the same task could give another trajectory."""

    @property
    def instructions(self) -> str:
        """The rules and commands, as told to an agent before the first observation (no action format in it)."""

    @property
    def example_command(self) -> str:
        """One well-formed command, for the action format's example."""

    @property
    def splits(self) -> tuple[str, ...]:
        """Names of the splits, at least ``train``, ``validation`` and ``test``; no task is in two of them."""

    def tasks(self, split: str) -> Sequence[Task]:
        """All tasks of a split in a fixed order (a lazy sequence where there are very many)."""

    def panel(self, split: str) -> Panel:
        """The fixed evaluation panel of a split."""

    def make(self) -> Env:
        """A fresh environment for one episode."""

    def oracle(self, env: Env) -> Oracle:
        """An expert for the episode that `env` (made by this scenario, already reset) is in."""
