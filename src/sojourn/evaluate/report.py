"""The report of a run in Markdown. Every number in it comes from a file of the run's directory."""

from __future__ import annotations

import shlex
import statistics
from collections.abc import Callable, Sequence
from pathlib import Path

from sojourn.config import FixedHorizon, HorizonConfig, LinearHorizon, StepwiseHorizon, SuccessHorizon
from sojourn.evaluate.caveats import caveats
from sojourn.evaluate.history import History, read_history
from sojourn.evaluate.plot import write_plot
from sojourn.record.evaluation import Evaluation, Summary
from sojourn.record.progress import success_text
from sojourn.record.run_dir import RunDir


def write_report(run: RunDir) -> Path:
    """Write the run's plot and report; returns the report's path."""
    history = read_history(run.path)
    if history.metrics or history.curves:
        write_plot([history], run.plot)
    run.report.write_text(report_text(history), encoding="utf-8")
    return run.report


def report_text(history: History) -> str:
    """The whole report."""
    sections = [
        _title(history),
        _result(history),
        _others(history),
        _plot(history),
        _training(history),
        _cost(history),
        _failures(history),
        _warnings(history),
        _reproduction(history),
    ]
    return "\n\n".join(section for section in sections if section) + "\n"


def _title(history: History) -> str:
    config = history.config
    trained = "LoRA adapters of" if config.policy.lora is not None else "all weights of"
    return (
        f"# {config.name}\n\n"
        f"{config.algorithm.name.upper()} on {trained} `{config.policy.model}` in `{config.env.name}` "
        f"(split `{config.env.split}`), {history.num_updates} of {config.updates} updates, "
        f"horizon {horizon_text(config.horizon)}, seed {config.seed}."
    )


def horizon_text(horizon: HorizonConfig) -> str:
    """A horizon schedule in words."""
    match horizon:
        case FixedHorizon():
            return f"fixed at {horizon.turns} turns"
        case StepwiseHorizon():
            return f"{' → '.join(map(str, horizon.stages))} turns, a stage every {horizon.every} updates (ScalingInter)"
        case LinearHorizon():
            return f"from {horizon.start} to {horizon.end} turns over {horizon.over} updates"
        case SuccessHorizon():
            stages = " → ".join(map(str, horizon.stages))
            return f"{stages} turns, the next stage at {horizon.threshold:.0%} success over {horizon.window} updates"


def _columns(history: History) -> list[tuple[str, Evaluation]]:
    """Heading and evaluation of each column of the result table, all on one panel under the same limits."""
    rows = history.curve(history.config.evaluate.final_split)
    if not rows:
        return []
    last = rows[-1]
    columns: list[tuple[str, Evaluation]] = []
    for agent in ("random", "oracle"):
        found = history.baseline(agent, last)
        if found is not None:
            columns.append((agent, found))
    best = history.best_update
    for row in rows:
        same = (row.panel_sha256, row.horizon, row.repeats) == (last.panel_sha256, last.horizon, last.repeats)
        if same and row.update in (0, best, last.update):
            columns.append((_heading(row, best), row))
    return columns


def _heading(row: Evaluation, best: int | None) -> str:
    if row.update == 0:
        return "before training"
    return f"after {row.update} updates" + (" (best on validation)" if row.update == best else "")


def _result(history: History) -> str:
    columns = _columns(history)
    if not columns:
        return "## Result\n\nThe final panel has not been evaluated."
    last = columns[-1][1]
    temperature = "" if last.temperature is None else f", temperature {last.temperature:g}"
    caption = (
        f"Success rate with its 95 % interval ({last.interval_method}) on the panel `{last.panel}` "
        f"({len(last.categories) or 'no'} categories, {last.overall.num_tasks} tasks x {last.repeats}, horizon "
        f"{last.horizon}{temperature}, seed {last.seed}; panel SHA-256 `{last.panel_sha256[:12]}`)."
    )
    names = ["tasks", *(heading for heading, _ in columns)]
    rows = [
        _row(name, [str(last.categories[name].num_tasks), *(_cell(e.categories.get(name)) for _, e in columns)])
        for name in last.categories
    ]
    overall = _row("**all**", [str(last.overall.num_tasks), *(_cell(e.overall) for _, e in columns)])
    returns = _row("mean return", ["", *(_number(e.overall.mean_return) for _, e in columns)])
    turns = _row("mean turns", ["", *(_number(e.overall.mean_turns) for _, e in columns)])
    unparsable = _row("unparsable turns", ["", *(_percent(e.overall.unparsable_share) for _, e in columns)])
    table = [_row("", names), _row("---", ["---:"] * len(names)), *rows, overall, returns, turns, unparsable]
    return "\n".join(["## Result", "", caption, "", *table, "", _verdict(columns)])


def _row(name: str, cells: Sequence[str]) -> str:
    return f"| {name} | {' | '.join(cells)} |"


def _cell(summary: Summary | None) -> str:
    return "n/a" if summary is None else success_text(summary)


def _number(value: float | None) -> str:
    return "n/a" if value is None else f"{value:.3g}"


def _percent(value: float | None) -> str:
    return "n/a" if value is None else f"{100 * value:.1f} %"


def _verdict(columns: Sequence[tuple[str, Evaluation]]) -> str:
    """What the intervals allow to say about before and after; nothing more."""
    policy = [e for _, e in columns if e.update is not None]
    before, after = policy[0].overall, policy[-1].overall
    if len(policy) < 2 or policy[0].update != 0:
        return "The untrained policy was not evaluated on this panel, so the table shows no effect of training."
    if before.interval is None or after.interval is None:
        return "Too many episodes failed to compare before and after."
    when = f"before training and after {policy[-1].update} updates"
    if after.interval.low > before.interval.high:
        return f"The intervals {when} do not overlap: the policy improved on this panel."
    if after.interval.high < before.interval.low:
        return f"The intervals {when} do not overlap: the policy got worse on this panel."
    return f"The intervals {when} overlap: this panel alone does not show an effect of training."


