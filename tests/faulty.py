"""A real environment that fails on command; what it says tells how often it was asked, and where it lives."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Sequence

from sojourn.envs.protocol import Env, Oracle, Panel
from sojourn.errors import ConfigError, DataError, EnvError
from sojourn.types import StepResult, Task

COMMANDS = ("go", "finish", "crash", "hold", "wait", "cling", "raise", "fail", "nan", "strange", "surrogate", "print")


STRANGE = {
    "nan": StepResult(observation="?", reward=float("nan")),
    "strange": StepResult(observation="?", info={"thing": object()}),
    "surrogate": StepResult(observation="\ud800!"),
}


async def _hang(refuses: bool) -> None:
    """Never come back, and perhaps refuse to be cancelled."""
    while True:
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            if not refuses:
                raise


class FaultyEnv:
    """Each command does what it is called; `go` goes on and `finish` succeeds."""

    def __init__(self) -> None:
        self.num_steps = 0
        self.is_live: bool | None = None

    async def reset(self, task: Task) -> StepResult:
        if task.env_id != "faulty-v1":
            raise DataError(f"expected a task of faulty-v1, got {task.env_id}")
        if self.is_live is not None:
            raise EnvError("reset is called once")
        if task.task_id == "unstartable":
            raise EnvError("cannot be started")
        self.is_live = True
        return StepResult(observation="Ready.", info={"pid": os.getpid()})

    async def step(self, action: str) -> StepResult:
        if not self.is_live:
            raise EnvError("the episode is not running")
        self.num_steps += 1
        if action == "crash":
            os._exit(7)
        if action == "hold":
            time.sleep(3600)
        if action in ("wait", "cling"):
            await _hang(refuses=action == "cling")
        if action == "raise":
            raise ZeroDivisionError("a bug")
        if action == "fail":
            raise EnvError("failed on purpose")
        if action == "print":
            print("on standard output")
        if action in STRANGE:
            return STRANGE[action]
        self.is_live = action != "finish"
        return StepResult(
            observation=f"Step {self.num_steps}: {action[:20]}.",
            reward=float(not self.is_live),
            terminated=not self.is_live,
            success=not self.is_live,
            info={} if action in COMMANDS else {"invalid": True},
        )

    async def admissible_commands(self) -> Sequence[str]:
        return COMMANDS if self.is_live else ()

    async def close(self) -> None:
        self.is_live = False


class Faulty:
    """The scenario."""

    env_id = "faulty-v1"
    instructions = "Say go, and finish."
    example_command = "go"
    splits = ("train", "validation", "test")

    def tasks(self, split: str) -> Sequence[Task]:
        offset = self.splits.index(split)
        return [Task(env_id=self.env_id, task_id=str(n), split=split, seed=n) for n in range(offset, 30, 3)]

    def panel(self, split: str) -> Panel:
        return Panel(name=f"{self.env_id}/{split}", tasks=tuple(self.tasks(split)))

    def make(self) -> Env:
        return FaultyEnv()

    def oracle(self, env: Env) -> Oracle:
        raise ConfigError("faulty-v1 has no oracle")


class LightFaulty(Faulty):
    """The same, in the service's own process."""

    is_light = True


class Unloadable(Faulty):
    """Can be looked at by the service, and is refused where a worker loads it."""

    def __init__(self) -> None:
        spec = sys.modules["__main__"].__spec__
        if spec is not None and spec.name.endswith(".worker"):
            raise ConfigError("not here")
