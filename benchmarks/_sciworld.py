"""What SciWorld costs: its episodes live in another process, so CPU time and memory of both are added up.

Beside it runs the stock class of the ``scienceworld`` package, which has a JVM of its own and lists the valid actions
at every step.
"""

from __future__ import annotations

import asyncio
import gc
import importlib
import importlib.metadata
import os
import random
import time
import tracemalloc
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from sojourn.envs.catalog import load_scenario
from sojourn.envs.contract import sample_tasks
from sojourn.envs.sciworld import close_pools
from sojourn.types import Task

MAX_TURNS = 20
LIVE_EPISODES = 200
MANY_EPISODES = 10_000
TICKS_PER_S = os.sysconf("SC_CLK_TCK")
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")

Played = tuple[Task, tuple[str, ...]]


def jvm_cpu_s(pid: int) -> float:
    """CPU seconds of a process, all its threads."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_S


def resident_mb(pid: int) -> float:
    """Main memory of a process."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE_BYTES / 1e6


class Meter:
    """CPU time of both processes between two looks."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.figures: dict[str, list[float]] = {}
        self._python, self._jvm = time.process_time(), jvm_cpu_s(pid)

    def begin(self) -> None:
        self._python, self._jvm = time.process_time(), jvm_cpu_s(self.pid)

    def end(self, name: str, count: int) -> None:
        python, jvm = time.process_time() - self._python, jvm_cpu_s(self.pid) - self._jvm
        for label, spent in (("", python + jvm), (" in Python", python)):
            self.figures.setdefault(f"{name}{label} [ms]", []).append(round(1e3 * spent / count, 3))


async def record(scenario: Any, num_tasks: int) -> list[Played]:
    """Episodes of the expert (every second one) and of random play, on the test panel."""
    played = []
    for number, task in enumerate(sample_tasks(scenario, "test", num_tasks)):
        env, rng = scenario.make(), random.Random(number)
        await env.reset(task)
        actions: list[str] = []
        while len(actions) < MAX_TURNS:
            oracle = scenario.oracle(env) if number % 2 else None
            action = await oracle.next_action() if oracle else rng.choice(await env.admissible_commands())
            if action is None:
                break
            actions.append(action)
            if (await env.step(action)).terminated:
                break
        await env.close()
        played.append((task, tuple(actions)))
    return played


async def replay(scenario: Any, played: Sequence[Played], meter: Meter) -> None:
    """All episodes live at once: the resets, then the steps, then a list of commands each."""
    envs = [scenario.make() for _ in played]
    meter.begin()
    for env, (task, _) in zip(envs, played, strict=True):
        await env.reset(task)
    meter.end("reset", len(played))
    meter.begin()
    for env, (_, actions) in zip(envs, played, strict=True):
        for action in actions:
            await env.step(action)
    meter.end("step", sum(len(actions) for _, actions in played))
    meter.begin()
    listed = 0
    for env in envs:
        listed += bool(await env.admissible_commands())
    meter.end("list commands", max(1, listed))
    for env in envs:
        await env.close()


async def hold(scenario: Any, count: int) -> dict[str, list[float]]:
    """Memory of `count` live episodes after a step each, in a JVM that is otherwise new."""
    tasks = scenario.tasks("train")
    first = scenario.make()
    await first.reset(tasks[0])
    pid = first.jvm_pid
    heap = await used_heap_mb(first)
    gc.collect()
    tracemalloc.start()
    envs = []
    for number in range(count):
        env = scenario.make()
        await env.reset(tasks[number * len(tasks) // count])
        await env.step("look around")
        envs.append(env)
    python = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    grown = await used_heap_mb(first) - heap
    figures = {
        "heap [MB/episode]": [round(grown / count, 3)],
        "memory in Python [MB/episode]": [round(python / count / 1e6, 4)],
        f"JVM with {count} live episodes [MB]": [round(resident_mb(pid), 1)],
    }
    for env in (first, *envs):
        await env.close()
    return figures


async def used_heap_mb(env: Any) -> float:
    """Heap in use after a collection, in the JVM of a live episode."""
    wire = importlib.import_module("sojourn.envs.sciworld.wire")

    def job(simulator: Any) -> float:
        runtime = simulator.wire.ask(wire.call_static("java.lang.Runtime", "getRuntime"))
        _, total, free, _ = simulator.wire.send(
            wire.call(runtime, "gc"),
            wire.call(runtime, "totalMemory"),
            wire.call(runtime, "freeMemory"),
            wire.release(runtime),
        )
        return (total - free) / 1e6

    return float(await env._lease.run(job))


async def many(scenario: Any, count: int) -> dict[str, Any]:
    """Memory and open files over `count` episodes of one step each."""
    tasks = scenario.tasks("train")
    rows = []
    for number in range(count):
        env = scenario.make()
        await env.reset(tasks[number % len(tasks)])
        await env.step("look around")
        pid = env.jvm_pid
        await env.close()
        if (number + 1) % (count // 10) == 0:
            files = len(os.listdir("/proc/self/fd"))
            python, jvm = round(resident_mb(os.getpid()), 1), round(resident_mb(pid), 1)
            rows.append({"episodes": number + 1, "python_mb": python, "jvm_mb": jvm, "open_files": files, "jvm": pid})
    order = list(dict.fromkeys(row["jvm"] for row in rows))
    return {"rows": [{**row, "jvm": order.index(row["jvm"])} for row in rows]}


def stock() -> tuple[str, Callable[[Sequence[Played], int], dict[str, list[float]]]]:
    """The class of the package, fed with the same tasks and actions."""

    def measure(played: Sequence[Played], repetitions: int) -> dict[str, list[float]]:
        env = importlib.import_module("scienceworld").ScienceWorldEnv("boil", envStepLimit=1000)
        meter = Meter(env._gateway.java_process.pid)
        for _ in range(repetitions + 1):
            for task, actions in played:
                name, _, variation = task.task_id.partition("/")
                meter.begin()
                env.load(name, int(variation), "")
                env.reset()
                meter.end("reset", 1)
                meter.begin()
                for action in actions:
                    env.step(action)
                meter.end("step", max(1, len(actions)))
        env.close()
        per = len(played)
        return {
            name: [round(sum(values[i : i + per]) / per, 3) for i in range(per, len(values), per)]
            for name, values in meter.figures.items()
        }

    return f"ScienceWorldEnv of scienceworld {importlib.metadata.version('scienceworld')}", measure


def benchmark(num_tasks: int, repetitions: int, *, num_many: int = MANY_EPISODES) -> dict[str, Any]:
    """All figures of SciWorld and of the stock class."""

    async def measure() -> tuple[dict[str, list[float]], list[Played]]:
        scenario = load_scenario("sciworld", {"num_jvms": 1})
        played = await record(scenario, num_tasks)
        probe = scenario.make()
        await probe.reset(played[0][0])
        meter = Meter(probe.jvm_pid)
        for number in range(repetitions + 1):
            await replay(scenario, played, meter)
            if number == 0:
                meter.figures.clear()  # the first warms up
        await probe.close()
        return meter.figures, played

    figures, played = asyncio.run(measure())
    close_pools()
    figures |= asyncio.run(hold(load_scenario("sciworld", {"num_jvms": 1}), LIVE_EPISODES))
    close_pools()
    leak = asyncio.run(many(load_scenario("sciworld", {"num_jvms": 1}), num_many)) if num_many else {}
    close_pools()
    label, run_stock = stock()
    return {
        "env_id": load_scenario("sciworld").env_id,
        "episodes": len(played),
        "steps": sum(len(actions) for _, actions in played),
        "live_episodes": LIVE_EPISODES,
        "repetitions": figures,
        "alternative": {"name": label, "repetitions": run_stock(played, repetitions)},
        "many_episodes": leak,
    }
