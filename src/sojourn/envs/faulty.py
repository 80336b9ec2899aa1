"""Fault injection: any scenario, made to fail or to be slow now and then. For tests, and for trying a run's limits."""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import Mapping, Sequence
from typing import Any

from sojourn.envs.catalog import load_scenario
from sojourn.envs.protocol import Env, Oracle, Panel, Scenario
from sojourn.errors import ConfigError, EnvError
from sojourn.types import StepResult, Task


class FaultyEnv:
    """An episode whose resets and steps fail with given chances; otherwise the inner one, untouched."""

    def __init__(
        self, inner: Env, faults: random.Random, chances: tuple[float, float, float], pauses: tuple[float, float, float]
    ) -> None:
        """`chances` of an error, a hang, a death; `pauses`: seconds, chance of a slow call, and how much slower."""
        self.inner = inner
        self._faults = faults
        self._chances = chances
        self._pauses = pauses
        if hasattr(inner, "admissible_commands"):  # lists commands just where the inner one does
            self.admissible_commands = inner.admissible_commands

    async def reset(self, task: Task) -> StepResult:
        """The inner reset, or a fault."""
        await self._maybe_fail("reset")
        return await self.inner.reset(task)

    async def step(self, action: str) -> StepResult:
        """The inner step, or a fault; after a fault the inner episode has not moved."""
        await self._maybe_fail("step")
        return await self.inner.step(action)

    async def close(self) -> None:
        """Close the inner one."""
        await self.inner.close()

    async def _maybe_fail(self, stage: str) -> None:
        pause, p_slow, slow_factor = self._pauses
        if pause:
            await asyncio.sleep(pause * slow_factor if self._faults.random() < p_slow else pause)
        drawn = self._faults.random()
        p_error, p_hang, p_die = self._chances
        if drawn < p_error:
            raise EnvError(f"injected fault in {stage}")
        if drawn < p_error + p_hang:
            await asyncio.Event().wait()  # for ever: a deadline has to end it
        if drawn < p_error + p_hang + p_die:
            os._exit(70)


class Faulty:
    """The scenario `name` with faults: each reset and step fails with `p_error`, hangs with `p_hang`, and with `p_die`
    ends its process at once (for environments that a service runs in workers). Each takes `step_s` seconds more, and
    with `p_slow` that many times `slow_factor`.

    The tasks, panels and observations are the inner scenario's; only which calls fail or are slow is random, by `seed`
    and the number of the environment made.
    """

    def __init__(
        self,
        name: str,
        options: Mapping[str, Any] | None = None,
        *,
        p_error: float = 0.0,
        p_hang: float = 0.0,
        p_die: float = 0.0,
        step_s: float = 0.0,
        p_slow: float = 0.0,
        slow_factor: float = 50.0,
        seed: int = 0,
    ) -> None:
        if min(p_error, p_hang, p_die) < 0 or p_error + p_hang + p_die > 1:
            raise ConfigError(f"expected chances that sum to at most 1, got {p_error=}, {p_hang=}, {p_die=}")
        if step_s < 0 or not 0 <= p_slow <= 1 or slow_factor < 1:
            raise ConfigError(
                f"expected a time, a chance and a factor of 1 or more, got {step_s=}, {p_slow=}, {slow_factor=}"
            )
        self.inner: Scenario = load_scenario(name, options)
        self._chances = (p_error, p_hang, p_die)
        self._pauses = (step_s, p_slow, slow_factor)
        self._seed = seed
        self._num_made = 0

    @property
    def env_id(self) -> str:
        """The inner scenario's: a trajectory that did not fail is one of its own."""
        return self.inner.env_id

    @property
    def instructions(self) -> str:
        """The inner scenario's."""
        return self.inner.instructions

    @property
    def example_command(self) -> str:
        """The inner scenario's."""
        return self.inner.example_command

    @property
    def splits(self) -> tuple[str, ...]:
        """The inner scenario's."""
        return self.inner.splits

    def tasks(self, split: str) -> Sequence[Task]:
        """The inner scenario's."""
        return self.inner.tasks(split)

    def panel(self, split: str) -> Panel:
        """The inner scenario's."""
        return self.inner.panel(split)

    def make(self) -> Env:
        """A fresh environment with faults of its own."""
        self._num_made += 1
        return FaultyEnv(
            self.inner.make(), random.Random(f"{self._seed}:{self._num_made}"), self._chances, self._pauses
        )

    def oracle(self, env: Env) -> Oracle:
        """The inner scenario's expert for the inner episode."""
        return self.inner.oracle(env.inner if isinstance(env, FaultyEnv) else env)
