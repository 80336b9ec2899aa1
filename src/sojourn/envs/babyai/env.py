"""One BabyAI episode as an `Env`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal

from sojourn.envs.babyai.agentgym_style import AgentGymStyle
from sojourn.envs.babyai.default_style import DefaultStyle, ReminderStyle
from sojourn.envs.babyai.levels import LEVELS, NUM_LEVELS
from sojourn.envs.babyai.outcome import Outcome, Status, Style
from sojourn.envs.babyai.simulator import Simulator
from sojourn.errors import DataError, EnvError
from sojourn.types import StepResult, Task

StyleName = Literal["default", "reminder", "agentgym"]
RewardName = Literal["binary", "time"]

STYLES: dict[str, type[DefaultStyle] | type[AgentGymStyle]] = {
    "default": DefaultStyle,
    "reminder": ReminderStyle,
    "agentgym": AgentGymStyle,
}

_TASK_ID = re.compile(r"[0-9]{1,18}")


class BabyAIEnv:
    """One episode of one level."""

    def __init__(self, *, env_id: str, style: StyleName, reward: RewardName) -> None:
        self._env_id = env_id
        self._style_name = style
        self._reward = reward
        self._style: Style | None = None
        self._simulator: Simulator | None = None
        self._is_used = False

    @property
    def simulator(self) -> Simulator:
        """The level underneath, for oracles and viewers."""
        if self._simulator is None:
            raise EnvError("BabyAI: no episode is open (reset first, and not after close)")
        return self._simulator

    @property
    def style(self) -> Style:
        """The words around the level, for oracles."""
        if self._style is None:
            raise EnvError("BabyAI: no episode is running (reset first; nothing follows its end)")
        return self._style

    async def reset(self, task: Task) -> StepResult:
        """Build the level of `task` and describe what is in view."""
        if self._is_used:
            raise EnvError("BabyAI: an environment holds one episode; make a fresh one")
        level_number = self._checked(task) % NUM_LEVELS + 1
        self._is_used = True
        self._simulator = Simulator(LEVELS[level_number - 1], task.seed)
        self._style = STYLES[self._style_name](self._simulator)
        return StepResult(observation=self._style.start(), success=False)

    def _checked(self, task: Task) -> int:
        if task.env_id != self._env_id:
            raise DataError(f"expected a task of {self._env_id}, got one of {task.env_id}")
        if _TASK_ID.fullmatch(task.task_id) is None:
            raise DataError(f"a BabyAI task id is a number (seed * {NUM_LEVELS} + level - 1), got {task.task_id!r}")
        number = int(task.task_id)
        if task.seed != number // NUM_LEVELS:
            raise DataError(f"BabyAI task {number} has seed {number // NUM_LEVELS}, got {task.seed}")
        return number

    async def step(self, action: str) -> StepResult:
        """Carry out one command; one that makes no sense is answered with a reason and costs nothing."""
        outcome = self.style.act(action)
        is_over = outcome.status is not Status.RUNNING
        if is_over:
            self._style = None
        return StepResult(
            observation=outcome.text,
            reward=self._reward_of(outcome),
            terminated=outcome.status in (Status.SUCCESS, Status.FAILED),
            truncated=outcome.status is Status.OUT_OF_STEPS,
            success=outcome.status is Status.SUCCESS,
            info={"invalid": True} if outcome.is_invalid else {},
        )

    def _reward_of(self, outcome: Outcome) -> float:
        if outcome.status is not Status.SUCCESS:
            return 0.0
        return 1.0 if self._reward == "binary" else outcome.time_reward

    async def admissible_commands(self) -> Sequence[str]:
        """Commands that can be carried out now; none once the episode is over."""
        return () if self._style is None else self._style.admissible_commands()

    async def close(self) -> None:
        """Free the level."""
        self._is_used = True
        self._style = self._simulator = None
