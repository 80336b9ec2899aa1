"""The picture of a run, or of several: success in training and on held-out tasks, horizon, return and turns.

The x axis is the number of updates that the acting policy had behind it, for training and evaluation alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from sojourn.errors import DataError
from sojourn.evaluate.history import History
from sojourn.record.evaluation import Evaluation

_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
"""Okabe and Ito's palette: told apart by colour-blind readers too."""
_GREY = "#888888"
_NUM_POINTS = 3
"""Up to so many evaluations on one panel (before, best, last) are points; more are a curve."""
_MARKERS = ("D", "o", "s", "^")


def write_plot(histories: Sequence[History], path: Path) -> None:
    """Draw the runs over each other into an image file; its ending says the format (png, pdf, svg).

    Raises `DataError` when a run has nothing to draw yet.
    """
    for history in histories:
        if not history.metrics and not history.curves:
            raise DataError(f"{history.run.path}: nothing to plot yet (no update and no evaluation)")
    figure = Figure(figsize=(8, 7.5), dpi=150, layout="constrained")
    success, turns, returns = figure.subplots(3, 1, sharex=True, height_ratios=(3, 1, 1))
    figure.suptitle(_title(histories), fontsize=11)
    _draw_success(success, histories)
    for colour, history in zip(_cycle(histories), histories, strict=True):
        _draw_metric(turns, history, "train/turns", colour)
        _draw_metric(returns, history, "train/return", colour)
    turns.set_ylabel("turns per episode")
    returns.set_ylabel("return")
    returns.set_xlabel("updates done")
    returns.xaxis.set_major_locator(MaxNLocator(integer=True))
    for axes in (success, turns, returns):
        axes.grid(alpha=0.25)
        axes.spines["top"].set_visible(False)
    try:
        figure.savefig(path)
    except ValueError as error:  # an ending that matplotlib does not know
        raise DataError(f"{path}: {error}") from error


def _cycle(histories: Sequence[History]) -> list[str]:
    return [_COLOURS[k % len(_COLOURS)] for k in range(len(histories))]


def _title(histories: Sequence[History]) -> str:
    what = {f"{h.config.policy.model} on {h.config.env.name}" for h in histories}
    names = ", ".join(h.config.name for h in histories)
    return f"{names}\n{'; '.join(sorted(what))}"


def _draw_success(axes: Any, histories: Sequence[History]) -> None:
    horizon_axes = axes.twinx()
    for colour, history in zip(_cycle(histories), histories, strict=True):
        label = f"{history.config.name}: " if len(histories) > 1 else ""
        _draw_training_success(axes, history, colour, f"{label}training")
        for marker, (panel, rows) in zip(_MARKERS * len(history.curves), history.curves.items(), strict=False):
            _draw_evaluations(axes, rows, colour, marker, f"{label}{_panel_label(panel, histories)}")
        updates, horizons = history.series("horizon")
        horizon_axes.step(updates, horizons, where="post", color=_horizon_colour(histories, colour), linewidth=1.2)
    _draw_baselines(axes, histories)
    axes.set_ylabel("success rate (held out: 95 % interval)")
    axes.yaxis.set_major_formatter(PercentFormatter(1.0))
    axes.set_ylim(-0.02, 1.02)
    axes.set_zorder(horizon_axes.get_zorder() + 1)
    axes.patch.set_visible(False)  # so that the horizon, drawn behind, is seen
    horizon_axes.set_ylabel("horizon in force (turns, steps)", color=_GREY)
    horizon_axes.tick_params(axis="y", colors=_GREY)
    horizon_axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    horizon_axes.set_ylim(bottom=0)
    horizon_axes.margins(y=0.3)
    horizon_axes.spines["top"].set_visible(False)
    axes.legend(fontsize=8, loc="best", framealpha=0.9)


def _panel_label(panel: str, histories: Sequence[History]) -> str:
    """The panel without its environment's id, which can be long, where all runs are on one."""
    environments = {name.partition("/")[0] for history in histories for name in history.curves}
    return panel if len(environments) > 1 else panel.partition("/")[2] or panel


def _horizon_colour(histories: Sequence[History], colour: str) -> str:
    return _GREY if len(histories) == 1 else f"{colour}88"


def _draw_training_success(axes: Any, history: History, colour: str, label: str) -> None:
    updates, values = history.series("train/success")
    window = max(1, len(values) // 20)
    if window > 1:
        axes.plot(updates, values, color=colour, linewidth=0.7, alpha=0.3)
        label = f"{label} (mean of {window} updates)"
    axes.plot(updates, _trailing_mean(values, window), color=colour, linewidth=1.2, alpha=0.7, label=label)


def _trailing_mean(values: Sequence[float], window: int) -> list[float]:
    parts = [values[max(0, k + 1 - window) : k + 1] for k in range(len(values))]
    return [sum(part) / len(part) for part in parts]


def _draw_evaluations(axes: Any, rows: Sequence[Evaluation], colour: str, marker: str, label: str) -> None:
    """A curve with a band; where there are before and after only, points with bars: nothing is known in between."""
    measured = [(e.update, e.overall) for e in rows if e.overall.success_rate is not None]
    updates = [update for update, _ in measured]
    rates = [summary.success_rate for _, summary in measured]
    lows = [summary.interval.low for _, summary in measured if summary.interval is not None]
    highs = [summary.interval.high for _, summary in measured if summary.interval is not None]
    axes.vlines(updates, lows, highs, color=colour, linewidth=1.0, alpha=0.7)
    if len(measured) > _NUM_POINTS:
        axes.plot(updates, rates, color=colour, marker=marker, markersize=4, linewidth=1.8, label=label)
        axes.fill_between(updates, lows, highs, color=colour, alpha=0.15, linewidth=0)
    else:
        style = {"linestyle": "none", "markerfacecolor": "white", "markeredgewidth": 1.6}
        axes.plot(updates, rates, color=colour, marker=marker, markersize=8, label=label, **style)


def _draw_baselines(axes: Any, histories: Sequence[History]) -> None:
    """Random play and oracle, once per panel: they do not depend on the run."""
    drawn: set[tuple[str, str]] = set()
    for history in histories:
        for agent, style in (("random", ":"), ("oracle", "-.")):
            for rows in history.curves.values():
                found = history.baseline(agent, rows[-1])
                if found is None or found.overall.success_rate is None or (agent, found.panel_sha256) in drawn:
                    continue
                drawn.add((agent, found.panel_sha256))
                axes.axhline(
                    found.overall.success_rate,
                    color="black",
                    linestyle=style,
                    linewidth=0.9,
                    label=f"{agent}, {_panel_label(found.panel, histories)}",
                )


def _draw_metric(axes: Any, history: History, key: str, colour: str) -> None:
    updates, values = history.series(key)
    axes.plot(updates, values, color=colour, linewidth=1.2)
    axes.margins(y=0.1)
