"""What a run tells whoever is watching; the live view of the command line is one such watcher."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Protocol, TextIO

from sojourn.record.evaluation import Evaluation, Summary


class Progress(Protocol):
    """Is told what happens, in order; never changes it."""

    def begin(self, name: str, updates: int, first_update: int) -> None:
        """A run called `name` of `updates` updates starts at `first_update` (> 0 after a resume)."""

    def phase(self, name: str) -> None:
        """The run has entered the phase `name` (``collect``, ``train``, ``publish``, ``evaluate``, …)."""

    def update(self, update: int, metrics: Mapping[str, float], timings: Mapping[str, float]) -> None:
        """Update number `update` (from 0) is done."""

    def evaluation(self, evaluation: Evaluation) -> None:
        """An evaluation is done."""

    def message(self, text: str) -> None:
        """One line that a person should read."""

    def end(self) -> None:
        """The run is over, however it ended; may be called twice, and without `begin`."""


class NullProgress:
    """Tells nobody."""

    def begin(self, name: str, updates: int, first_update: int) -> None: ...

    def phase(self, name: str) -> None: ...

    def update(self, update: int, metrics: Mapping[str, float], timings: Mapping[str, float]) -> None: ...

    def evaluation(self, evaluation: Evaluation) -> None: ...

    def message(self, text: str) -> None: ...

    def end(self) -> None: ...


class PlainProgress:
    """One line per update and evaluation, for logs and pipes."""

    def __init__(self, out: TextIO | None = None) -> None:
        self._out = out
        self._updates = 0

    def begin(self, name: str, updates: int, first_update: int) -> None:
        self._updates = updates
        start = f", resumed after update {first_update}" if first_update else ""
        self.message(f"{name}: {updates} updates{start}")

    def phase(self, name: str) -> None: ...

    def update(self, update: int, metrics: Mapping[str, float], timings: Mapping[str, float]) -> None:
        self.message(f"update {update + 1}/{self._updates}  {update_line(metrics, timings)}")

    def evaluation(self, evaluation: Evaluation) -> None:
        self.message(evaluation_line(evaluation))

    def message(self, text: str) -> None:
        print(text, file=self._out or sys.stdout, flush=True)

    def end(self) -> None: ...


_COLUMNS = (
    ("horizon", "horizon {:.0f}"),
    ("train/success", "success {:.1%}"),
    ("train/return", "return {:.3f}"),
    ("train/turns", "turns {:.1f}"),
    ("loss/policy", "loss {:.4f}"),
    ("optim/grad_norm", "grad norm {:.3g}"),
    ("time/update", "{:.1f} s"),
)


def update_line(metrics: Mapping[str, float], timings: Mapping[str, float]) -> str:
    """The most telling numbers of one update; absent ones are left out."""
    values = {**metrics, **timings}
    return "  ".join(form.format(values[key]) for key, form in _COLUMNS if isinstance(values.get(key), int | float))


def evaluation_line(evaluation: Evaluation) -> str:
    """One line on an evaluation: who, where, success with its interval."""
    after = "" if evaluation.update is None else f" after {evaluation.update} updates"
    return f"{evaluation.agent}{after} on {evaluation.panel}: success {success_text(evaluation.overall)}"


def success_text(summary: Summary) -> str:
    """Success rate in percent with its 95 % interval, such as ``52.0 % [38.5, 65.2]``."""
    if summary.success_rate is None:
        return "not measured (no episode without a failure)"
    rate = f"{100 * summary.success_rate:.1f} %"
    if summary.interval is None:
        return rate
    return f"{rate} [{100 * summary.interval.low:.1f}, {100 * summary.interval.high:.1f}]"
