"""A tiny real environment for tests: press the named buttons in order. No randomness, no dependency, microseconds."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from sojourn.envs.protocol import Env, Oracle, Panel
from sojourn.errors import DataError, EnvError
from sojourn.types import StepResult, Task

COLOURS = ("red", "green", "blue", "yellow")
COMMANDS = tuple(f"press {colour}" for colour in COLOURS)
LENGTHS = {1: "one", 2: "two", 3: "three"}
MAX_STEPS = 12


class ButtonsEnv:
    """One episode: reward 1 when every named button was pressed in order; a wrong press does nothing."""

    def __init__(self, broken: Sequence[str] = ()) -> None:
        self._broken = broken
        self._left: list[str] | None = None
        self._num_steps = 0
        self._is_over = False
        self.is_closed = False

    async def reset(self, task: Task) -> StepResult:
        if task.task_id in self._broken:
            raise EnvError(f"task {task.task_id} is broken on purpose")
        colours = task.task_id.split("-")
        if not set(colours) <= set(COLOURS):
            raise DataError(f"expected colours joined by '-', got task {task.task_id!r}")
        self._left = colours
        return StepResult(observation=f"Press {', then '.join(colours)}.")

    async def step(self, action: str) -> StepResult:
        if self._left is None or self._is_over:
            raise EnvError("the episode is not running")
        self._num_steps += 1
        if action not in COMMANDS:
            said = f"Unknown command. Use one of: {', '.join(COMMANDS)}."
        elif action == f"press {self._left[0]}":
            said = f"You pressed {self._left.pop(0)}."
        else:
            said = "Nothing happens."
        return self._result(said)

    def _result(self, said: str) -> StepResult:
        assert self._left is not None
        is_done = not self._left
        is_cut = not is_done and self._num_steps >= MAX_STEPS
        self._is_over = is_done or is_cut
        left = "All is done." if is_done else f"Left: {', '.join(self._left)}."
        return StepResult(
            observation=f"{said} {left}",
            reward=float(is_done),
            terminated=is_done,
            truncated=is_cut,
            success=is_done,
        )

    async def admissible_commands(self) -> Sequence[str]:
        return COMMANDS

    def next_command(self) -> str | None:
        """For the oracle: the press that brings the episode on."""
        return f"press {self._left[0]}" if self._left else None

    async def close(self) -> None:
        self.is_closed = True


class ButtonsOracle:
    def __init__(self, env: ButtonsEnv) -> None:
        self._env = env

    async def next_action(self) -> str | None:
        return self._env.next_command()


class Buttons:
    """A scenario of 84 tasks (1 to 3 buttons of 4 colours) in three disjoint splits.

    `lengths` keeps only tasks with so many buttons; tasks named in `broken` fail in `reset`.
    """

    env_id = "buttons-v1"
    instructions = "Press the named buttons in the order given. Command: press <colour>."
    example_command = "press red"
    splits = ("train", "validation", "test")

    def __init__(self, lengths: Sequence[int] = (1, 2, 3), broken: Sequence[str] = ()) -> None:
        self._lengths = tuple(lengths)
        self._broken = tuple(broken)

    def tasks(self, split: str) -> Sequence[Task]:
        if split not in self.splits:
            raise DataError(f"unknown split {split!r}; known: {', '.join(self.splits)}")
        sequences = [s for n in self._lengths for s in itertools.product(COLOURS, repeat=n)]
        return tuple(
            Task(env_id=self.env_id, task_id="-".join(s), split=split, seed=index, category=LENGTHS[len(s)])
            for index, s in enumerate(sequences)
            if _split_of(index) == split
        )

    def panel(self, split: str) -> Panel:
        return Panel(name=f"{self.env_id}/{split}", tasks=tuple(self.tasks(split)))

    def make(self) -> Env:
        return ButtonsEnv(self._broken)

    def oracle(self, env: Env) -> Oracle:
        assert isinstance(env, ButtonsEnv)
        return ButtonsOracle(env)


def _split_of(index: int) -> str:
    return {0: "validation", 1: "test"}.get(index % 4, "train")
