"""What benchmarks/learning.py keeps of a run, and of the seeds of one variant together."""

from __future__ import annotations

import itertools
import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from _runs import final_evaluations, steps_of, usage
from sojourn.evaluate.history import POLICY, History
from sojourn.evaluate.intervals import wilson
from sojourn.record.evaluation import Evaluation

COLLAPSE_SHARE = 0.5
"""Training success below this share of its best is a collapse."""
COLLAPSE_ENTROPY = 0.05
"""Nats per trained token; below it nothing is tried any more."""
TARGET_UPDATES = 3
"""Updates that training success is averaged over before it is compared with the target."""
TARGET_EVALUATIONS = 2
"""Evaluations in a row that have to reach the target."""


def row_of(
    history: History, algorithm: str, schedule: str, seed: int, at_budget: Evaluation, target: float
) -> dict[str, Any]:
    """One run: what it took, where it got, its curves."""
    curve = curve_of(history)
    validation = validation_of(history, curve)
    policy = {e.update: e for e in final_evaluations(history) if e.agent == POLICY}
    index = (at_budget.update or 0) - 1
    return {
        "algorithm": algorithm,
        "schedule": schedule,
        "seed": seed,
        "updates": history.num_updates,
        "environment_steps": curve["environment_steps"][-1],
        "action_tokens": curve["action_tokens"][-1],
        "training_wall_s": round(sum(row["time/update"] for row in history.timings), 1),
        "process": {key: round(value, 1) for key, value in usage(history.run.path).items()},
        "peak_memory_mb": round(max(row["memory/peak_mb"] for row in history.timings)),
        "untrained": brief(policy[0]),
        "at_budget": brief(at_budget)
        | {key: curve[key][index] for key in ("environment_steps", "action_tokens")}
        | {"training_turns": curve["turns"][index]},
        "last": brief(policy[history.num_updates]),
        "to_target": to_target(curve, validation, target),
        "collapse": collapse(curve["success"], curve["entropy"]),
        "curve": curve,
        "validation": validation,
    }


def brief(evaluation: Evaluation) -> dict[str, Any]:
    """An evaluation without its lists."""
    overall = evaluation.overall
    return {
        "update": evaluation.update,
        "panel": evaluation.panel,
        "panel_sha256": evaluation.panel_sha256,
        "horizon": evaluation.horizon,
        "episodes": overall.num_episodes,
        "success_rate": rounded(overall.success_rate),
        "interval": None if overall.interval is None else {k: rounded(v) for k, v in asdict(overall.interval).items()},
        "mean_turns": rounded(overall.mean_turns),
        "categories": {name: rounded(summary.success_rate) for name, summary in evaluation.categories.items()},
    }


def curve_of(history: History) -> dict[str, list[Any]]:
    """Training by update: what the policy did that had `update` updates behind it, with all steps and tokens so far."""
    rows = history.metrics
    return {
        "update": [row["update"] for row in rows],
        "environment_steps": list(itertools.accumulate(map(steps_of, rows))),
        "action_tokens": list(itertools.accumulate(round(row["train/action_tokens"]) for row in rows)),
        "success": [rounded(row["train/success"]) for row in rows],
        "turns": [rounded(row["train/turns"]) for row in rows],
        "horizon": [round(row["horizon"]) for row in rows],
        "entropy": [rounded(row.get("loss/entropy")) for row in rows],
    }


def validation_of(history: History, curve: Mapping[str, list[Any]]) -> dict[str, list[Any]]:
    """The evaluations during training, at the evaluation's horizon, by the steps and tokens that training had taken."""
    evaluations = history.curve(history.config.evaluate.split)
    updates = [e.update or 0 for e in evaluations]
    return {
        "update": updates,
        "environment_steps": [curve["environment_steps"][u - 1] if u else 0 for u in updates],
        "action_tokens": [curve["action_tokens"][u - 1] if u else 0 for u in updates],
        "success": [rounded(e.overall.success_rate) for e in evaluations],
        "turns": [rounded(e.overall.mean_turns) for e in evaluations],
    }


