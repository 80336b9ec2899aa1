"""``sojourn evaluate``: any agent on any panel, with intervals."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Sequence

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from sojourn.cli.options import read_options
from sojourn.cli.source import Source, make_agent, open_source
from sojourn.config import TrainConfig
from sojourn.envs.protocol import Panel
from sojourn.errors import ConfigError, unknown_name
from sojourn.evaluate.panel import evaluate_panel, first_tasks
from sojourn.record.evaluation import Evaluation, Summary
from sojourn.record.jsonl import LineWriter, jsonable
from sojourn.record.progress import success_text
from sojourn.record.run_dir import RunDir
from sojourn.record.trajectories import TrajectoryWriter
from sojourn.rollout.episodes import limits_of
from sojourn.types import Trajectory


def evaluate(options: argparse.Namespace) -> int:
    """Play the panel, print the table, and keep the result."""
    source = open_source(options.source, options.env, read_options(options.options))
    config = source.config
    assert config is not None  # a run or configuration is required here
    panel = _panel(source, options.split or config.evaluate.final_split, options.max_tasks)
    evaluation, trajectories = _play(options, source, config, panel)
    print_evaluation(evaluation)
    _keep(options, source, evaluation, trajectories)
    return 0


def _panel(source: Source, split: str, max_tasks: int | None) -> Panel:
    if split not in source.scenario.splits:
        raise unknown_name("split", split, source.scenario.splits)
    return first_tasks(source.scenario.panel(split), max_tasks)


def _play(
    options: argparse.Namespace, source: Source, config: TrainConfig, panel: Panel
) -> tuple[Evaluation, list[Trajectory]]:
    name, update = _who(options, source)
    agent, close = make_agent(options.agent, source, options.checkpoint)

    async def run() -> tuple[Evaluation, list[Trajectory]]:
        try:
            return await evaluate_panel(
                source.scenario,
                panel,
                agent,
                agent_name=name,
                update=update,
                horizon=options.horizon or config.evaluate.horizon,
                repeats=options.repeats or config.evaluate.repeats,
                seed=config.evaluate.seed,
                temperature=config.evaluate.temperature if options.agent == "policy" else None,
                limits=limits_of(config.rollout),
                max_attempts=config.rollout.max_attempts,
                max_live=config.rollout.max_live_episodes,
            )
        finally:
            await close()

    return asyncio.run(run())


def _who(options: argparse.Namespace, source: Source) -> tuple[str, int | None]:
    """Name of the agent in the evaluation, and the updates it has behind it."""
    if options.agent != "policy":
        return options.agent, None
    if source.run is None:
        return "policy@untrained", 0
    from sojourn.train.checkpoint import find_checkpoint  # loads torch

    update = find_checkpoint(source.run.checkpoints, options.checkpoint).update
    return f"policy@{update}", update


def print_evaluation(evaluation: Evaluation) -> None:
    """A table by category."""
    temperature = "" if evaluation.temperature is None else f", temperature {evaluation.temperature:g}"
    table = Table(
        title=escape(f"{evaluation.agent} on {evaluation.panel}"),
        caption=f"horizon {evaluation.horizon}, {evaluation.repeats} x {evaluation.overall.num_tasks} tasks, seed "
        f"{evaluation.seed}{temperature}; 95 % interval: {evaluation.interval_method}; panel "
        f"{evaluation.panel_sha256[:12]}",
    )
    for heading in ("", "tasks", "success", "return", "turns", "unparsable", "failed"):
        table.add_column(heading, justify="left" if heading == "" else "right", no_wrap=True)
    for name, summary in evaluation.categories.items():
        table.add_row(escape(name), *_cells(summary))
    table.add_section()
    table.add_row("all", *_cells(evaluation.overall))
    console = Console()
    console.print(table)
    reasons = ", ".join(f"{reason} {count}" for reason, count in evaluation.overall.stop_reasons.items())
    console.print(f"stopped by: {reasons}", highlight=False)


def _cells(summary: Summary) -> Sequence[str]:
    numbers = (summary.mean_return, summary.mean_turns, summary.unparsable_share)
    forms = ("{:.3f}", "{:.2f}", "{:.1%}")
    texts = ["n/a" if x is None else form.format(x) for x, form in zip(numbers, forms, strict=True)]
    return [str(summary.num_tasks), success_text(summary), *texts, str(summary.num_failed)]


def _keep(
    options: argparse.Namespace, source: Source, evaluation: Evaluation, trajectories: Sequence[Trajectory]
) -> None:
    if options.trajectories is not None:
        writer = TrajectoryWriter(options.trajectories)
        for trajectory in trajectories:
            writer.write(trajectory, update=evaluation.update, panel=evaluation.panel)
    if options.out is not None:
        text = json.dumps(jsonable(evaluation.to_json()), indent=2)
        options.out.write_text(f"{text}\n", encoding="utf-8")
    elif source.run is not None:
        _add_to_run(source.run, evaluation)


def _add_to_run(run: RunDir, evaluation: Evaluation) -> None:
    """Add it to the run's evaluations, unless a training process is writing them."""
    try:
        run.lock()
    except ConfigError as error:
        print(f"not added to the run's evaluations: {error}; use --out FILE", file=sys.stderr)
        return
    with run:
        LineWriter(run.evaluations).append(evaluation.to_json())
    print(f"added to {run.evaluations}")
