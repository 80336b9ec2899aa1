"""Runs a recipe with several seeds and writes its ``result.json`` and ``plot.png``: every seed, with all baselines.

Those of ``train.toml``; another recipe's files carry its name: ``smollm2-135m.result.json``.

    python benchmarks/recipe.py recipes/babyai/train.toml --seeds 0 1 2 --jobs 2

The seed is that of the run *and* of the base policy's initial weights. Runs go to ``runs/<recipe>-seed<k>``; one
that is already complete there, with the same configuration, is not repeated.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from _machine import machine, versions
from _runs import arguments, complete_run, evaluate_checkpoint, final_evaluations, steps_of
from sojourn.cli.options import read_options
from sojourn.evaluate.history import History, read_history
from sojourn.evaluate.plot import write_plot
from sojourn.record.evaluation import Evaluation


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("recipe", type=Path)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--jobs", type=int, default=1, help="runs at the same time, one thread each if more than one")
    parser.add_argument("--all-tasks", action="store_true", help="test the first seed's policy on every category too")
    parser.add_argument("--elsewhere", metavar="NAME", help="test every seed's policy in another environment too")
    parser.add_argument("--elsewhere-options", nargs="+", metavar="KEY=VALUE", default=[])
    parser.add_argument("--out", type=Path, default=Path("runs"))
    args = parser.parse_args()
    with ThreadPoolExecutor(args.jobs) as pool:
        runs = list(pool.map(lambda seed: run_seed(args.recipe, seed, args.out, args.jobs), args.seeds))
    histories = [read_history(path) for path in runs]
    folder = args.recipe.parent
    result = {
        "recipe": str(args.recipe),
        "command": " ".join(["python", "benchmarks/recipe.py", *map(str, sys.argv[1:])]),
        "machine": machine(),
        "versions": versions(),
        "seeds": [seed_result(seed, history) for seed, history in zip(args.seeds, histories, strict=True)],
    }
    if args.all_tasks:
        result["all_tasks"] = asyncio.run(all_tasks(args.seeds[0], histories[0]))
    if args.elsewhere:
        options = read_options(args.elsewhere_options)
        result["elsewhere"] = elsewhere(args.elsewhere, options, args.seeds, histories)
    prefix = "" if args.recipe.stem == "train" else f"{args.recipe.stem}."
    (folder / f"{prefix}result.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    write_plot(histories, folder / f"{prefix}plot.png")
    for row in result["seeds"]:
        print(row["seed"], {name: row["test"][name]["overall"]["success_rate"] for name in row["test"]})


def run_seed(recipe: Path, seed: int, out: Path, jobs: int) -> Path:
    """The directory of the complete run of one seed, made if it is not there."""
    stem = recipe.parent.name if recipe.stem == "train" else f"{recipe.parent.name}-{recipe.stem}"
    return complete_run(recipe, arguments(f"{stem}-seed{seed}", seed, out, jobs))


def seed_result(seed: int, history: History) -> dict[str, Any]:
    """Baselines, before and after on the test panel, and what it took."""
    test = final_evaluations(history)
    seconds = [row["time/update"] for row in history.timings]
    return {
        "seed": seed,
        "updates": history.num_updates,
        "panel": test[0].panel,
        "panel_sha256": test[0].panel_sha256,
        "evaluation_horizon": test[0].horizon,
        "test": {label(e): e.to_json() for e in test},
        "validation_success": {
            str(e.update): e.overall.success_rate
            for e in history.evaluations
            if e not in test and e.update is not None and e.agent == "policy"
        },
        "episodes": sum(row["train/episodes"] for row in history.metrics),
        "environment_steps": sum(map(steps_of, history.metrics)),
        "training_wall_s": sum(seconds),
        "peak_memory_mb": max(row["memory/peak_mb"] for row in history.timings),
        # without the command line: it holds paths of the machine, and says no more than the recipe's
        "starts": [{k: v for k, v in start.items() if k != "command"} for start in history.run.starts()],
    }


async def all_tasks(seed: int, history: History) -> dict[str, Any]:
    """The policy after the last update on the whole environment's test panel, beside random play and the oracle."""
    narrowing = ("levels", "categories", "depths", "hops", "templates")
    options = {key: value for key, value in history.config.env.options.items() if key not in narrowing}
    return by_agent(seed, await evaluate_checkpoint(history, "last", options=options, baselines=True))


def elsewhere(env: str, options: dict[str, Any], seeds: Sequence[int], histories: Sequence[History]) -> list[Any]:
    """Every seed's policy after the last update on the test panel of `env`, the first beside random play and oracle."""
    found = []
    for number, (seed, history) in enumerate(zip(seeds, histories, strict=True)):
        evaluating = evaluate_checkpoint(history, "last", env=env, options=options, baselines=number == 0)
        found.append(by_agent(seed, asyncio.run(evaluating)))
    return found


def by_agent(seed: int, found: Mapping[str, Evaluation]) -> dict[str, Any]:
    """Evaluations as JSON, with the seed of the policy."""
    return {"seed": seed, **{name: evaluation.to_json() for name, evaluation in found.items()}}


def label(evaluation: Evaluation) -> str:
    """``random``, ``oracle``, or ``policy after N updates``."""
    return evaluation.agent if evaluation.update is None else f"{evaluation.agent} after {evaluation.update} updates"


if __name__ == "__main__":
    main()
