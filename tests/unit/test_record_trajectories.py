"""A trajectory's line holds all of it."""

import dataclasses
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.samples_of_record import trajectory

from sojourn.errors import DataError
from sojourn.record.jsonl import json_line
from sojourn.record.trajectories import (
    TrajectoryWriter,
    read_trajectories,
    trajectory_from_json,
    trajectory_to_json,
)
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

ids = st.lists(st.integers(0, 2**17), max_size=4).map(tuple)
numbers = st.floats(allow_nan=False)
texts = st.text(max_size=12)
maybe_text = st.none() | texts
infos = st.dictionaries(texts, st.none() | st.booleans() | st.integers(-9, 9) | texts, max_size=2)
results = st.builds(
    StepResult,
    observation=texts,
    reward=numbers,
    terminated=st.booleans(),
    truncated=st.booleans(),
    success=st.none() | st.booleans(),
    info=infos,
)


@st.composite
def completions(draw: st.DrawFn) -> Completion:
    token_ids = draw(ids)
    n = len(token_ids)
    allowed = draw(st.none() | st.lists(st.none() | ids, min_size=n, max_size=n).map(tuple))
    return Completion(
        token_ids=token_ids,
        logprobs=tuple(draw(st.lists(numbers, min_size=n, max_size=n))),
        finish_reason=draw(st.sampled_from(["stop", "length"])),
        policy_version=draw(st.integers(0, 9)),
        allowed=allowed,
    )


decisions = st.builds(
    Decision, prompt_ids=ids, completion=completions(), text=texts, action=maybe_text, error=maybe_text
)
seconds = st.floats(0, 100)
turns = st.builds(Turn, decision=decisions, result=results, sample_s=seconds, step_s=seconds)
trajectories = st.builds(
    Trajectory,
    task=st.builds(Task, env_id=texts, task_id=texts, split=texts, seed=st.integers(0, 2**63), category=maybe_text),
    first=st.none() | results,
    turns=st.lists(turns, max_size=2).map(tuple),
    stop_reason=st.sampled_from(StopReason),
    horizon=st.integers(1, 50),
    seed=st.integers(0, 2**63),
    error=maybe_text,
    instructions=texts,
)


@settings(max_examples=60, deadline=None)
@given(trajectories, st.none() | st.integers(0, 9))
def test_round_trip_is_exact(original: Trajectory, update: int | None) -> None:
    row = trajectory_to_json(original, update=update, group=update, with_allowed=True, with_timings=True)
    back = trajectory_from_json(json.loads(json_line(row)))
    assert back.trajectory == original
    assert (back.update, back.group, back.panel) == (update, update, None)


def test_by_default_only_allowed_ids_and_timings_are_left_out_and_sizes_stay() -> None:
    back = trajectory_from_json(json.loads(json_line(trajectory_to_json(trajectory()))))
    (turn,) = trajectory().turns
    completion = dataclasses.replace(turn.decision.completion, allowed=None)
    decision = dataclasses.replace(turn.decision, completion=completion)
    stripped = dataclasses.replace(turn, decision=decision, sample_s=0.0, step_s=0.0)
    assert back.trajectory == trajectory(turns=(stripped,))
    assert back.allowed_sizes == ((2, 1),)


def test_the_line_says_what_came_out_and_holds_no_wall_clock() -> None:
    row = trajectory_to_json(trajectory(), update=4, group=2)
    assert (row["schema"], row["update"], row["group"], row["return"], row["success"]) == (1, 4, 2, 1.0, True)
    assert "timings" not in row["turns"][0]


def test_a_group_is_written_with_its_failed_members(tmp_path: Path) -> None:
    failed = trajectory(turns=(), first=None, stop_reason=StopReason.ENV_ERROR, error="down")
    group = TrajectoryGroup(task=trajectory().task, trajectories=(trajectory(),), failed=(failed,))
    writer = TrajectoryWriter(tmp_path / "t.jsonl")
    writer.write_group(group, update=0, index=3)
    first, second = read_trajectories(tmp_path / "t.jsonl")
    assert (first.group, second.group) == (3, 3)
    assert second.trajectory == failed


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"schema": 2}, "expected a trajectory of schema 1, got schema 2"),
        ({"task": None}, "not a trajectory"),
        ({"stop_reason": "tired"}, "not a trajectory: ValueError: 'tired' is not a valid StopReason"),
        ({"turns": [{}]}, "not a trajectory: KeyError"),
    ],
)
def test_a_bad_line_is_refused_with_file_and_line(tmp_path: Path, change: dict[str, object], message: str) -> None:
    path = tmp_path / "t.jsonl"
    good = trajectory_to_json(trajectory())
    path.write_bytes(json_line(good) + json_line(good | change))
    with pytest.raises(DataError, match=rf"t\.jsonl:2: {message}"):
        list(read_trajectories(path))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none\.jsonl"):
        list(read_trajectories(tmp_path / "none.jsonl"))
