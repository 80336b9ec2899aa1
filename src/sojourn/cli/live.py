"""The live view of a training run in a terminal."""

from __future__ import annotations

import sys
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.markup import escape
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from sojourn.record.evaluation import Evaluation
from sojourn.record.progress import PlainProgress, Progress, evaluation_line, success_text

_BARS = "▁▂▃▄▅▆▇█"
_HISTORY = 40
_PHASES = ("collect", "train", "publish", "evaluate")


def make_progress() -> Progress:
    """The live view where standard output is a terminal, else one line per update."""
    console = Console()
    return LiveProgress(console) if console.is_terminal and sys.stdout.isatty() else PlainProgress()


def sparkline(values: Sequence[float], low: float, high: float) -> str:
    """A row of block characters, one per value, from `low` (lowest block) to `high` (highest)."""
    span = high - low or 1.0
    return "".join(_BARS[min(len(_BARS) - 1, max(0, int((value - low) / span * len(_BARS))))] for value in values)


def duration(seconds: float) -> str:
    """Such as ``1:02:05`` or ``4:07``."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


class LiveProgress:
    """Redraws one panel: how far, how well, how fast, and what was measured last."""

    def __init__(self, console: Console, clock: Callable[[], float] = time.monotonic) -> None:
        self._console = console
        self._clock = clock
        self._live: Live | None = None
        self._name = ""
        self._updates = 0
        self._done = 0
        self._phase = "prepare"
        self._phase_since = self._began = clock()
        self._first_update = 0
        self._values: dict[str, float] = {}
        self._history: dict[str, deque[float]] = {}
        self._last: Evaluation | None = None
        self._best: Evaluation | None = None

    def begin(self, name: str, updates: int, first_update: int) -> None:
        self._name, self._updates, self._done, self._first_update = name, updates, first_update, first_update
        self._began = self._clock()
        # twice a second: drawing takes the interpreter away from the sampler
        self._live = Live(console=self._console, get_renderable=self.view, refresh_per_second=2, transient=False)
        self._live.start()

    def phase(self, name: str) -> None:
        self._phase, self._phase_since = name, self._clock()

    def update(self, update: int, metrics: Mapping[str, float], timings: Mapping[str, float]) -> None:
        self._done = update + 1
        self._values |= {**metrics, **timings}
        for key in ("train/success", "train/return", "train/turns"):
            if isinstance(metrics.get(key), int | float):
                self._history.setdefault(key, deque(maxlen=_HISTORY)).append(float(metrics[key]))

    def evaluation(self, evaluation: Evaluation) -> None:
        self.message(evaluation_line(evaluation))
        if evaluation.update is None or evaluation.overall.success_rate is None:
            return
        self._last = evaluation
        best = self._best
        is_other = best is None or best.panel_sha256 != evaluation.panel_sha256
        if is_other or (best and evaluation.overall.success_rate > (best.overall.success_rate or 0.0)):
            self._best = evaluation

    def message(self, text: str) -> None:
        self._console.print(Text(text))

    def end(self) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None

    def view(self) -> RenderableType:
        """What is on the screen now."""
        elapsed = self._clock() - self._began
        head = Table.grid(expand=True, padding=(0, 2))
        head.add_column(no_wrap=True)
        head.add_column(ratio=1)
        head.add_column(no_wrap=True)
        bar = ProgressBar(total=max(1, self._updates), completed=self._done)
        head.add_row(f"update {self._done}/{self._updates}", bar, f"{duration(elapsed)} elapsed, {self._eta(elapsed)}")
        return Panel(Group(head, "", self._numbers(), "", self._times()), title=escape(self._name), title_align="left")

    def _eta(self, elapsed: float) -> str:
        played = self._done - self._first_update
        if played == 0:
            return "time left unknown"
        return f"{duration(elapsed / played * (self._updates - self._done))} left"

    def _numbers(self) -> Table:
        table = Table.grid(padding=(0, 2))
        table.add_column(style="bold", no_wrap=True)
        table.add_column(justify="right", no_wrap=True)
        table.add_column(no_wrap=True, overflow="crop")
        table.add_row("horizon", self._text("horizon", "{:.0f}"), "turns in force")
        success = self._history.get("train/success", ())
        table.add_row("success", self._text("train/success", "{:.1%}"), sparkline(list(success), 0.0, 1.0))
        for key, name in (("train/return", "return"), ("train/turns", "turns")):
            values = list(self._history.get(key, ()))
            table.add_row(
                name, self._text(key, "{:.2f}"), sparkline(values, min(values), max(values)) if values else ""
            )
        if self._last is not None:
            table.add_row("held out", *self._held_out(self._last))
        if self._best is not None and self._best is not self._last:
            table.add_row("best", *self._held_out(self._best))
        return table

    def _held_out(self, evaluation: Evaluation) -> tuple[str, str]:
        text, _, interval = success_text(evaluation.overall).partition(" [")
        return text, escape(f"[{interval}  {evaluation.panel} after {evaluation.update} updates")

    def _times(self) -> Table:
        table = Table.grid(padding=(0, 2))
        spent = [f"{name} {self._values[f'time/{name}']:.1f} s" for name in _PHASES if f"time/{name}" in self._values]
        now = f"{self._phase} for {duration(self._clock() - self._phase_since)}"
        table.add_row(Text("now", style="bold"), now)
        table.add_row(Text("last update", style="bold"), ", ".join(spent) or "none yet")
        speed = self._text("rate/action_tokens_per_s", "{:,.0f} action tokens/s")
        table.add_row(Text("speed", style="bold"), f"{speed}, {self._text('memory/peak_mb', 'peak {:,.0f} MiB')}")
        return table

    def _text(self, key: str, form: str) -> str:
        value = self._values.get(key)
        return form.format(value) if isinstance(value, int | float) else "n/a"
