"""Horizon schedules: how many turns an episode may take at a given update.

ScalingInter-RL (arXiv 2509.08755) lets the horizon grow during training. A schedule here is a pure function of the
update number (0 is the first), or, where it adapts, of its own saved state; so a resumed run has the same horizons.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from sojourn.config import FixedHorizon, HorizonConfig, LinearHorizon, StepwiseHorizon, SuccessHorizon
from sojourn.errors import DataError


@dataclass(frozen=True, kw_only=True, slots=True)
class HorizonState:
    """Memory of an adaptive schedule; the others leave it alone."""

    stage: int = 0
    """Index of the stage in force."""
    recent: tuple[float, ...] = ()
    """Training success of the latest updates since this stage began."""

    def to_json(self) -> dict[str, Any]:
        """The state as JSON."""
        return {"stage": self.stage, "recent": list(self.recent)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> HorizonState:
        """Raises `DataError` when `data` is not one."""
        try:
            return cls(stage=int(data["stage"]), recent=tuple(float(x) for x in data["recent"]))
        except (KeyError, TypeError, ValueError) as error:
            raise DataError(f"expected a horizon state {{stage, recent}}, got {dict(data)!r}") from error


def horizon_at(schedule: HorizonConfig, update: int, state: HorizonState) -> int:
    """Turn limit in force at `update` (0-based)."""
    match schedule:
        case FixedHorizon():
            return schedule.turns
        case StepwiseHorizon():
            return schedule.stages[min(update // schedule.every, len(schedule.stages) - 1)]
        case LinearHorizon():
            done = min(update, schedule.over)
            return schedule.start + (schedule.end - schedule.start) * done // schedule.over
        case SuccessHorizon():
            return schedule.stages[state.stage]


def advanced(schedule: HorizonConfig, state: HorizonState, success: float) -> HorizonState:
    """State after an update whose training success rate was `success`; changes only for an adaptive schedule."""
    if not isinstance(schedule, SuccessHorizon):
        return state
    recent = (*state.recent, success)[-schedule.window :]
    is_due = len(recent) == schedule.window and sum(recent) / schedule.window >= schedule.threshold
    if is_due and state.stage + 1 < len(schedule.stages):
        return HorizonState(stage=state.stage + 1)
    return replace(state, recent=recent)


def unreachable_warning(schedule: HorizonConfig, updates: int) -> str | None:
    """What to tell the user when the schedule's last stage cannot be reached in `updates`; None if it can."""
    match schedule:
        case StepwiseHorizon():
            first = (len(schedule.stages) - 1) * schedule.every
            last = schedule.stages[-1]
        case LinearHorizon():
            first, last = schedule.over, schedule.end
        case SuccessHorizon():
            first, last = (len(schedule.stages) - 1) * schedule.window, schedule.stages[-1]
        case FixedHorizon():
            return None
    if first < updates:
        return None
    return (
        f"the horizon's last stage ({last} turns) begins at update {first} at the earliest, "
        f"but the run has only {updates} updates"
    )
