"""Episodes that run ahead of training against the synchronous loop, where steps have a heavy tail: updates per hour.

Procedural TextCraft whose steps take 50 ms of waiting, and 1 % of them 50 times as long (``asynchronous.toml``); the
small policy, 128 episodes an update. The same run is repeated with each `rollout.staleness`; the ratio is of updates
per hour of collecting, training and publishing, seed by seed. Success is that of the last weights on the test panel.

    OMP_WAIT_POLICY=PASSIVE python benchmarks/asynchronous.py --seeds 0 1 2
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from _machine import spread, write_result
from sojourn.evaluate.history import History, read_history
from sojourn.evaluate.intervals import wilson

CONFIG = Path(__file__).parent / "asynchronous.toml"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--staleness", type=int, nargs="+", default=[1, 2, 4], help="beside 0, which is always run")
    parser.add_argument("--out", type=Path, default=Path("runs/asynchronous"))
    args = parser.parse_args()
    runs = {k: {seed: run(k, seed, args.out) for seed in args.seeds} for k in [0, *args.staleness]}
    rows = [row(k, runs[k], runs[0]) for k in runs]
    for found in rows:
        rate, ratio = found["updates_per_hour"]["median"], found["ratio"]["median"]
        low, high = found["success_interval"].values()
        print(
            f"staleness {found['staleness']}: {rate:.0f} updates/h ({ratio:.1f}x), "
            f"success {found['success']:.2f} [{low:.2f}, {high:.2f}]"
        )
    print(write_result("asynchronous", {"configuration": CONFIG.name, "seeds": args.seeds, "rows": rows}))


def run(staleness: int, seed: int, out: Path) -> History:
    """One whole training run, in a process of its own."""
    name = f"staleness{staleness}-seed{seed}"
    log = out / f"{name}.log"
    out.mkdir(parents=True, exist_ok=True)
    settings = {
        "name": name,
        "out": out,
        "seed": seed,
        "policy.base.seed": seed,
        "rollout.staleness": staleness,
    }
    flags = [word for key, value in settings.items() for word in (f"--{key}", str(value))]
    with log.open("w", encoding="utf-8") as file:
        subprocess.run(
            [sys.executable, "-m", "sojourn.cli", "train", str(CONFIG), *flags],
            stdout=file,
            check=True,
            env={**os.environ, "OMP_WAIT_POLICY": "PASSIVE"},
        )
    return read_history(out / name)


def row(staleness: int, runs: dict[int, History], synchronous: dict[int, History]) -> dict[str, Any]:
    """What one staleness gave over all seeds."""
    rates = {seed: updates_per_hour(history) for seed, history in runs.items()}
    last = [history.curve(history.config.evaluate.final_split)[-1].overall for history in runs.values()]
    first = [history.curve(history.config.evaluate.final_split)[0].overall for history in runs.values()]
    num_tasks = sum(overall.num_tasks for overall in last)
    num_solved = round(sum((overall.success_rate or 0.0) * overall.num_tasks for overall in last))
    return {
        "staleness": staleness,
        "updates_per_hour": spread(list(rates.values()), 1),
        "ratio": spread([rate / updates_per_hour(synchronous[seed]) for seed, rate in rates.items()], 2),
        "success": num_solved / num_tasks,
        "success_interval": asdict(wilson(num_solved, num_tasks)),
        "success_by_seed": [overall.success_rate for overall in last],
        "untrained_by_seed": [overall.success_rate for overall in first],
        "test_tasks": num_tasks,
        "age_mean_updates": mean(runs, "queue/age_mean"),
        "age_max_updates": max((max(h.series("queue/age_max")[1], default=0.0) for h in runs.values()), default=0.0),
        "stale_share": mean(runs, "ratio/stale_share"),
        "capped_share": mean(runs, "ratio/sampler_capped_share"),
    }


def updates_per_hour(history: History) -> float:
    """Of collecting, training and publishing; evaluations and start-up apart."""
    keys = ("time/collect", "time/train", "time/publish")
    seconds = sum(timing[key] for timing in history.timings for key in keys)
    return 3600.0 * history.num_updates / seconds


def mean(runs: dict[int, History], key: str) -> float | None:
    """Over the updates of all runs that recorded it; None where none did."""
    values = [value for history in runs.values() for value in history.series(key)[1]]
    return statistics.fmean(values) if values else None


if __name__ == "__main__":
    main()
