"""One ScienceWorld episode as an `Env`."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from enum import Enum, auto
from typing import Any, Literal

from sojourn.envs.sciworld.pool import Lease, Pool
from sojourn.envs.sciworld.simulator import UNKNOWN, Handle, Outcome, Setting
from sojourn.errors import EnvError
from sojourn.types import StepResult, Task

Resolve = Callable[[Task], Setting]
"""Task -> what to load; raises `DataError` for a task of another environment."""

RewardName = Literal["progress", "gains", "success"]

MAX_ACTION_CHARS = 300
"""The simulator's longest command is a third of it; what is longer is no command."""
_PARTS = 1 << 52  # multiples of 2^-52 between -1 and 1 add up without an error
REFUSAL = (
    f"{UNKNOWN} Expected a command such as: look around, open X, go to X, pick up X, move X to Y, use X on Y, "
    "focus on X, wait; name things as they are described."
)


def increment(before: int, after: int) -> float:
    """The reward for a score's way from `before` to `after` hundredths, such that sums of rewards are exact.

    A return is then a function of the last score alone. With plain differences two episodes with the same end could
    differ in the last digit, and their group would not be recognised as one without a signal.
    """
    return (after * _PARTS // 100 - before * _PARTS // 100) / _PARTS


class _State(Enum):
    NEW = auto()
    LIVE = auto()
    OVER = auto()
    CLOSED = auto()


class SciWorldEnv:
    """An episode: each step pays the increase of ScienceWorld's own score, as a fraction of its maximum of 100.

    Success is a score of 100. Focusing on a wrong thing sets it to -100 and ends the episode. Other rewards than this
    ``progress``: ``gains``, the same but 0 for a wrong focus, and ``success``, which is paid with 1, and nothing else.
    A command that cannot be read changes nothing, counts as a step, and has ``info["invalid"]`` set. One that can be
    read in several ways is answered with a numbered list: a number chooses, any other command is taken as a new one.
    """

    def __init__(
        self,
        resolve: Resolve,
        pool: Pool,
        *,
        max_steps: int | None,
        listed_verbs: tuple[str, ...] | None,
        reward: RewardName,
    ) -> None:
        self._resolve = resolve
        self._pool = pool
        self._max_steps = max_steps
        self._listed_verbs = listed_verbs
        self._reward = reward
        self._state = _State.NEW
        self._handle = Handle()
        self._lease: Lease | None = None
        self._task: Task | None = None
        self._done: list[str] = []
        self._num_steps = 0
        self._score = 0
        self._listed: tuple[str, ...] | None = None

    @property
    def task(self) -> Task:
        """The task of the episode; for oracles. Raises `EnvError` before the reset."""
        if self._task is None:
            raise EnvError("SciWorld: no episode is open (reset first)")
        return self._task

    @property
    def done(self) -> Sequence[str]:
        """The commands carried out so far; for oracles."""
        return tuple(self._done)

    @property
    def jvm_pid(self) -> int | None:
        """Process id of the JVM that the episode lives in, for monitoring; None when there is none."""
        return None if self._lease is None else self._lease.jvm.pid

    async def reset(self, task: Task) -> StepResult:
        """Build the house; the first observation is the task and a look around."""
        if self._state is not _State.NEW:
            raise EnvError(f"SciWorld: reset of an environment that is {self._state.name.lower()}; make a fresh one")
        setting = self._resolve(task)
        self._task = task
        self._state = _State.LIVE
        self._lease = self._pool.lease()
        description, look = await self._lease.run(lambda simulator: simulator.load(setting, self._handle))
        return StepResult(observation=f"{description}\n{look}", success=False, info={"score": 0})

    async def step(self, action: str) -> StepResult:
        """Carry out one command."""
        if self._state is not _State.LIVE or self._lease is None:
            raise EnvError(f"SciWorld: step of an environment that is {self._state.name.lower()}, expected a live one")
        command = " ".join(action.split())
        outcome = None
        if command.isascii() and command.isprintable() and 0 < len(command) <= MAX_ACTION_CHARS:
            seed = self._seed("step")
            outcome = await self._lease.run(lambda simulator: simulator.step(self._handle.live, command, seed))
        self._num_steps += 1
        is_cut = self._num_steps == self._max_steps
        if outcome is None or not outcome.is_known:
            self._state = _State.OVER if is_cut else _State.LIVE
            info = {"score": self._score, "invalid": True}
            return StepResult(observation=REFUSAL, truncated=is_cut, success=False, info=info)
        self._done.append(command)
        self._listed = None
        return self._told(outcome, is_cut)

    def _told(self, outcome: Outcome, is_cut: bool) -> StepResult:
        """The result of a command that was carried out."""
        is_over = outcome.is_over or outcome.score == 100
        self._state = _State.OVER if is_over or is_cut else _State.LIVE
        reward = self._reward_of(outcome)
        self._score = outcome.score
        info: Mapping[str, Any] = {"score": outcome.score}
        if outcome.num_choices:
            info = {**info, "num_choices": outcome.num_choices}
        return StepResult(
            observation=outcome.text,
            reward=reward,
            terminated=is_over,
            truncated=is_cut and not is_over,
            success=outcome.score == 100,
            info=info,
        )

    def _reward_of(self, outcome: Outcome) -> float:
        if self._reward == "success":
            return float(outcome.score == 100)
        if self._reward == "gains" and outcome.score < 0:
            return 0.0
        return increment(self._score, outcome.score)

    async def admissible_commands(self) -> Sequence[str]:
        """What the simulator calls valid now, sorted; with `listed_verbs` only those that begin with one of them."""
        if self._state is not _State.LIVE or self._lease is None:
            return ()
        if self._listed is None:
            seed = self._seed("list")
            listed = await self._lease.run(lambda simulator: simulator.commands(self._handle.live, seed))
            self._listed = tuple(command for command in listed if self._is_listed(command))
        return self._listed

    def _is_listed(self, command: str) -> bool:
        verbs = self._listed_verbs
        return verbs is None or command.isdecimal() or any(f"{command} ".startswith(f"{verb} ") for verb in verbs)

    def _seed(self, purpose: str) -> int:
        """Seed of what happens by chance next; commands that were not carried out do not count."""
        text = f"{self.task.task_id}/{self.task.seed}/{purpose}/{len(self._done)}"
        return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=6).digest(), "big")

    async def close(self) -> None:
        """End the episode; the JVM forgets it when it gets to it."""
        self._state = _State.CLOSED
        if self._lease is not None:
            self._lease.end(lambda simulator: simulator.release(self._handle))
            self._lease = None
