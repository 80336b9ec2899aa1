"""Metrics are deterministic files that a resume cuts back exactly."""

import math
from collections.abc import Iterator
from pathlib import Path

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tests.unit.samples_of_record import config, evaluation, trajectory

from sojourn.errors import MissingDependencyError
from sojourn.record.evaluation import read_evaluations
from sojourn.record.metrics import MetricsWriter, read_metrics
from sojourn.record.run_dir import RunDir
from sojourn.record.trajectories import TrajectoryWriter, read_trajectories


@pytest.fixture
def run(tmp_path: Path) -> Iterator[RunDir]:
    with RunDir.create(tmp_path / "toy", config()) as run:
        yield run


def write(run: RunDir, updates: range, first: int | None = None) -> None:
    writer = MetricsWriter(run)
    if first is not None:
        writer.truncate(first)
    lines = TrajectoryWriter(run.trajectories)
    for update in updates:
        lines.write(trajectory(), update=update, group=0)
        writer.update(update, {"train/success": update / 10, "note": "x", "none": None}, {"time/update": 0.5})
        writer.evaluation(evaluation(update=update + 1))
    writer.close()


def contents(run: RunDir) -> list[bytes]:
    return [path.read_bytes() for path in (run.metrics, run.timings, run.evaluations, run.trajectories)]


def test_k_plus_n_updates_write_what_k_kill_resume_n_write(run: RunDir, tmp_path: Path) -> None:
    write(run, range(4))
    with RunDir.create(tmp_path / "other", config()) as other:
        write(other, range(3))
        with other.metrics.open("ab") as file:
            file.write(b'{"update":3,"tr')
        write(other, range(2, 4), first=2)
    assert contents(run) == contents(other)


def test_evaluations_of_agents_that_do_not_learn_survive_a_truncation(run: RunDir) -> None:
    writer = MetricsWriter(run)
    writer.evaluation(evaluation(agent="random", update=None))
    writer.evaluation(evaluation(update=0))
    writer.evaluation(evaluation(update=2))
    writer.truncate(1)
    assert [(e.agent, e.update) for e in read_evaluations(run.evaluations)] == [("random", None), ("policy", 0)]
    writer.truncate(0)
    assert read_evaluations(run.evaluations) == []


def test_metrics_come_back_with_their_odd_numbers(run: RunDir) -> None:
    writer = MetricsWriter(run)
    writer.update(0, {"a": math.inf, "b": 3, "c": "text", "d": None, "e": True}, {})
    writer.close()
    assert read_metrics(run.metrics) == [{"update": 0, "a": math.inf, "b": 3, "c": "text", "d": None, "e": True}]


def scalars(run: RunDir, tag: str) -> list[tuple[int, float]]:
    events = EventAccumulator(str(run.tensorboard)).Reload()
    return [(e.step, round(e.value, 3)) for e in events.Scalars(tag)]


def test_tensorboard_gets_finite_numbers_and_a_resume_hides_the_old_ones(run: RunDir) -> None:
    write(run, range(3))
    write(run, range(1, 3), first=1)
    assert scalars(run, "train/success") == [(0, 0.0), (1, 0.1), (2, 0.2)]
    assert scalars(run, "evaluate/buttons-v1/test/success")[-1] == (3, 0.5)


def test_an_absent_tracker_is_told_at_once_with_its_remedy(run: RunDir) -> None:
    with pytest.raises(MissingDependencyError, match=r"sojourn\[trackio\]"):
        MetricsWriter(run, ["trackio"])


def test_trajectories_are_read_lazily_from_what_is_there(run: RunDir) -> None:
    write(run, range(2))
    assert [r.update for r in read_trajectories(run.trajectories)] == [0, 1]
