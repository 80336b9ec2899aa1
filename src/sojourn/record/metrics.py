"""The numbers of a run, written as they come and read back for plots and reports."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sojourn.record.evaluation import Evaluation
from sojourn.record.jsonl import LineWriter, keep_lines, read_float, read_lines
from sojourn.record.run_dir import RunDir
from sojourn.record.trackers import Tracker, make_trackers, require_trackers

Metric = float | int | str | None


class MetricsWriter:
    """Writes metrics, timings and evaluations of one run, and sends the same to the trackers."""

    def __init__(self, run: RunDir, trackers: Sequence[str] = ()) -> None:
        """Raises `MissingDependencyError` if a tracker is not installed."""
        require_trackers(trackers)
        self._run = run
        self._names = tuple(trackers)
        self._first_update = 0
        self._trackers: list[Tracker] | None = None
        self._metrics = LineWriter(run.metrics)
        self._timings = LineWriter(run.timings)
        self._evaluations = LineWriter(run.evaluations)

    def truncate(self, before_update: int) -> None:
        """Forget all from `before_update` on: a resume plays it again. Call it before the first `update`.

        Metrics, timings and trajectories of updates 0 … `before_update` - 1 stay, and so do the evaluations taken
        after at most `before_update` updates. At 0 the run starts anew, evaluations included.
        """
        self.close()
        self._first_update = before_update
        for path in (self._run.metrics, self._run.timings, self._run.trajectories):
            keep_lines(path, lambda row: _is_before(row, before_update))
        keep_lines(self._run.evaluations, lambda row: before_update > 0 and _is_before(row, before_update + 1))

    def update(self, update: int, metrics: Mapping[str, Metric], timings: Mapping[str, float]) -> None:
        """Write the numbers of one update; `metrics` hold no wall clock, `timings` nothing else."""
        self._metrics.append({"update": update, **_sorted(metrics)})
        self._timings.append({"update": update, **_sorted(timings)})
        self._track(update, {**metrics, **timings})

    def evaluation(self, evaluation: Evaluation) -> None:
        """Write one evaluation; a policy's success goes to the trackers as well."""
        self._evaluations.append(evaluation.to_json())
        if evaluation.update is None:
            return
        prefix = f"evaluate/{evaluation.panel}"
        overall = evaluation.overall
        values = {f"{prefix}/success": overall.success_rate, f"{prefix}/return": overall.mean_return}
        values |= {f"{prefix}/{name}/success": part.success_rate for name, part in evaluation.categories.items()}
        self._track(evaluation.update, values)

    def _track(self, update: int, values: Mapping[str, Metric]) -> None:
        if self._trackers is None:
            self._trackers = make_trackers(self._names, self._run, self._first_update)
        numbers = {key: number for key, value in values.items() if (number := _finite(value)) is not None}
        for tracker in self._trackers:
            tracker.scalars(update, numbers)

    def close(self) -> None:
        """Flush and close the trackers; may be called twice."""
        for tracker in self._trackers or ():
            tracker.close()
        self._trackers = None


def _sorted(values: Mapping[str, Any]) -> dict[str, Any]:
    return {key: values[key] for key in sorted(values)}


def _is_before(row: Mapping[str, Any], update: int) -> bool:
    return not isinstance(row.get("update"), int) or row["update"] < update


def _finite(value: Metric) -> float | None:
    if value is None or isinstance(value, str) or not math.isfinite(value):
        return None
    return float(value)


def read_metrics(path: Path) -> list[dict[str, Any]]:
    """The lines of a metrics or timings file by update; non-finite numbers are floats again.

    Raises `DataError` naming file and line. A line that a kill cut short is not there.
    """
    return [{key: _metric(value) for key, value in row.items()} for _, row in read_lines(path)]


def _metric(value: Any) -> Any:
    try:
        return value if isinstance(value, int) else read_float(value)
    except (TypeError, ValueError):
        return value
