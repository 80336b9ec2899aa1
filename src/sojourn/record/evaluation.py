"""One evaluation as data: who was measured on which panel, under which limits, and what came out."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sojourn.errors import DataError
from sojourn.record.jsonl import read_lines

SCHEMA = 1


@dataclass(frozen=True, kw_only=True, slots=True)
class Interval:
    """A 95 % interval of a success rate."""

    low: float
    high: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Summary:
    """The episodes of a panel, or of one category of it. Failed episodes are in no rate and no mean."""

    num_tasks: int
    """Tasks with at least one episode that did not fail."""
    num_episodes: int
    """Episodes that did not fail: the denominator of every rate and mean below but `unparsable_share`."""
    num_failed: int
    """Episodes for which every attempt failed (environment, sampler, deadline); they are left out."""
    success_rate: float | None
    """Share of the episodes that solved their task; None when there is no episode."""
    interval: Interval | None
    mean_return: float | None
    mean_turns: float | None
    unparsable_share: float | None
    """Turns without a readable action / all turns."""
    stop_reasons: Mapping[str, int]
    """Episodes by the reason they stopped for, failed ones included."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Evaluation:
    """The result of one agent on one panel."""

    agent: str
    """``policy``, ``random``, ``oracle``, or ``policy@<checkpoint>``."""
    update: int | None
    """Updates done when the policy was measured (0: before training); None for an agent that does not learn."""
    env_id: str
    panel: str
    panel_sha256: str
    horizon: int
    """Turn limit of the evaluation."""
    repeats: int
    """Episodes per task."""
    seed: int
    temperature: float | None
    """Of the policy's sampling; None for an agent that has none."""
    interval_method: str
    """``wilson`` (one episode per task) or ``bootstrap over tasks``."""
    overall: Summary
    categories: Mapping[str, Summary]
    """By the tasks' category, in alphabetical order; empty when they have none."""

    def to_json(self) -> dict[str, Any]:
        """The evaluation as a JSON object."""
        return {"schema": SCHEMA, **dataclasses.asdict(self)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Evaluation:
        """Raises `DataError` when `data` is not an evaluation of this schema."""
        if data.get("schema") != SCHEMA:
            raise DataError(f"expected an evaluation of schema {SCHEMA}, got schema {data.get('schema')!r}")
        try:
            fields = {key: value for key, value in data.items() if key != "schema"}
            fields["overall"] = _summary(fields["overall"])
            fields["categories"] = {name: _summary(value) for name, value in fields["categories"].items()}
            return cls(**fields)
        except (KeyError, TypeError, AttributeError) as error:
            raise DataError(f"not an evaluation: {type(error).__name__}: {error}") from error


def _summary(data: Mapping[str, Any]) -> Summary:
    interval = data["interval"]
    return Summary(**{**data, "interval": None if interval is None else Interval(**interval)})


def require_comparable(first: Evaluation, second: Evaluation) -> None:
    """Raise `DataError` unless both were measured on the same tasks under the same limits."""
    for name in ("env_id", "panel_sha256", "horizon", "repeats", "seed"):
        one, other = getattr(first, name), getattr(second, name)
        if one != other:
            raise DataError(
                f"evaluations of {first.panel} and {second.panel} cannot be compared: {name} is {one!r} and {other!r}"
            )


def read_evaluations(path: Path) -> list[Evaluation]:
    """The evaluations in a JSON-lines file, in order; one that was taken again replaces the earlier one."""
    found: dict[tuple[object, ...], Evaluation] = {}
    for number, row in read_lines(path):
        try:
            evaluation = Evaluation.from_json(row)
        except DataError as error:
            raise DataError(f"{path}:{number}: {error}") from error
        found[_identity(evaluation)] = evaluation
    return list(found.values())


def _identity(evaluation: Evaluation) -> tuple[object, ...]:
    e = evaluation
    return (e.agent, e.update, e.env_id, e.panel_sha256, e.horizon, e.repeats, e.seed, e.temperature)


def latest(evaluations: Sequence[Evaluation], agent: str) -> Evaluation | None:
    """The last evaluation of `agent`, if any."""
    return next((e for e in reversed(evaluations) if e.agent == agent), None)
