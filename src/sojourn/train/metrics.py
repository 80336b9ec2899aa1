"""What is measured of an update: of its episodes (deterministic) and of its time (not)."""

from __future__ import annotations

import resource
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from sojourn.record.progress import Progress
from sojourn.rollout.groups import Collection
from sojourn.rollout.samples import Batch
from sojourn.types import StopReason


class Stopwatch:
    """Wall-clock seconds of the phases of one update; tells `progress` which phase runs."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self.seconds: dict[str, float] = {}

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Time the block under `name`."""
        self._progress.phase(name)
        started = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - started


def collection_metrics(collection: Collection, batch: Batch) -> dict[str, float]:
    """Counts and means over the episodes of one update.

    Means are over all episodes that did not fail, groups without a signal included; failed ones are only counted.
    """
    groups = collection.all_groups
    trajectories = [t for group in groups for t in group.trajectories]
    failed = [t for group in groups for t in group.failed]
    turns = [turn for t in trajectories for turn in t.turns]
    stops = Counter(t.stop_reason for t in trajectories + failed)
    return {
        "train/success": _mean([float(t.is_success) for t in trajectories]),
        "train/return": _mean([t.return_ for t in trajectories]),
        "train/turns": _mean([float(t.num_turns) for t in trajectories]),
        "train/unparsable_share": _mean([float(not turn.is_parsed) for turn in turns]),
        "train/invalid_share": _mean([float(bool(turn.result.info.get("invalid"))) for turn in turns]),
        "train/episodes": float(len(trajectories)),
        "train/failed_episodes": float(len(failed)),
        "train/groups": float(len(collection.groups)),
        "train/groups_zero_variance": float(len(collection.filtered)),
        "train/action_tokens": float(sum(t.num_action_tokens for t in trajectories)),
        "train/trained_tokens": float(batch.num_trained),
        "train/context_tokens": float(batch.num_tokens),
        **collection.metrics,
        **{f"stop/{reason.value}": float(stops[reason]) for reason in StopReason},
    }


def peak_memory_mb() -> float:
    """Largest resident memory of this process so far, in MiB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**20 if sys.platform == "darwin" else peak / 2**10  # macOS counts bytes, Linux KiB


def _mean(values: list[float]) -> float:
    return sum(values) / len(values) if values else 0.0
