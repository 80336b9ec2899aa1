"""docs/results.md, written from the result files of benchmarks/learning.py; what is said of a result is computed."""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from sojourn.evaluate.intervals import wilson

INTRODUCTION = """\
# Results: which algorithms learn, and what a growing horizon gives

Measured with the small base policy (random initial weights, no pre-training) on two CPU cores, by
[`benchmarks/learning.py`](../benchmarks/learning.py), from the files that each section names. Success is that of the
weights with which a run had taken the stated number of environment steps (after the update in which it got there), on
the test panel, in one episode a task. Intervals are Wilson's, 95 %, over the episodes of all seeds together; they
know nothing of what a fourth seed would do, so every seed is shown. Seeds are those of the run and of the initial
weights. The settings were chosen with seed 100, which is not reported.

Written by `UPDATE_DOCS=1 pytest tests/unit/test_docs.py`; do not edit it by hand.
"""
ALGORITHMS = """\
## Every algorithm learns

Procedural TextCraft: invented recipes of depth 2, six turns, the commands confined to the admissible ones
([`algorithms.toml`](../benchmarks/learning/algorithms.toml)). One configuration for all; what an algorithm has of its
own is in [`algorithms.plan.toml`](../benchmarks/learning/algorithms.plan.toml). No task is met twice in training.
"""
READING_ALGORITHMS = """\
What can be learned quickly here is to craft whenever it is possible and to ask for nothing twice; all algorithms find
that, so the table says that each of them works, and little about which is best. *Steps to {target}* are environment
steps until the training success of three updates has that mean (median of the seeds); *processor* is of the whole
process, start-up and evaluations included (median), on a machine that other work shared.
"""
SCHEDULES = """\
## ScalingInter against other schedules of the horizon

Three BabyAI levels together ([`schedules.toml`](../benchmarks/learning/schedules.toml)): two doors in a given order
(4 turns at best), a key that fits among distractors (3 to 8), and a key in a box (3 to 10); reward 1 at the end,
nothing on the way. The horizon matters here: within 5 turns the oracle itself fails at part of the tasks and a random
policy is hardly ever paid; with 16 turns it is paid often enough to begin with, but an episode of the untrained policy
costs about three times the steps. All policies are evaluated at {horizon} turns. Everything but the schedule is the
same ([`schedules.plan.toml`](../benchmarks/learning/schedules.plan.toml)), and runs are compared after the same number
of environment steps ({steps:,}), not of updates: a short horizon makes more updates of them.
"""
READING_SCHEDULES = """\
*Steps* and *tokens to {target}*: environment steps and sampled tokens of training until two evaluations in a row on the
validation panel (51 tasks, every 5 updates; every 10 in `fixed-short`) reach that success; the median of the seeds, a
seed that never did counted as later than the others. *Turns* are those of a test episode. *Collapsed*: training
success of the last tenth of the updates is below half of the best tenth's; or the entropy is below 0.05 nats a trained
token with success more than 0.05 below its best.
"""
PAPER = """\
### Against the paper

The paper's Figure 7 (Deep Search, a 7B model, one run a curve): the long fixed horizon rises and collapses, the short
fixed horizon stays flat, ScalingInter ends highest and its turns grow with its stages. It compares by update, with a
model that begins able; here are a random model of some 40,000 weights, short tasks and equal environment steps, so an
effect that needs a large model, or hundreds of updates, is not tested. Schedules are compared by pairs of runs with the
same algorithm and seed (mean and 95 % t interval: a run is one observation, however many episodes test it), for all
algorithms together; several comparisons are made, and no interval is widened for it. What came out:
"""
FAULTS = """\
## With one in twenty resets and steps failing

The recipe [`recipes/textcraft/faults.toml`](../recipes/textcraft/faults.toml), and the same without a fault. About a
third of the episodes meet one; they are tried afresh, are recorded, and enter no baseline, gradient or mean.
"""
NOT_RUN = """\
## What was not run

The same comparison with SmolLM2-135M-Instruct on TextCraft, which needs an accelerator: no number here is from a
language model, and none is comparable with the paper's tables (91 of 100 on TextCraft with 7 billion weights).
"""
T_975 = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131)
"""97.5 % quantiles of Student's t with 1, 2, ... degrees of freedom; the last stands for all beyond."""
OURS, LONG, SHORT = "scaling-inter", "fixed-long", "fixed-short"
Result = Mapping[str, Any]


