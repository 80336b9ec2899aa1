"""The pictures of benchmarks/learning.py: success and turns by environment steps, after the paper's Figure 7."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, PercentFormatter

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00")
"""Okabe and Ito's palette: told apart by colour-blind readers too."""
STYLES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)))
NUM_POINTS = 200
Rows = Sequence[Mapping[str, Any]]


def write_picture(result: Mapping[str, Any], path: Path) -> None:
    """Draw all runs of `result` into `path`: a column per algorithm where there are schedules, else a cell each."""
    schedules = list(dict.fromkeys(row["schedule"] for row in result["runs"]))
    algorithms = list(dict.fromkeys(row["algorithm"] for row in result["runs"]))
    has_validation = all(len(row["validation"]["update"]) > 2 for row in result["runs"])
    panels = [("curve", "success"), *([("validation", "success")] if has_validation else []), ("curve", "turns")]
    num_columns = min(4, len(algorithms))
    num_bands = math.ceil(len(algorithms) / num_columns)
    figure = Figure(
        figsize=(1.2 + 3.2 * num_columns, 0.8 + num_bands * 1.75 * len(panels)), dpi=110, layout="constrained"
    )
    heights = [2 if quantity == "success" else 1.4 for _, quantity in panels] * num_bands
    grid = figure.subplots(len(panels) * num_bands, num_columns, squeeze=False, sharex=True, height_ratios=heights)
    for place in range(num_bands * num_columns):
        band, column = divmod(place, num_columns)
        cells = grid[band * len(panels) : (band + 1) * len(panels), column]
        if place >= len(algorithms):
            for axes in cells:
                axes.set_axis_off()
            continue
        rows = [row for row in result["runs"] if row["algorithm"] == algorithms[place]]
        for axes, (source, quantity) in zip(cells, panels, strict=True):
            draw(axes, rows, schedules, source, quantity, result["environment_steps"])
            if column == 0:
                axes.set_ylabel(label(source, quantity, result))
        cells[0].set_title(algorithms[place])
    for column in range(num_columns):
        axes = [axes for axes in grid[:, column] if axes.axison][-1]  # the last band need not be full
        axes.set_xlabel("environment steps")
        axes.tick_params(labelbottom=True)
        axes.xaxis.set_major_formatter(FuncFormatter(lambda steps, _: f"{steps / 1000:g}k"))
    if len(schedules) > 1:
        handles, labels = grid[0][0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper center", ncols=len(schedules), frameon=False)
    figure.savefig(path)


def label(source: str, quantity: str, result: Mapping[str, Any]) -> str:
    """What the axis shows."""
    if quantity == "turns":
        return "turns per episode"
    horizon = result["configuration"]["evaluate"]["horizon"]
    return "training success" if source == "curve" else f"held-out success\nat {horizon} turns"


def draw(axes: Any, rows: Rows, schedules: Sequence[str], source: str, quantity: str, budget: int) -> None:
    """One panel: the seeds thin, their mean bold; the budget is the grey line."""
    for number, schedule in enumerate(schedules):
        own = [row[source] for row in rows if row["schedule"] == schedule]
        colour, style = COLOURS[number % len(COLOURS)], STYLES[number % len(STYLES)]
        curves = list(smoothed(own, source, quantity))
        for steps, values in curves:
            axes.plot(steps, values, color=colour, linewidth=0.6, alpha=0.35)
        if curves:
            steps, values = mean_curve(curves)
            axes.plot(steps, values, color=colour, linestyle=style, linewidth=2.0, label=schedule or None)
    axes.axvline(budget, color="#888888", linewidth=0.8)
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    if quantity == "success":
        axes.set_ylim(-0.02, 1.02)
        axes.yaxis.set_major_formatter(PercentFormatter(1.0))
    else:
        axes.set_ylim(bottom=0)


def smoothed(curves: Rows, source: str, quantity: str) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Steps and values; of training, a trailing mean over a twentieth of the updates."""
    for curve in curves:
        steps, values = np.array(curve["environment_steps"], dtype=float), np.array(curve[quantity], dtype=float)
        window = max(1, len(values) // 20) if source == "curve" else 1
        yield steps, np.array([values[max(0, k + 1 - window) : k + 1].mean() for k in range(len(values))])


def mean_curve(curves: Sequence[tuple[np.ndarray, np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
    """The mean of the seeds where all of them have been, linear in between their points."""
    first, last = max(steps[0] for steps, _ in curves), min(steps[-1] for steps, _ in curves)
    grid = np.linspace(first, last, NUM_POINTS)
    return grid, np.mean([np.interp(grid, steps, values) for steps, values in curves], axis=0)
