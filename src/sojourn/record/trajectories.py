"""Trajectories as JSON lines: everything an episode was, one line each, in a versioned schema.

A line holds the keys ``schema``, ``update``, ``group``, ``panel`` (where the episode belongs), ``task``,
``stop_reason``, ``horizon``, ``seed``, ``return``, ``success``, ``error``, ``instructions``, ``first`` (the reset's
answer) and ``turns``. A turn holds the ids it read (``prompt_ids``) and those it sampled (``token_ids``), the log-prob
of each sampled id, its text and action, and the environment's answer. The episode's context is all turns' ``prompt_ids
+ token_ids`` in order. Trained tokens are the sampled ones whose entry in ``allowed_sizes`` is not 1 (null: the whole
vocabulary); without ``allowed_sizes`` all sampled ones. There is no wall clock in a line unless asked for, so that
equal runs write equal files.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sojourn.errors import DataError
from sojourn.record.jsonl import LineWriter, read_float, read_lines
from sojourn.types import (
    Completion,
    Decision,
    StepResult,
    StopReason,
    Task,
    Trajectory,
    TrajectoryGroup,
    Turn,
)

SCHEMA = 1


@dataclass(frozen=True, kw_only=True, slots=True)
class RecordedTrajectory:
    """A trajectory and where it belongs."""

    trajectory: Trajectory
    update: int | None = None
    """Update it was collected for, or (with `panel`) updates done when it was evaluated."""
    group: int | None = None
    """Index of its group within the update; None outside training."""
    panel: str | None = None
    """Panel that it was an evaluation on; None in training."""
    allowed_sizes: tuple[tuple[int | None, ...] | None, ...] = ()
    """Per turn, how many ids each token could have been (None: the whole vocabulary)."""


def trajectory_to_json(
    trajectory: Trajectory,
    *,
    update: int | None = None,
    group: int | None = None,
    panel: str | None = None,
    with_allowed: bool = False,
    with_timings: bool = False,
) -> dict[str, Any]:
    """The line of one trajectory. `with_allowed` keeps the allowed ids themselves (large), not just their number."""
    task = trajectory.task
    return {
        "schema": SCHEMA,
        "update": update,
        "group": group,
        "panel": panel,
        "task": {
            "env_id": task.env_id,
            "task_id": task.task_id,
            "split": task.split,
            "seed": task.seed,
            "category": task.category,
        },
        "stop_reason": trajectory.stop_reason.value,
        "horizon": trajectory.horizon,
        "seed": trajectory.seed,
        "return": trajectory.return_,
        "success": trajectory.is_success,
        "error": trajectory.error,
        "instructions": trajectory.instructions,
        "first": None if trajectory.first is None else _result_to_json(trajectory.first),
        "turns": [_turn_to_json(turn, with_allowed, with_timings) for turn in trajectory.turns],
    }


def _result_to_json(result: StepResult) -> dict[str, Any]:
    row: dict[str, Any] = {
        "observation": result.observation,
        "reward": result.reward,
        "terminated": result.terminated,
        "truncated": result.truncated,
        "success": result.success,
    }
    return row | {"info": dict(result.info)} if result.info else row


def _turn_to_json(turn: Turn, with_allowed: bool, with_timings: bool) -> dict[str, Any]:
    decision, completion = turn.decision, turn.decision.completion
    row: dict[str, Any] = {
        "text": decision.text,
        "action": decision.action,
        "error": decision.error,
        **_result_to_json(turn.result),
        "prompt_ids": decision.prompt_ids,
        "token_ids": completion.token_ids,
        "logprobs": completion.logprobs,
        "finish_reason": completion.finish_reason,
        "policy_version": completion.policy_version,
    }
    if completion.allowed is not None:
        row["allowed_sizes"] = [None if ids is None else len(ids) for ids in completion.allowed]
        if with_allowed:
            row["allowed"] = completion.allowed
    if with_timings:
        row["timings"] = {"sample_s": turn.sample_s, "step_s": turn.step_s}
    return row


def trajectory_from_json(row: Mapping[str, Any]) -> RecordedTrajectory:
    """The trajectory of one line, equal to what was written (but for what was left out: allowed ids and timings).

    Raises `DataError` for an unknown schema version or a line that is not a trajectory.
    """
    if row.get("schema") != SCHEMA:
        raise DataError(f"expected a trajectory of schema {SCHEMA}, got schema {row.get('schema')!r}")
    try:
        trajectory = Trajectory(
            task=Task(**row["task"]),
            first=None if row["first"] is None else _result_from_json(row["first"]),
            turns=tuple(_turn_from_json(turn) for turn in row["turns"]),
            stop_reason=StopReason(row["stop_reason"]),
            horizon=row["horizon"],
            seed=row["seed"],
            error=row["error"],
            instructions=row["instructions"],
        )
        return RecordedTrajectory(
            trajectory=trajectory,
            update=row["update"],
            group=row["group"],
            panel=row["panel"],
            allowed_sizes=tuple(_sizes(turn) for turn in row["turns"]),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DataError(f"not a trajectory: {type(error).__name__}: {error}") from error


def _sizes(turn: Mapping[str, Any]) -> tuple[int | None, ...] | None:
    return tuple(turn["allowed_sizes"]) if "allowed_sizes" in turn else None


def _result_from_json(row: Mapping[str, Any]) -> StepResult:
    return StepResult(
        observation=row["observation"],
        reward=read_float(row["reward"]),
        terminated=row["terminated"],
        truncated=row["truncated"],
        success=row["success"],
        info=row.get("info", {}),
    )


def _turn_from_json(row: Mapping[str, Any]) -> Turn:
    allowed = row.get("allowed")
    completion = Completion(
        token_ids=tuple(row["token_ids"]),
        logprobs=tuple(read_float(x) for x in row["logprobs"]),
        finish_reason=row["finish_reason"],
        policy_version=row["policy_version"],
        allowed=None if allowed is None else tuple(None if ids is None else tuple(ids) for ids in allowed),
    )
    decision = Decision(
        prompt_ids=tuple(row["prompt_ids"]),
        completion=completion,
        text=row["text"],
        action=row["action"],
        error=row["error"],
    )
    return Turn(decision=decision, result=_result_from_json(row), **row.get("timings", {}))


class TrajectoryWriter:
    """Appends trajectories to one file."""

    def __init__(self, path: Path, *, with_allowed: bool = False, with_timings: bool = False) -> None:
        self._lines = LineWriter(path)
        self._with_allowed = with_allowed
        self._with_timings = with_timings

    def write(
        self, trajectory: Trajectory, *, update: int | None = None, group: int | None = None, panel: str | None = None
    ) -> None:
        """Append one trajectory."""
        row = trajectory_to_json(
            trajectory,
            update=update,
            group=group,
            panel=panel,
            with_allowed=self._with_allowed,
            with_timings=self._with_timings,
        )
        self._lines.append(row)

    def write_group(self, group: TrajectoryGroup, *, update: int, index: int) -> None:
        """Append a group of an update: its trajectories, then its failed ones."""
        for trajectory in (*group.trajectories, *group.failed):
            self.write(trajectory, update=update, group=index)

    def close(self) -> None:
        """Does nothing: rows are handed on as they come. Here so that all writers are closed alike."""


def read_trajectories(path: Path) -> Iterator[RecordedTrajectory]:
    """The trajectories of a file, one at a time; raises `DataError` naming file and line of the first bad one."""
    if not path.is_file():
        raise DataError(f"{path}: no such file of trajectories")
    for number, row in read_lines(path):
        try:
            yield trajectory_from_json(row)
        except DataError as error:
            raise DataError(f"{path}:{number}: {error}") from error