def page(results: Path) -> str:
    """The page, from the result files in `results`; an experiment without a file is said to be missing."""
    parts = [INTRODUCTION]
    for name, section in (("algorithms", algorithms_section), ("schedules", schedules_section)):
        file = results / f"learning_{name}.json"
        if file.exists():
            parts += section(json.loads(file.read_text(encoding="utf-8")))
        else:
            parts.append(f"## {name.capitalize()}\n\nNot measured yet: `python benchmarks/learning.py {name}`.\n")
    faults = results / "learning_faults.json"
    if faults.exists():
        parts += faults_section(json.loads(faults.read_text(encoding="utf-8")))
    return "\n".join([*parts, NOT_RUN])


def algorithms_section(result: Result) -> Iterator[str]:
    """The table of algorithms."""
    yield ALGORITHMS
    yield from _opening(result)
    target = _percent(result["target"])
    head = ["algorithm", "before training", f"after {result['environment_steps']:,} steps", "each seed"]
    rows = [
        [
            f"`{row['algorithm']}`",
            _rate(row["untrained"]),
            f"**{_rate(row['at_budget'])}**",
            _seeds(row["at_budget"]),
            _thousands(row["steps_to_target"]),
            f"{row['processor_s']:.0f} s",
        ]
        for row in result["summaries"]
    ]
    yield _table([*head, f"steps to {target}", "processor"], rows)
    failed = [row["algorithm"] for row in result["summaries"] if not row["has_learned"]]
    if failed:
        yield f"**Not shown to learn** (interval not above the untrained policy's): {', '.join(failed)}.\n"
    else:
        every = f"All {len(result['summaries'])} learn: each interval is above that of the untrained policy"
        yield f"{every}, {_each_seed(result['summaries'])}.\n"
    yield READING_ALGORITHMS.format(target=target)
    yield from _closing(result)


def faults_section(result: Result) -> Iterator[str]:
    """With and without injected faults."""
    yield FAULTS
    by_name = {row["schedule"]: row for row in result["summaries"]}
    rows = [
        [name, _rate(row["untrained"]), f"**{_rate(row['at_budget'])}**", _seeds(row["at_budget"])]
        for name, row in by_name.items()
    ]
    yield _table(["", "before training", f"after {result['environment_steps']:,} steps", "each seed"], rows)
    clean, faulty = by_name["clean"]["at_budget"], by_name["faulty"]["at_budget"]
    is_inside = clean["interval"]["low"] <= faulty["success_rate"] <= clean["interval"]["high"]
    yield f"Success with faults is {'inside' if is_inside else '**outside**'} the interval of the runs without.\n"
    yield from _closing(result)


def schedules_section(result: Result) -> Iterator[str]:
    """The table of schedules, by algorithm and over all, and what it says."""
    horizon = result["configuration"]["evaluate"]["horizon"]
    yield SCHEDULES.format(horizon=horizon, steps=result["environment_steps"])
    yield from _opening(result)
    target = _percent(result["target"])
    head = ["algorithm", "schedule", "success", "each seed", "turns", "updates"]
    head += [f"steps to {target}", f"tokens to {target}", "collapsed"]
    rows = [
        [
            f"`{row['algorithm']}`",
            row["schedule"],
            f"**{_rate(row['at_budget'])}**",
            _seeds(row["at_budget"]),
            f"{row['at_budget']['mean_turns']:.1f}",
            f"{row['updates_to_budget']:g}",
            _thousands(row["steps_to_target"]),
            _thousands(row["tokens_to_target"]),
            f"{row['num_collapsed']} of {len(row['seeds'])}",
        ]
        for row in result["summaries"]
    ]
    yield _table(head, rows)
    yield READING_SCHEDULES.format(target=target)
    together = {name: _together(result, name) for name in result["schedules"]}
    yield "All algorithms together:\n"
    rows = [
        [name, f"**{_rate(row)}**", f"{row['collapsed']} of {row['runs']}", f"{row['reached']} of {row['runs']}"]
        for name, row in together.items()
        if row["runs"]
    ]
    yield _table(["schedule", "success", "collapsed", f"runs that reached {target}"], rows)
    if not result["missing"] and all(name in together for name in (OURS, LONG, SHORT)):
        yield PAPER
        yield "\n".join(f"- {sentence}" for sentence in _against_the_paper(result, together)) + "\n"
    yield from _closing(result)


