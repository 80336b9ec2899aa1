"""A run as its files tell it: what plots and reports are made from."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from sojourn.config import TrainConfig
from sojourn.record.evaluation import Evaluation, read_evaluations
from sojourn.record.metrics import read_metrics
from sojourn.record.run_dir import RunDir

POLICY = "policy"
"""Name of the trained policy in its run's evaluations."""


@dataclass(frozen=True, kw_only=True)
class History:
    """Everything recorded about one run but its trajectories."""

    run: RunDir
    config: TrainConfig
    metrics: Sequence[Mapping[str, Any]]
    """One line per update, in order."""
    timings: Sequence[Mapping[str, Any]]
    evaluations: Sequence[Evaluation]

    @property
    def num_updates(self) -> int:
        """Updates done."""
        return len(self.metrics)

    def series(self, key: str) -> tuple[list[int], list[float]]:
        """Update numbers and values of a metric, where it is a finite number."""
        pairs = [(row["update"], row[key]) for row in self.metrics if _is_number(row.get(key))]
        return [update for update, _ in pairs], [float(value) for _, value in pairs]

    def total(self, key: str, rows: Sequence[Mapping[str, Any]] | None = None) -> float:
        """Sum of a metric over the updates."""
        return sum(float(row[key]) for row in rows or self.metrics if _is_number(row.get(key)))

    @cached_property
    def curves(self) -> dict[str, list[Evaluation]]:
        """The policy's evaluations while training, by panel, in the order of updates."""
        found: dict[str, list[Evaluation]] = {}
        for evaluation in self.evaluations:
            if evaluation.agent == POLICY and evaluation.update is not None:
                found.setdefault(evaluation.panel, []).append(evaluation)
        return {panel: sorted(rows, key=lambda e: e.update or 0) for panel, rows in found.items()}

    def curve(self, split: str) -> list[Evaluation]:
        """The policy's evaluations on the (whole, else cut) panel of `split`, in the order of updates."""
        names = [name for name in self.curves if _is_of_split(name, split)]
        return self.curves[min(names, key=len)] if names else []

    @property
    def best_update(self) -> int | None:
        """Updates done at the best evaluation on the validation panel after training began (the earliest of equals)."""
        rows = [e for e in self.curve(self.config.evaluate.split) if e.update and e.overall.success_rate is not None]
        return max(rows, key=lambda e: e.overall.success_rate or 0.0).update if rows else None

    def baseline(self, agent: str, like: Evaluation) -> Evaluation | None:
        """The last evaluation of `agent` on the same tasks and limits as `like`."""
        same = [e for e in self.evaluations if e.agent == agent and _limits(e) == _limits(like)]
        return same[-1] if same else None


def read_history(path: Path) -> History:
    """The run in directory `path`; raises `DataError` if there is none or a file of it is damaged."""
    run = RunDir.open(path)
    return History(
        run=run,
        config=run.config(),
        metrics=read_metrics(run.metrics),
        timings=read_metrics(run.timings),
        evaluations=read_evaluations(run.evaluations),
    )


def _is_of_split(panel: str, split: str) -> bool:
    """Panels are called ``<env id>/<split>``; a cut (``[:30]``) or an option (``/depths=2``) may follow."""
    return re.search(rf"/{re.escape(split)}(?![\w])", panel) is not None


def _limits(evaluation: Evaluation) -> tuple[object, ...]:
    return (evaluation.panel_sha256, evaluation.horizon, evaluation.repeats, evaluation.seed)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
