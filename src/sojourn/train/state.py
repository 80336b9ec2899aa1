"""The state of a training run besides weights and optimiser: small, JSON, and all of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from sojourn.errors import DataError
from sojourn.horizon import HorizonState


@dataclass(frozen=True, kw_only=True, slots=True)
class Best:
    """The best evaluation so far on the validation panel."""

    update: int
    success: float


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainState:
    """Where a run stands after `update` updates; with the engine's state it fixes all that follows."""

    update: int = 0
    """Updates done."""
    task_cursor: int = 0
    """Tasks drawn so far."""
    pending_tasks: tuple[int, ...] = ()
    """Positions of drawn tasks whose episodes no update has had yet; a resumed run plays them first."""
    horizon: HorizonState = field(default_factory=HorizonState)
    entropy: float | None = None
    """Mean entropy of the last update, for the entropy floor."""
    kl_coef: float | None = None
    """Coefficient of the KL in force, where it adapts; None: the configured one."""
    num_episodes: int = 0
    """Episodes played in training, failed ones apart."""
    num_turns: int = 0
    """Environment steps taken in training."""
    num_action_tokens: int = 0
    nonfinite_updates: int = 0
    """Updates in a row that were skipped for a non-finite loss or gradient."""
    best: Best | None = None

    def to_json(self) -> dict[str, Any]:
        """The state as JSON."""
        return asdict(self) | {"horizon": self.horizon.to_json()}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> TrainState:
        """Raises `DataError` when `data` is not a state of this version."""
        try:
            fields = dict(data)
            horizon = HorizonState.from_json(fields.pop("horizon"))
            best = fields.pop("best")
            pending = tuple(fields.pop("pending_tasks", ()))
            return cls(**fields, pending_tasks=pending, horizon=horizon, best=None if best is None else Best(**best))
        except (KeyError, TypeError, ValueError) as error:
            raise DataError(f"expected the state of a run, got {data!r}: {type(error).__name__}: {error}") from error