def to_target(
    curve: Mapping[str, list[Any]], validation: Mapping[str, list[Any]], target: float
) -> dict[str, int] | None:
    """Steps and tokens to the first success of at least `target`; None if there is none.

    Where the run was evaluated while training: the first of `TARGET_EVALUATIONS` evaluations in a row. Where it was
    not: the mean of the last `TARGET_UPDATES` updates' training success.
    """
    if len(validation["update"]) > TARGET_EVALUATIONS:
        windows = consecutive(validation["success"], TARGET_EVALUATIONS)
        found = next((k for k, window in enumerate(windows) if min(window) >= target), None)
        where = validation
    else:
        windows = consecutive(curve["success"], TARGET_UPDATES)
        found = next((k for k, window in enumerate(windows) if statistics.fmean(window) >= target), None)
        found, where = None if found is None else found + TARGET_UPDATES - 1, curve
    return (
        None if found is None else {key: where[key][found] for key in ("update", "environment_steps", "action_tokens")}
    )


def consecutive(values: Sequence[float], length: int) -> list[Sequence[float]]:
    """All runs of `length` neighbours."""
    return [values[k : k + length] for k in range(len(values) - length + 1)]


def collapse(success: Sequence[float], entropy: Sequence[float | None]) -> dict[str, Any]:
    """Whether training came to nothing: over windows of a tenth of the updates (three at least).

    `success`: the last window's training success is below half of the best window's. `entropy`: the last window's
    entropy is below 0.05 nats and its success is below the best window's by more than 0.05.
    """
    length = max(TARGET_UPDATES, len(success) // 10)
    means = [statistics.fmean(window) for window in consecutive(success, length)] or [0.0]
    known = [value for value in entropy if value is not None]
    last_entropy = statistics.fmean(known[-length:]) if known else math.nan
    best, last = max(means), means[-1]
    return {
        "best_success": rounded(best),
        "last_success": rounded(last),
        "last_entropy": rounded(last_entropy),
        "by_success": last < COLLAPSE_SHARE * best,
        "by_entropy": last_entropy < COLLAPSE_ENTROPY and last < best - 0.05,
    }


def summaries(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """One line per variant, its seeds together, in the order of the rows."""
    keys = list(dict.fromkeys((row["algorithm"], row["schedule"]) for row in rows))
    return [summary([row for row in rows if (row["algorithm"], row["schedule"]) == key]) for key in keys]


def summary(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The seeds of one variant: pooled test success, medians of the rest."""
    untrained, at_budget = (pooled([row[key] for row in rows]) for key in ("untrained", "at_budget"))
    reached = [row["to_target"] for row in rows if row["to_target"] is not None]
    return {
        "algorithm": rows[0]["algorithm"],
        "schedule": rows[0]["schedule"],
        "seeds": [row["seed"] for row in rows],
        "untrained": untrained,
        "at_budget": at_budget,
        "last": pooled([row["last"] for row in rows]),
        "has_learned": at_budget["interval"]["low"] > untrained["interval"]["high"],
        "updates_to_budget": statistics.median(row["at_budget"]["update"] for row in rows),
        "tokens_to_budget": statistics.median(row["at_budget"]["action_tokens"] for row in rows),
        "num_reached": len(reached),
        "steps_to_target": median([found["environment_steps"] for found in reached], len(rows)),
        "tokens_to_target": median([found["action_tokens"] for found in reached], len(rows)),
        "num_collapsed": sum(row["collapse"]["by_success"] or row["collapse"]["by_entropy"] for row in rows),
        "last_entropy": median([row["collapse"]["last_entropy"] for row in rows], len(rows)),
        "processor_s": statistics.median(row["process"]["processor_s"] for row in rows),
    }


def pooled(evaluations: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Success of all seeds' episodes together with Wilson's interval, and each seed's."""
    solved = [round(e["success_rate"] * e["episodes"]) for e in evaluations]
    num_episodes = sum(e["episodes"] for e in evaluations)
    return {
        "success_rate": rounded(sum(solved) / num_episodes),
        "interval": {key: rounded(value) for key, value in asdict(wilson(sum(solved), num_episodes)).items()},
        "successes": sum(solved),
        "episodes": num_episodes,
        "by_seed": [e["success_rate"] for e in evaluations],
        "mean_turns": rounded(statistics.fmean(e["mean_turns"] for e in evaluations)),
    }


def median(values: Sequence[float], num_runs: int) -> float | None:
    """The median over all runs, those that never got there counted as later than all others; None if it is one."""
    padded = sorted([*values, *[math.inf] * (num_runs - len(values))])
    middle = statistics.median(padded)
    return middle if math.isfinite(middle) else None


def rounded(value: float | None) -> float | None:
    """Four digits; None for what is no number."""
    return None if value is None or not math.isfinite(value) else round(value, 4)