def _against_the_paper(result: Result, together: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """What the numbers say about each of its claims."""
    long, short, ours = together[LONG], together[SHORT], together[OURS]
    yield f"Collapse of the long fixed horizon: {long['collapsed']} of {long['runs']} runs" + (
        " (the paper's did)." if long["collapsed"] else "; not seen here."
    )
    for name, row in together.items():
        if name != OURS and row["runs"]:
            yield f"ScalingInter against {name}: {_paired(result, name)}."
    for algorithm in result["algorithms"]:
        own = {s["schedule"]: s for s in result["summaries"] if s["algorithm"] == algorithm}
        if len(own) < len(together):
            continue
        best = max(own.values(), key=lambda s: s["at_budget"]["success_rate"])
        told = f"`{algorithm}`: highest with {best['schedule']} ({_rate(best['at_budget'])})"
        if best["schedule"] != OURS:
            told += f"; ScalingInter against it: {_compared(own[OURS]['at_budget'], best['at_budget'])}"
        yield f"{told}."
    steps = {name: row["median_steps"] for name, row in together.items() if row["median_steps"] is not None}
    if steps:
        quick = ", ".join(f"{name} {steps[name]:,.0f}" for name in sorted(steps, key=steps.__getitem__))
        yield f"Median of the algorithms' median steps to {_percent(result['target'])}: {quick}."
    yield f"Turns of a test episode: {short['mean_turns']:.1f} after fixed-short, {long['mean_turns']:.1f} after " + (
        f"fixed-long, {ours['mean_turns']:.1f} after ScalingInter."
    )


def _paired(result: Result, other: str) -> str:
    """ScalingInter against `other` by pairs of runs that share algorithm and seed: a run is one observation."""
    runs = {(row["schedule"], row["algorithm"], row["seed"]): row for row in result["runs"]}
    pairs = [(row, runs[other, *key[1:]]) for key, row in runs.items() if key[0] == OURS and (other, *key[1:]) in runs]
    at_budget, at_end = (
        _mean([one[when]["success_rate"] - two[when]["success_rate"] for one, two in pairs])
        for when in ("at_budget", "last")
    )
    told = [f"{_verdict(at_budget)}, {_points(at_budget)}", f"after the last update of each {_points(at_end)}"]
    if all(one["to_target"] and two["to_target"] for one, two in pairs):
        steps = [[row["to_target"]["environment_steps"] for row in pair] for pair in pairs]
        ratio = [math.exp(value) for value in _mean([math.log(one / two) for one, two in steps])]
        times = f"{ratio[0]:.2f} times [{ratio[1]:.2f}, {ratio[2]:.2f}]"
        told.append(f"{times} its steps to {_percent(result['target'])}")
    return "; ".join(told)


def _mean(values: Sequence[float]) -> tuple[float, float, float]:
    """The mean with its 95 % t interval."""
    mean = statistics.fmean(values)
    if len(values) < 2:
        return mean, -math.inf, math.inf
    quantile = T_975[min(len(values) - 1, len(T_975)) - 1]
    half = quantile * statistics.stdev(values) / math.sqrt(len(values))
    return mean, mean - half, mean + half


def _verdict(interval: tuple[float, float, float]) -> str:
    return "higher" if interval[1] > 0 else "lower" if interval[2] < 0 else "not told apart"


def _points(interval: tuple[float, float, float]) -> str:
    mean, low, high = (100 * value for value in interval)
    return f"{mean:+.0f} points [{low:+.0f}, {high:+.0f}]"


def _together(result: Result, schedule: str) -> dict[str, Any]:
    """All algorithms' runs with one schedule."""
    rows = [row for row in result["summaries"] if row["schedule"] == schedule]
    solved, episodes = (sum(row["at_budget"][key] for row in rows) for key in ("successes", "episodes"))
    steps = sorted(math.inf if row["steps_to_target"] is None else row["steps_to_target"] for row in rows)
    middle = (steps[(len(steps) - 1) // 2] + steps[len(steps) // 2]) / 2 if steps else math.inf
    return {
        "runs": sum(len(row["seeds"]) for row in rows),
        "success_rate": solved / episodes if episodes else None,
        "interval": asdict(wilson(solved, episodes)),
        "collapsed": sum(row["num_collapsed"] for row in rows),
        "reached": sum(row["num_reached"] for row in rows),
        "median_steps": middle if math.isfinite(middle) else None,
        "mean_turns": sum(row["at_budget"]["mean_turns"] for row in rows) / len(rows) if rows else None,
    }


def _compared(one: Mapping[str, Any], other: Mapping[str, Any]) -> str:
    """The difference of two rates with its interval (Newcombe 1998, method 10, of the two Wilson intervals)."""
    p, q = one["success_rate"], other["success_rate"]
    low = p - q - math.hypot(p - one["interval"]["low"], other["interval"]["high"] - q)
    high = p - q + math.hypot(one["interval"]["high"] - p, q - other["interval"]["low"])
    return f"{_verdict((p - q, low, high))}, {_points((p - q, low, high))}"


def _opening(result: Result) -> Iterator[str]:
    yield f"![Success and turns by environment steps](../benchmarks/results/learning_{result['experiment']}.png)\n"
    found = [f"{name} {_rate(e['overall'])}" for name, e in sorted(result["baselines"].items())]
    yield f"On the test panel: {', '.join(found)}.\n"
    if result["missing"]:
        yield f"**Incomplete**: {len(result['missing'])} runs are missing.\n"


def _closing(result: Result) -> Iterator[str]:
    about = result["machine"]
    versions = f"Python {about['python']}, torch {result['versions']['torch']}"
    where = f"{about['processor']}, {about['cores']} cores, {versions}"
    file = f"learning_{result['experiment']}.json"
    took = sum(row["process"]["wall_s"] for row in result["runs"]) / 60
    yield (
        f"From [`{file}`](../benchmarks/results/{file}), `{result['command']}`, {result['date']}; {where}; "
        f"{len(result['runs'])} runs, {took:.0f} minutes of wall clock one after the other.\n"
    )


def _each_seed(summaries: Sequence[Mapping[str, Any]]) -> str:
    pairs = [p for row in summaries for p in zip(row["untrained"]["by_seed"], row["at_budget"]["by_seed"], strict=True)]
    least = min(after - before for before, after in pairs)
    return f"and no single seed gained less than {100 * least:.0f} points"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(row)} |" for row in [head, ["---"] * len(head), *rows]]
    return "\n".join(lines) + "\n"


def _rate(test: Mapping[str, Any]) -> str:
    interval = test["interval"]
    return f"{_percent(test['success_rate'])} [{100 * interval['low']:.0f}, {100 * interval['high']:.0f}]"


def _seeds(test: Mapping[str, Any]) -> str:
    return ", ".join(f"{100 * rate:.0f}" for rate in test["by_seed"])


def _percent(rate: float) -> str:
    return f"{100 * rate:.0f} %"


def _thousands(steps: float | None) -> str:
    return "never" if steps is None else f"{steps / 1000:.1f}k"
