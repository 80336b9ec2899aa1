"""What the service costs: CPU microseconds a step of server and client, beside the same steps in process.

    python benchmarks/service.py

Starts ``sojourn serve`` on a free port and replays recorded random play through the client: one episode at a time and
many at once, one call a request and all calls of a moment in one. The server's figure includes its workers, and so the
environment itself; ``in_process_us`` is the environment alone. CPU time, not wall clock: it does not count waiting for
a core, so other work on the machine does little to it. Needs Linux (it reads /proc).
"""

from __future__ import annotations

import argparse
import asyncio
import importlib.metadata
import os
import random
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from _machine import spread, write_result
from sojourn.envs.catalog import load_scenario
from sojourn.envs.protocol import Scenario
from sojourn.service.client import RemoteScenario
from sojourn.types import Task

NAMES = ("textcraft", "babyai")
PACKAGES = ("fastapi", "uvicorn", "uvloop", "aiohttp", "pydantic")
MAX_TURNS = 20
STEPS = {"textcraft": 6_000, "babyai": 3_000}
"""Least steps of one measurement."""


@dataclass(frozen=True, kw_only=True)
class Episode:
    """What was done once, to be done again."""

    task: Task
    actions: tuple[str, ...]


async def record(scenario: Scenario, count: int) -> list[Episode]:
    """Random play that does not reach an end."""
    tasks = scenario.panel("test").tasks
    return [await _record(scenario, tasks[n % len(tasks)], random.Random(n)) for n in range(count)]


async def _record(scenario: Scenario, task: Task, rng: random.Random) -> Episode:
    env: Any = scenario.make()
    await env.reset(task)
    actions: list[str] = []
    while len(actions) < MAX_TURNS:
        action = rng.choice(await env.admissible_commands())
        result = await env.step(action)
        if result.terminated or result.truncated:
            break
        actions.append(action)
    await env.close()
    return Episode(task=task, actions=tuple(actions))


class Costs:
    """Adds up CPU seconds of server and client over the measured stretches."""

    def __init__(self, pid: int | None) -> None:
        self._pid = pid
        self.server_s = self.client_s = self.wall_s = 0.0
        self.num_steps = 0
        self._start = (0.0, 0.0, 0.0)

    def begin(self) -> None:
        """Start a stretch."""
        self._start = (self._server(), time.process_time(), time.perf_counter())

    def end(self, num_steps: int) -> None:
        """End it."""
        server, client, wall = self._start
        self.client_s += time.process_time() - client
        self.wall_s += time.perf_counter() - wall
        self.server_s += self._server() - server
        self.num_steps += num_steps

    def _server(self) -> float:
        return 0.0 if self._pid is None else sum(map(cpu_s, [self._pid, *children(self._pid)]))


def cpu_s(pid: int) -> float:
    """CPU seconds of all threads of a process."""
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return sum(int(task.joinpath("schedstat").read_text().split()[0]) for task in tasks) / 1e9


def children(pid: int) -> list[int]:
    """Process ids of a process's children."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


async def measure(scenario: Scenario, episodes: Sequence[Episode], live: int, least: int, pid: int | None) -> Costs:
    """Replay, `live` episodes at a time, until `least` steps are counted; resets and closes are not."""
    costs = Costs(pid)
    first = 0
    while costs.num_steps < least:
        chosen = [episodes[(first + k) % len(episodes)] for k in range(live)]
        first += live
        envs = [scenario.make() for _ in chosen]
        await asyncio.gather(*(env.reset(e.task) for env, e in zip(envs, chosen, strict=True)))
        costs.begin()
        await asyncio.gather(*(_replay(env, e) for env, e in zip(envs, chosen, strict=True)))
        costs.end(sum(len(e.actions) for e in chosen))
        await asyncio.gather(*(env.close() for env in envs))
    return costs


async def _replay(env: Any, episode: Episode) -> None:
    for action in episode.actions:
        await env.step(action)


def row(measured: Sequence[Costs]) -> dict[str, Any]:
    """One line of the result."""
    return {
        "server_us": spread([c.server_s / c.num_steps * 1e6 for c in measured], 1),
        "client_us": spread([c.client_s / c.num_steps * 1e6 for c in measured], 1),
        "steps_per_s": spread([c.num_steps / c.wall_s for c in measured], 0),
        "num_steps": sum(c.num_steps for c in measured),
    }


def run(url: str, pid: int, name: str, repeats: int) -> dict[str, Any]:
    """All figures of one environment."""
    here = load_scenario(name)
    episodes = asyncio.run(record(here, 128))
    least = STEPS[name]
    alone = [asyncio.run(measure(here, episodes, 64, least, None)) for _ in range(repeats)]
    result: dict[str, Any] = {"in_process_us": spread([c.client_s / c.num_steps * 1e6 for c in alone], 1)}
    for live in (1, 64):
        for is_batched in (False, True):
            there = RemoteScenario(url, env=name, batch=is_batched)
            asyncio.run(measure(there, episodes, live, least // 10, pid))  # warm
            costs = [asyncio.run(measure(there, episodes, live, least, pid)) for _ in range(repeats)]
            result[f"{live}_live_{'batched' if is_batched else 'single'}"] = row(costs)
            print(name, live, is_batched, {k: v["median"] for k, v in row(costs).items() if k != "num_steps"})
    return result


def main() -> None:
    """Measure and write the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--env", action="append", choices=NAMES, help="environment to measure (default: all)")
    parser.add_argument("--repeats", type=int, default=5, help="measurements of each figure")
    parser.add_argument("--dry-run", action="store_true", help="print, and write nothing")
    options = parser.parse_args()
    names = options.env or NAMES
    command = [sys.executable, "-m", "sojourn.cli", "serve", *names, "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ) as server:
        assert server.stdout is not None
        try:
            url = server.stdout.readline().split()[-1]
            result = {name: run(url, server.pid, name, options.repeats) for name in names}
        finally:
            server.terminate()
    if not options.dry_run:
        packages = {name: importlib.metadata.version(name) for name in PACKAGES}
        about = {"unit": "CPU microseconds a step", "packages": packages}
        print(write_result("service", {**about, "environments": result}))


if __name__ == "__main__":
    main()
