"""Promise 10: nothing leaks. Hundreds of episodes of every shipped environment, and every one is closed."""

from __future__ import annotations

import asyncio
import gc
import os
from pathlib import Path
from typing import Any

import pytest
from tests.shipped import SMALL
from tests.toys import Buttons, ButtonsEnv

from sojourn.envs.catalog import SHIPPED, load_scenario
from sojourn.envs.protocol import Env
from sojourn.policy.scripted import OracleAgent, RandomAgent
from sojourn.rollout.episode import EpisodeLimits
from sojourn.rollout.episodes import EpisodeSpec, Retries, run_episodes
from sojourn.types import StepResult, Task

ROOT = Path(__file__).resolve().parents[2]
NUM_EPISODES = 300
NUM_WARM_UP = 100
MAX_GROWTH_BYTES = 4 << 20


ELSEWHERE = {
    "webapps": ROOT / "tests" / "contract" / "test_web_webapps_episodes.py",
    "webarena": ROOT / "tests" / "contract" / "test_web_webarena_episodes.py",
    "miniwob": ROOT / "tests" / "contract" / "test_web_miniwob.py",
}
"""Environments whose episodes take seconds -> where they are played; a browser keeps memory of its own."""


class WatchedEnv:
    """An environment that counts as open until it is closed."""

    def __init__(self, inner: Any, open_envs: set[int]) -> None:
        self._inner = inner
        self._open_envs = open_envs
        open_envs.add(id(self))
        self.reset, self.step, self.admissible_commands = inner.reset, inner.step, inner.admissible_commands

    async def close(self) -> None:
        self._open_envs.discard(id(self))
        await self._inner.close()


class Watched:
    """A shipped scenario that knows how many of its environments are open."""

    def __init__(self, name: str) -> None:
        self._inner = load_scenario(name, SMALL.get(name))
        self.open_envs: set[int] = set()
        self.num_made = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def make(self) -> Env:
        self.num_made += 1
        return WatchedEnv(self._inner.make(), self.open_envs)


def play(scenario: Watched, first: int, count: int) -> None:
    tasks = scenario.tasks("train")
    specs = [EpisodeSpec(task=tasks[n % len(tasks)], seed=n, session_id=str(n)) for n in range(first, first + count)]
    outcomes = asyncio.run(run_episodes(scenario, RandomAgent(), specs, horizon=6, limits=EpisodeLimits(), max_live=32))
    assert all(outcome.trajectory is not None for outcome in outcomes)


def resident_bytes() -> int:
    """What this process holds, without the pages of files that it maps, which the kernel may take back."""
    gc.collect()
    _, resident, of_files, *_ = map(int, Path("/proc/self/statm").read_text().split())
    return (resident - of_files) * os.sysconf("SC_PAGE_SIZE")


def num_open_files() -> int:
    return len(os.listdir("/proc/self/fd"))


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="reads /proc")
@pytest.mark.parametrize("name", [*(name for name in SHIPPED if name not in ELSEWHERE), "tests.toys:Buttons"])
def test_hundreds_of_episodes_leave_no_memory_and_no_open_file(name: str) -> None:
    scenario = Watched(name)
    play(scenario, 0, NUM_WARM_UP)
    files, memory = num_open_files(), resident_bytes()
    for first in range(NUM_WARM_UP, NUM_WARM_UP + NUM_EPISODES, 100):
        play(scenario, first, 100)
    assert num_open_files() == files
    assert resident_bytes() - memory < MAX_GROWTH_BYTES
    assert scenario.num_made == NUM_WARM_UP + NUM_EPISODES
    assert not scenario.open_envs


class Slow(ButtonsEnv):
    """Never answers a step."""

    async def step(self, action: str) -> StepResult:
        await asyncio.sleep(3600)
        raise AssertionError


class SlowToStart(ButtonsEnv):
    """Never answers a reset."""

    async def reset(self, task: Task) -> StepResult:
        await asyncio.sleep(3600)
        raise AssertionError


class Kept(Buttons):
    """Remembers its environments, of the kind given."""

    def __init__(self, kind: type[ButtonsEnv]) -> None:
        super().__init__()
        self.kind = kind
        self.made: list[ButtonsEnv] = []

    def make(self) -> Env:
        self.made.append(self.kind())
        return self.made[-1]


def specs(count: int) -> list[EpisodeSpec]:
    tasks = Buttons().tasks("train")
    return [EpisodeSpec(task=tasks[n % len(tasks)], seed=n, session_id=str(n)) for n in range(count)]


@pytest.mark.parametrize("kind", [Slow, SlowToStart])
def test_every_environment_is_closed_when_the_run_is_cancelled(kind: type[ButtonsEnv]) -> None:
    scenario = Kept(kind)

    async def cancelled() -> None:
        running = asyncio.create_task(
            run_episodes(scenario, RandomAgent(), specs(40), horizon=3, limits=EpisodeLimits(), max_live=16)
        )
        await asyncio.sleep(0.05)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running

    asyncio.run(cancelled())
    assert len(scenario.made) == 16  # the others never began
    assert all(env.is_closed for env in scenario.made)


class Bug(ButtonsEnv):
    """A programming error of ours, not an environment's failure."""

    async def admissible_commands(self):
        raise ZeroDivisionError


def test_every_environment_is_closed_when_a_bug_ends_the_run() -> None:
    scenario = Kept(Bug)
    with pytest.raises((ZeroDivisionError, ExceptionGroup)):
        asyncio.run(run_episodes(scenario, RandomAgent(), specs(20), horizon=3, limits=EpisodeLimits()))
    assert scenario.made
    assert all(env.is_closed for env in scenario.made)


def test_an_episode_that_times_out_is_closed_and_its_place_is_played_again() -> None:
    scenario = Kept(Slow)
    limits = EpisodeLimits(step_timeout_s=0.02)
    outcomes = asyncio.run(
        run_episodes(
            scenario, OracleAgent(), specs(6), horizon=3, limits=limits, retries=Retries(max_attempts=2), max_live=6
        )
    )
    assert all(outcome.trajectory is None and len(outcome.failed) == 2 for outcome in outcomes)
    assert len(scenario.made) == 12
    assert all(env.is_closed for env in scenario.made)
