"""What a web episode costs in the text browser and in Chromium: CPU time a step and a reset, memory of many at once.

    python benchmarks/web.py --tasks 100 --repetitions 5

The expert's episodes on the first tasks of the test panel (every category and template in turn) are recorded once and
replayed, action by action, in both browsers, whose pages have the same ids. The text browser is timed by the process
clock, step by step. Chromium, its alternative, is a tree of processes: its time is that of the browser, of playwright's
driver and of Python together, read from /proc around the reset and around the steps of each episode; what it does
after the last of them is in ``everything``. Memory is the PSS of the tree with so many episodes open, some steps in.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import os
import statistics
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from _machine import Clock, spread, write_result
from _processes import cpu_s, pss_mib, tree
from sojourn.envs.contract import sample_tasks
from sojourn.envs.web.browser.chromium import close_chromium
from sojourn.envs.web.browser.chromium.launch import find_chromium
from sojourn.envs.web.env import WebEnv
from sojourn.envs.web.scenario import BrowserName, Web
from sojourn.types import Task

TEXT_AT_ONCE, CHROMIUM_AT_ONCE = 300, 50
STEPS_WHEN_MANY = 3
GOALS_MS = {"text": {"step": 2.0, "reset": 3.0}, "chromium": {"step": 150.0}}


@dataclass(frozen=True, kw_only=True)
class Episode:
    """What the expert did once, and the reward it got."""

    task: Task
    actions: tuple[str, ...]
    reward: float


async def main_with(options: argparse.Namespace) -> dict[str, Any]:
    """Every figure."""
    text, chromium = Web(browser="text"), Web(browser="chromium")
    episodes = [await record(text, task) for task in sample_tasks(text, "test", options.tasks)]
    result: dict[str, Any] = {
        "episodes": len(episodes),
        "steps": sum(len(episode.actions) for episode in episodes),
        "rewards": sum(episode.reward for episode in episodes),
        "goals_ms": GOALS_MS,
        "text": {"at_once": await many(text, episodes, options.text_at_once)},
    }
    result["text"] |= await repeated(text_costs, text, episodes, options.repetitions)
    print(table("text", result["text"]), flush=True)
    await replay(chromium, episodes[0])  # starts the browser
    result["chromium"] = {"version": chromium_version(), "processes": len(list(tree(os.getpid()))) - 1}
    result["chromium"]["at_once"] = await many(chromium, episodes, options.chromium_at_once)
    result["chromium"] |= await repeated(chromium_costs, chromium, episodes, options.repetitions)
    print(table("chromium", result["chromium"]), flush=True)
    result["times_text"] = {
        figure: round(result["chromium"][f"{figure}_ms"]["median"] / result["text"][f"{figure}_ms"]["median"], 1)
        for figure in ("step", "reset", "everything")
    }
    print("chromium costs so many times what text costs:", result["times_text"])
    return result


async def record(scenario: Web, task: Task) -> Episode:
    """The expert's episode on a task."""
    env = scenario.make()
    await env.reset(task)
    oracle, actions, result = scenario.oracle(env), [], None
    while (action := await oracle.next_action()) is not None:
        actions.append(action)
        result = await env.step(action)
    await env.close()
    if result is None or not result.terminated:
        raise RuntimeError(f"the expert did not end {task.task_id}")
    return Episode(task=task, actions=tuple(actions), reward=result.reward)


def task_for(scenario: Web, episode: Episode) -> Task:
    """The episode's task as one of `scenario`, which may have another browser."""
    return replace(episode.task, env_id=scenario.env_id)


async def replay(scenario: Web, episode: Episode, steps: int | None = None) -> WebEnv:
    """An environment in which the first `steps` actions of an episode (all, if absent) were done; closed if all."""
    env = scenario.make()
    await env.reset(task_for(scenario, episode))
    for action in episode.actions[:steps]:
        result = await env.step(action)
    if steps is None:
        await env.close()
        if result.reward != episode.reward:
            raise RuntimeError(f"{episode.task.task_id}: expected the reward {episode.reward}, got {result.reward}")
    return env