def _others(history: History) -> str:
    """Evaluations made apart from the run's own: other agents, splits, horizons, checkpoints."""
    shown = [evaluation for _, evaluation in _columns(history)]
    shown += [evaluation for rows in history.curves.values() for evaluation in rows]
    rows = [
        _row(e.agent, [e.panel, str(e.horizon), f"{e.overall.num_tasks} x {e.repeats}", _cell(e.overall)])
        for e in history.evaluations
        if e not in shown
    ]
    if not rows:
        return ""
    heading = _row("agent", ["panel", "horizon", "episodes", "success"])
    return "\n".join(["## Other evaluations", "", heading, _row("---", ["---"] * 4), *rows])


def _plot(history: History) -> str:
    return f"![Success, horizon, turns and return by update]({history.run.plot.name})" if history.metrics else ""


_TRAINING = (
    ("train/success", "success", _percent),
    ("train/return", "return", _number),
    ("train/turns", "turns per episode", _number),
    ("train/unparsable_share", "unparsable turns", _percent),
    ("loss/entropy", "entropy (nats per token)", _number),
    ("ratio/clipped_share", "clipped tokens", _percent),
    ("ratio/sampler_kl", "KL of sampler and trainer", _number),
    ("optim/grad_norm", "gradient norm", _number),
)


def _training(history: History) -> str:
    if not history.metrics:
        return ""
    tenth = max(1, history.num_updates // 10)
    rows = [_training_row(history, key, name, form, tenth) for key, name, form in _TRAINING if history.series(key)[1]]
    _, horizons = history.series("horizon")
    played = (
        f"{history.total('train/episodes'):,.0f} episodes, {history.total('train/action_tokens'):,.0f} action tokens"
    )
    reached = f"; horizon reached {max(horizons):.0f} turns" if horizons else ""
    heading = _row("mean over", [f"first {_updates(tenth)}", f"last {_updates(tenth)}"])
    return "\n".join(["## Training", "", f"{played}{reached}.", "", heading, _row("---", ["---:"] * 2), *rows])


def _updates(count: int) -> str:
    return "update" if count == 1 else f"{count} updates"


def _training_row(history: History, key: str, name: str, form: Callable[[float | None], str], tenth: int) -> str:
    _, values = history.series(key)
    return _row(name, [form(statistics.fmean(values[:tenth])), form(statistics.fmean(values[-tenth:]))])


def _cost(history: History) -> str:
    if not history.timings:
        return ""
    total = history.total("time/update", history.timings)
    keys = sorted({key for row in history.timings for key in row if key.startswith("time/")} - {"time/update"})
    phases = ", ".join(f"{key.removeprefix('time/')} {_duration(history.total(key, history.timings))}" for key in keys)
    rates = [row["rate/action_tokens_per_s"] for row in history.timings if "rate/action_tokens_per_s" in row]
    peaks = [row["memory/peak_mb"] for row in history.timings if "memory/peak_mb" in row]
    without = "" if "time/evaluate" in keys else "; evaluations are not in it"
    lines = [f"- Updates took {_duration(total)} in all ({phases}{without})."]
    if rates:
        lines.append(f"- Median {statistics.median(rates):,.0f} action tokens per second while collecting.")
    if peaks:
        lines.append(f"- Peak memory of the process {max(peaks):,.0f} MiB.")
    starts = history.run.starts()
    if starts:
        machine = starts[-1]
        gpus = f", {', '.join(machine['gpus'])}" if machine["gpus"] else ""
        lines.append(f"- Machine: {machine['cpu']}, {machine['cores']} cores, {machine['memory_gb']} GB{gpus}.")
    return "\n".join(["## Time and memory", "", *lines])


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02d} min"
    return f"{minutes} min {rest:02d} s" if minutes else f"{seconds:.1f} s"


def _failures(history: History) -> str:
    if not history.metrics:
        return ""
    failed, played = history.total("train/failed_episodes"), history.total("train/episodes")
    reasons = ("env_error", "sampler_error", "timeout")
    counts = ", ".join(f"{reason} {history.total(f'stop/{reason}'):,.0f}" for reason in reasons)
    evaluated = sum(e.overall.num_failed for e in history.evaluations)
    flat, trained = history.total("train/groups_zero_variance"), history.total("train/groups")
    lines = [
        f"- {failed:,.0f} of {failed + played:,.0f} training episodes failed ({counts}); "
        "failed episodes are in no mean and no gradient.",
        f"- {evaluated:,} evaluation episodes failed in every attempt and are left out of the rates.",
        f"- {flat:,.0f} of {flat + trained:,.0f} groups had equal returns and carried no gradient.",
    ]
    return "\n".join(["## Failures", "", *lines])


def _warnings(history: History) -> str:
    return "\n".join(["## Warnings", "", *(f"- {text}" for text in caveats(history))])


def _reproduction(history: History) -> str:
    starts = history.run.starts()
    if not starts:
        return ""
    first = starts[0]
    command = shlex.join(["sojourn", *first["command"][1:]])
    versions = ", ".join(f"{name} {number}" for name, number in first["packages"].items() if number is not None)
    lines = [
        "## Reproduction",
        "",
        "```",
        command,
        "```",
        "",
        f"Resolved configuration: [`config.json`](config.json). Python {first['python']}, {versions}; "
        f"{first['platform']}; source revision {first['git'] or 'unknown'}.",
    ]
    if len(starts) > 1:
        lines.append(f"The run was resumed {len(starts) - 1} time(s); `versions.json` holds every start.")
    return "\n".join(lines)
