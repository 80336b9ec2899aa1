"""minigrid, made quiet and cheap: one level with one seed, stepped without rendering its observations.

minigrid builds its 7x7 image on every low-level step; a text command takes several of them and needs the view once.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from sojourn.envs.babyai.levels import Level
from sojourn.errors import MissingDependencyError

os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")
try:
    import gymnasium
    import minigrid  # noqa: F401  (registers the levels)
    from gymnasium.envs.registration import load_env_creator
    from minigrid.envs.babyai.core import roomgrid_level, verifier
except ModuleNotFoundError as error:
    raise MissingDependencyError("minigrid, which simulates BabyAI,", "pip install 'sojourn[babyai]'") from error

# Rejected level layouts are printed to stdout; redirecting stdout instead would not be safe between threads.
roomgrid_level.print = lambda *_, **__: None
# minigrid reads BABYAI_DONE_ACTIONS at import and would then refuse every mission: a variable must not change a task.
verifier.use_done_actions = False


class Low(IntEnum):
    """minigrid's low-level actions."""

    LEFT = 0
    RIGHT = 1
    FORWARD = 2
    PICKUP = 3
    DROP = 4
    TOGGLE = 5
    DONE = 6  # changes nothing, yet the mission is checked: how "go to" something in front of us can succeed


@dataclass(frozen=True, kw_only=True, slots=True)
class LowResult:
    """What one low-level step said."""

    reward: float
    """minigrid's: 1 - 0.9 * steps / limit at success, else 0."""
    success: bool
    failed: bool
    """The mission can no longer be fulfilled (order broken, wrong door)."""
    terminated: bool
    """minigrid's own word: success, failure, or a failure that is none (see `Simulator.step`)."""
    out_of_steps: bool


DELTAS = ((1, 0), (0, 1), (-1, 0), (0, -1))
"""(dx, dy) of a step forward for each heading: east, south, west, north."""


class Simulator:
    """One episode of one level."""

    def __init__(self, level: Level, seed: int) -> None:
        spec = gymnasium.registry[level.registry_id]
        self.level: Any = load_env_creator(spec.entry_point)(**spec.kwargs)
        self.level.gen_obs = _no_observation
        self.level.reset(seed=seed)
        self.level.observation_space = self.level.action_space = None  # several KB, used by no one
        self.width: int = self.level.width
        self.height: int = self.level.height

    @property
    def mission(self) -> str:
        """The goal in words."""
        return str(self.level.mission)

    @property
    def cells(self) -> list[Any]:
        """minigrid's objects by cell number (y * width + x); None where the floor is free."""
        cells: list[Any] = self.level.grid.grid
        return cells

    @property
    def position(self) -> tuple[int, int]:
        """The agent's (x, y)."""
        x, y = self.level.agent_pos
        return int(x), int(y)

    @property
    def cell(self) -> int:
        """The agent's cell number."""
        x, y = self.position
        return y * self.width + x

    @property
    def heading(self) -> int:
        """0 east, 1 south, 2 west, 3 north."""
        return int(self.level.agent_dir)

    @property
    def front_cell(self) -> int:
        """Number of the cell in front of the agent."""
        (x, y), (dx, dy) = self.position, DELTAS[self.heading]
        return (y + dy) * self.width + x + dx

    @property
    def carrying(self) -> Any:
        """The object in the agent's hands, or None."""
        return self.level.carrying

    def step(self, action: Low) -> LowResult:
        """One low-level step.

        Where doors must be opened in order, minigrid checks the action that fulfils the first part against the second
        part as well and calls the mission failed: those missions are lost by doing them right. That is no failure here.
        """
        num_fulfilled = _num_fulfilled(self.level.instrs)
        _, reward, terminated, truncated, _ = self.level.step(action)
        return LowResult(
            reward=float(reward),
            success=terminated and reward != 0,
            failed=terminated and reward == 0 and _num_fulfilled(self.level.instrs) == num_fulfilled,
            terminated=terminated,
            out_of_steps=truncated,
        )


def _num_fulfilled(instr: Any) -> int:
    return sum(getattr(instr, part, None) == "success" for part in ("a_done", "b_done"))


def _no_observation(*_: object) -> dict[str, Any]:
    return {}
