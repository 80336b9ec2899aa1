"""Writes what a training run leaves behind, and shows it: metrics, timings, trajectories, evaluations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sojourn.config import RecordConfig
from sojourn.record.evaluation import Evaluation
from sojourn.record.metrics import MetricsWriter
from sojourn.record.progress import Progress
from sojourn.record.trajectories import TrajectoryWriter
from sojourn.rollout.groups import Collection
from sojourn.train.metrics import Stopwatch, peak_memory_mb
from sojourn.types import Trajectory


@dataclass(frozen=True, kw_only=True, slots=True)
class Recorder:
    """The record of one run; every line is on disk when a call returns."""

    config: RecordConfig
    metrics: MetricsWriter
    trajectories: TrajectoryWriter
    nonfinite: TrajectoryWriter
    """Episodes of updates that were skipped because their loss or gradient was not finite."""
    progress: Progress

    def update(self, update: int, metrics: Mapping[str, float], watch: Stopwatch, collection: Collection) -> None:
        """Record one update and its episodes, failed and filtered ones too."""
        every = self.config.trajectories_every
        if every and update % every == 0:
            for number, group in enumerate(collection.all_groups):
                for trajectory in (*group.trajectories, *group.failed):
                    self.trajectories.write(trajectory, update=update, group=number)
        seconds = sum(watch.seconds.values())
        timings = {f"time/{name}": value for name, value in watch.seconds.items()} | {
            "time/update": seconds,
            "rate/action_tokens_per_s": metrics["train/action_tokens"] / max(watch.seconds.get("collect", 0.0), 1e-9),
            "rate/context_tokens_per_s": metrics["train/context_tokens"] / max(watch.seconds.get("train", 0.0), 1e-9),
            "memory/peak_mb": peak_memory_mb(),
        }
        self.metrics.update(update, metrics, timings)
        self.progress.update(update, metrics, timings)

    def skipped(self, update: int, trajectories: Sequence[Trajectory]) -> None:
        """Record and name the episodes that made an update not finite."""
        for trajectory in trajectories:
            self.nonfinite.write(trajectory, update=update)
        names = ", ".join(f"{t.task.task_id} (seed {t.seed})" for t in trajectories[:3])
        self.progress.message(f"update {update + 1} skipped: not finite in {len(trajectories)} episodes: {names}")

    def evaluation(self, evaluation: Evaluation) -> None:
        """Record one evaluation."""
        self.metrics.evaluation(evaluation)
        self.progress.evaluation(evaluation)