async def text_costs(scenario: Web, episodes: Sequence[Episode]) -> Mapping[str, float]:
    """CPU milliseconds of one repetition in this process, each step by itself."""
    resets, steps, stops = [], [], []
    began = time.process_time_ns()
    for episode in episodes:
        env, task = scenario.make(), task_for(scenario, episode)
        start = time.process_time_ns()
        await env.reset(task)
        resets.append(time.process_time_ns() - start)
        for action in episode.actions:
            start = time.process_time_ns()
            await env.step(action)
            (stops if action.startswith("stop") else steps).append(time.process_time_ns() - start)
        await env.close()
    return {
        "step_ms": statistics.fmean(steps) / 1e6,
        "step_p95_ms": statistics.quantiles(steps, n=20)[-1] / 1e6,
        "stop_ms": statistics.fmean(stops) / 1e6,
        "reset_ms": statistics.fmean(resets) / 1e6,
        "everything_ms": (time.process_time_ns() - began) / len(steps) / 1e6,
    }


async def chromium_costs(scenario: Web, episodes: Sequence[Episode]) -> Mapping[str, float]:
    """CPU milliseconds of one repetition over the tree of processes; the judgement is not among the steps."""
    spent = {"reset": 0.0, "steps": 0.0}
    began, wall, num_steps = cpu_s(os.getpid()), Clock(), 0
    for episode in episodes:
        env, task = scenario.make(), task_for(scenario, episode)
        marks = [cpu_s(os.getpid())]
        await env.reset(task)
        marks.append(cpu_s(os.getpid()))
        for action in episode.actions[:-1]:
            await env.step(action)
            num_steps += 1
        marks.append(cpu_s(os.getpid()))
        spent["reset"] += marks[1] - marks[0]
        spent["steps"] += marks[2] - marks[1]
        await env.step(episode.actions[-1])
        await env.close()
    return {
        "step_ms": spent["steps"] / num_steps * 1e3,
        "reset_ms": spent["reset"] / len(episodes) * 1e3,
        "everything_ms": (cpu_s(os.getpid()) - began) / num_steps * 1e3,
        "everything_wall_ms": wall.read()[0] / num_steps * 1e3,
    }


async def repeated(measure: Any, scenario: Web, episodes: Sequence[Episode], repetitions: int) -> dict[str, Any]:
    """figure -> median and all repetitions, after one that warms up."""
    await measure(scenario, episodes[: len(episodes) // 4 + 1])
    rows = [await measure(scenario, episodes) for _ in range(repetitions)]
    return {figure: spread([row[figure] for row in rows], 3) for figure in rows[0]}


async def many(scenario: Web, episodes: Sequence[Episode], count: int) -> dict[str, Any]:
    """`count` episodes open together, each with some steps done: what they cost and hold."""
    await replay(scenario, episodes[0])  # what all share is there before
    gc.collect()
    chosen = [episodes[number % len(episodes)] for number in range(count)]
    held, spent, clock = pss_mib(os.getpid()), cpu_s(os.getpid()), Clock()
    envs = await asyncio.gather(*(replay(scenario, episode, STEPS_WHEN_MANY) for episode in chosen))
    gc.collect()
    row = {
        "episodes": count,
        "cpu_s": round(cpu_s(os.getpid()) - spent, 2),
        "wall_s": round(clock.read()[0], 2),
        "pss_mib": round(pss_mib(os.getpid()), 1),
        "pss_mib_per_episode": round((pss_mib(os.getpid()) - held) / count, 3),
        "processes": len(list(tree(os.getpid()))),
    }
    for env in envs:
        await env.close()
    return row


def chromium_version() -> str:
    """What the browser calls itself."""
    found = find_chromium()
    if found is None:
        return "playwright's own"
    return subprocess.run([found, "--version"], capture_output=True, text=True, check=True).stdout.strip()


def table(browser: BrowserName, result: Mapping[str, Any]) -> str:
    """The figures of one browser beside its goals."""
    lines = [f"{browser}: {result['at_once']}"]
    for figure, values in result.items():
        if figure.endswith("_ms"):
            goal = GOALS_MS[browser].get(figure.removesuffix("_ms"))
            beside = f"   goal {goal:g}" if goal else ""
            lines.append(f"  {figure:20}{values['median']:10.3f}   ({values['min']:.3f} - {values['max']:.3f}){beside}")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tasks", type=int, default=100, help="episodes that are replayed (default 100)")
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--text-at-once", type=int, default=TEXT_AT_ONCE)
    parser.add_argument("--chromium-at-once", type=int, default=CHROMIUM_AT_ONCE)
    options = parser.parse_args()
    try:
        result = asyncio.run(main_with(options))
    finally:
        close_chromium()
    print("written to", write_result("web", result))


if __name__ == "__main__":
    main()
