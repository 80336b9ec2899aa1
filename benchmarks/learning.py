"""Which algorithms learn, and what a growing horizon gives: every seed, at equal environment steps, with its curve.

    python benchmarks/learning.py algorithms --jobs 2      # every algorithm of the table on one setting
    python benchmarks/learning.py schedules --jobs 2       # schedules of the horizon, for four algorithms

An experiment is a plan, ``benchmarks/learning/<name>.plan.toml`` (or any file of its kind), and the configuration
that it names. Runs go to ``runs/learning/<name>``; what is complete there, with the same configuration, is not
repeated, and what was interrupted goes on. The results, of all runs that are complete, are
``benchmarks/results/learning_<name>.json`` and ``.png``; ``UPDATE_DOCS=1 pytest tests/unit/test_docs.py`` then writes
docs/results.md from them.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import re
import time
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from _learning_plot import write_picture
from _learning_result import row_of, summaries
from _machine import RESULTS, command, machine, versions
from _runs import arguments, complete_run, evaluate_checkpoint, final_evaluations, is_complete, steps_of
from sojourn.config import TrainConfig, load_config
from sojourn.errors import unknown_name
from sojourn.evaluate.history import POLICY, History, read_history
from sojourn.record.evaluation import Evaluation

PLANS = Path(__file__).parent / "learning"


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """An experiment: algorithms times schedules, on one configuration."""

    name: str
    file: Path
    """The configuration that all runs share."""
    environment_steps: int
    """Steps after which the policies are compared; every run must take more."""
    target: float
    """Success whose first time is noted."""
    algorithms: Mapping[str, Mapping[str, Any]]
    """Name -> what its configuration has besides."""
    schedules: Mapping[str, Mapping[str, Any]]
    """Label -> what its configuration has besides; one without a label keeps the file's horizon."""

    @classmethod
    def read(cls, name: str) -> Plan:
        """The plan called `name`, or in the file `name`; raises `ConfigError` for an unknown one."""
        path = Path(name) if name.endswith(".toml") else PLANS / f"{name}.plan.toml"
        if not path.exists():
            raise unknown_name("experiment", name, [p.name.partition(".")[0] for p in PLANS.glob("*.plan.toml")])
        tree = tomllib.loads(path.read_text(encoding="utf-8"))
        return cls(
            name=path.name.partition(".")[0],
            file=path.parent / tree["configuration"],
            environment_steps=tree["environment_steps"],
            target=tree["target"],
            algorithms=tree["algorithms"],
            schedules=tree.get("schedules", {"": {}}),
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Variant:
    """One run to make."""

    algorithm: str
    schedule: str
    seed: int
    flags: tuple[str, ...]

    def config(self, plan: Plan) -> TrainConfig:
        """Its whole configuration."""
        return load_config(plan.file, self.flags)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("experiment", help="algorithms, schedules, or a plan's file")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--jobs", type=int, default=1, help="runs at the same time, one thread each")
    parser.add_argument("--out", type=Path, default=Path("runs/learning"))
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder of the result file and the picture")
    parser.add_argument("--only", type=lambda text: text.split(","), default=[], help="such as grpo,ppo,fixed-long")
    args = parser.parse_args()
    plan = Plan.read(args.experiment)
    every = list(variants(plan, args.seeds, args.out / plan.name, args.jobs))
    chosen = narrowed(plan, every, args.only)
    with ThreadPoolExecutor(args.jobs) as pool:
        list(pool.map(lambda variant: make(plan, variant), chosen))
    result = collect(plan, every)
    args.results.mkdir(parents=True, exist_ok=True)
    path = args.results / f"learning_{plan.name}.json"
    path.write_text(compact(result), encoding="utf-8")
    write_picture(result, path.with_suffix(".png"))
    for row in result["summaries"]:
        print(line(row))
    print(path)


def variants(plan: Plan, seeds: Sequence[int], out: Path, jobs: int) -> Iterator[Variant]:
    """All runs, the first seed of everything first."""
    for seed in seeds:
        for algorithm, own in plan.algorithms.items():
            for schedule, horizon in plan.schedules.items():
                name = "-".join(filter(None, [algorithm, schedule, f"seed{seed}"]))
                flags = [*arguments(name, seed, out, jobs), "--algorithm.name", algorithm]
                flags += [*as_flags(own), *as_flags(horizon)]
                yield Variant(algorithm=algorithm, schedule=schedule, seed=seed, flags=tuple(flags))


def narrowed(plan: Plan, every: Sequence[Variant], only: Sequence[str]) -> list[Variant]:
    """Those with one of the algorithms and one of the schedules in `only`; all, where it names none of the kind."""
    for name in only:
        if name not in plan.algorithms and name not in plan.schedules:
            raise unknown_name("algorithm or schedule", name, [*plan.algorithms, *plan.schedules])
    algorithms = [name for name in plan.algorithms if name in only] or list(plan.algorithms)
    schedules = [name for name in plan.schedules if name in only] or list(plan.schedules)
    return [v for v in every if v.algorithm in algorithms and v.schedule in schedules]


def as_flags(tree: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    """A table of a plan as the command line of ``sojourn train`` takes it; a horizon replaces the file's whole."""
    for key, value in tree.items():
        if isinstance(value, Mapping) and key != "horizon":
            yield from as_flags(value, f"{prefix}{key}.")
        else:
            yield f"--{prefix}{key}={inline(value)}"


def inline(value: Any) -> str:
    """A value as TOML on one line."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key} = {inline(entry)}" for key, entry in value.items()) + "}"
    return json.dumps(value)


def make(plan: Plan, variant: Variant) -> None:
    """Train `variant` unless it is there, and say what is done."""
    config = variant.config(plan)
    is_there = is_complete(config.run_dir, config)
    complete_run(plan.file, variant.flags)
    print(f"{config.name}: {'was there' if is_there else 'done'}", flush=True)


def collect(plan: Plan, every: Sequence[Variant]) -> dict[str, Any]:
    """The result of all runs that are complete and have taken the plan's steps."""
    rows, missing, baselines, config = [], [], {}, None
    for variant in every:
        config = variant.config(plan)
        if not is_complete(config.run_dir, config):
            missing.append(config.name)
            continue
        history = read_history(config.run_dir)
        update = update_at_budget(plan, history)
        if update is None:
            print(f"{config.name}: too few environment steps; with more updates in the plan it goes on", flush=True)
            missing.append(config.name)
            continue
        at_budget = asyncio.run(policy_at(history, update))
        rows.append(row_of(history, variant.algorithm, variant.schedule, variant.seed, at_budget, plan.target))
        baselines |= {e.agent: e.to_json() for e in final_evaluations(history) if e.agent != POLICY}
    shared = load_config(plan.file)
    return {
        "command": command(),
        "date": time.strftime("%Y-%m-%d"),
        "machine": machine(),
        "versions": versions(),
        "experiment": plan.name,
        "environment_steps": plan.environment_steps,
        "target": plan.target,
        "algorithms": dict(plan.algorithms),
        "schedules": dict(plan.schedules),
        "configuration": shared.model_dump(mode="json", exclude={"name", "out", "seed"}),
        "baselines": baselines,
        "missing": missing,
        "summaries": summaries(rows),
        "runs": rows,
    }


def update_at_budget(plan: Plan, history: History) -> int | None:
    """Updates that the run had done when it had taken the plan's environment steps; None if it never did."""
    totals = itertools.accumulate(map(steps_of, history.metrics))
    return next((n for n, steps in enumerate(totals, start=1) if steps >= plan.environment_steps), None)


async def policy_at(history: History, update: int) -> Evaluation:
    """The policy after `update` updates on the final panel; what was measured once lies beside the run."""
    for evaluation in final_evaluations(history):
        if evaluation.agent == POLICY and evaluation.update == update:
            return evaluation
    path = history.run.path
    file = path.with_name(f"{path.name}.update-{update}.json")
    if not file.exists() or file.stat().st_mtime < history.run.report.stat().st_mtime:
        found = await evaluate_checkpoint(history, str(update))
        file.write_text(json.dumps(found[POLICY].to_json()) + "\n", encoding="utf-8")
    return Evaluation.from_json(json.loads(file.read_text(encoding="utf-8")))


def compact(result: Mapping[str, Any]) -> str:
    """JSON with a list of numbers, such as a curve, on one line."""
    text = json.dumps(result, indent=1)
    return re.sub(r"\[[^][{}\"]*\]", lambda match: re.sub(r"\s+", " ", match[0]), text) + "\n"


def line(summary: Mapping[str, Any]) -> str:
    """A summary for people."""
    test, interval = summary["at_budget"], summary["at_budget"]["interval"]
    name = " ".join(filter(None, [summary["algorithm"], summary["schedule"]]))
    told = [f"{name:34s} {test['success_rate']:.2f} [{interval['low']:.2f}, {interval['high']:.2f}]"]
    told.append(f"from {summary['untrained']['success_rate']:.2f}")
    told.append("learned" if summary["has_learned"] else "NOT LEARNED")
    told += [f"COLLAPSED in {summary['num_collapsed']} of {len(summary['seeds'])}"] if summary["num_collapsed"] else []
    return ", ".join(told)


if __name__ == "__main__":
    main()
