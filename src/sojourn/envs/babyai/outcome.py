"""What a style answers to one action."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol


class Status(StrEnum):
    """Where the episode stands."""

    RUNNING = "running"  # the mission is open
    SUCCESS = "success"  # the mission is fulfilled
    FAILED = "failed"  # the mission can no longer be fulfilled
    OUT_OF_STEPS = "out_of_steps"  # the level's own limit of low-level steps is reached


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """The answer to one action."""

    text: str
    status: Status = Status.RUNNING
    time_reward: float = 0.0
    """minigrid's own reward: 1 - 0.9 * low-level steps / limit at success, else 0."""
    is_invalid: bool = False
    """The action made no sense here and nothing was done."""


class Style(Protocol):
    """One way to put an episode into words: observations out, commands in."""

    def start(self) -> str:
        """The first observation."""

    def act(self, action: str) -> Outcome:
        """Carry out `action`, or say why not."""

    def admissible_commands(self) -> Sequence[str]:
        """Commands that `act` carries out now, in a fixed order."""
