"""Web navigation leaks nothing: not over ten thousand episodes in the text browser, nor over hundreds in Chromium."""

from __future__ import annotations

import asyncio
import gc
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.webbrowsers import processes_below, resident_bytes, why_no_chromium

from sojourn.envs.web.scenario import BrowserName, Web
from sojourn.policy.scripted import OracleAgent, RandomAgent
from sojourn.rollout.collector import EpisodeOutcome, EpisodeSpec, run_episodes
from sojourn.rollout.episode import EpisodeLimits

NUM_TEXT, NUM_CHROMIUM = 10_000, 300
MIB = 1 << 20

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="reads the memory of processes in /proc"),
]
_REASON = why_no_chromium()


@pytest.fixture(autouse=True)
def others() -> Iterator[frozenset[int]]:
    """The processes that earlier tests have left running, such as ScienceWorld's; none is to be added."""
    before = frozenset(processes_below(os.getpid()))
    yield before
    if _REASON is None:
        from sojourn.envs.web.browser.chromium import close_chromium

        close_chromium()
    assert set(processes_below(os.getpid())) - before == set()


def play(scenario: Web, first: int, count: int, *, max_live: int, horizon: int = 3) -> list[EpisodeOutcome]:
    """Random episodes number `first` and after it, with garbage among them as a policy has it."""
    tasks = scenario.tasks("train")
    specs = [EpisodeSpec(task=tasks[n % len(tasks)], seed=n, session_id=str(n)) for n in range(first, first + count)]
    outcomes = asyncio.run(
        run_episodes(scenario, RandomAgent(), specs, horizon=horizon, limits=EpisodeLimits(), max_live=max_live)
    )
    assert all(outcome.trajectory is not None for outcome in outcomes)
    return outcomes


def own_bytes() -> int:
    gc.collect()
    return resident_bytes(os.getpid())


@pytest.mark.timeout(3600)
def test_ten_thousand_text_episodes_leave_no_memory_and_no_open_file() -> None:
    scenario = Web()
    warm_up = len(scenario.tasks("train")) // 4
    play(scenario, 0, warm_up, max_live=32)
    files, memory = len(os.listdir("/proc/self/fd")), own_bytes()
    for first in range(warm_up, warm_up + NUM_TEXT, 500):
        play(scenario, first, 500, max_live=32)
    assert len(os.listdir("/proc/self/fd")) == files
    assert own_bytes() - memory < 16 * MIB  # a world has 2.4 MiB: seven that were kept would show


@pytest.mark.parametrize(
    "browser", ["text", pytest.param("chromium", marks=pytest.mark.skipif(_REASON is not None, reason=_REASON or ""))]
)
@pytest.mark.timeout(1800)
def test_many_live_experts_change_nothing_of_each_other(browser: BrowserName) -> None:
    scenario, count = Web(browser=browser), {"text": 300, "chromium": 30}[browser]
    specs = [EpisodeSpec(task=task, seed=0, session_id=task.task_id) for task in scenario.tasks("train")[:count]]
    outcomes = asyncio.run(
        run_episodes(scenario, OracleAgent(), specs, horizon=60, limits=EpisodeLimits(), max_live=count)
    )
    # a change that was not asked for, by whomever, is a failure
    ends = [outcome.trajectory for outcome in outcomes]
    failed = [spec.session_id for spec, end in zip(specs, ends, strict=True) if end is None or not end.is_success]
    assert failed == []


@pytest.mark.skipif(_REASON is not None, reason=_REASON or "")
@pytest.mark.timeout(3600)
def test_hundreds_of_chromium_episodes_leave_no_process_and_no_memory(others: frozenset[int]) -> None:
    scenario = Web(browser="chromium")
    play(scenario, 0, 60, max_live=6)
    before = settled(others)
    for first in range(60, 60 + NUM_CHROMIUM, 60):
        play(scenario, first, 60, max_live=6)
        assert len(settled(others).browser) <= len(before.browser) + 1, "a renderer is left"  # there may be a spare one
    after = settled(others)
    assert sum(after.browser) - sum(before.browser) < 16 * MIB  # a context that is kept has a renderer of that size
    assert after.driver - before.driver < 64 * MIB  # node collects when it likes: up and down by 40 MiB
    assert after.python - before.python < 16 * MIB


@dataclass(frozen=True, kw_only=True)
class Memory:
    """Bytes of this process, of playwright's driver, and of each process of the browser."""

    python: int
    driver: int
    browser: tuple[int, ...]

    @property
    def total(self) -> int:
        return self.python + self.driver + sum(self.browser)


def settled(others: frozenset[int]) -> Memory:
    """What is held when it has stayed so for a second: processes end on their own time."""
    seen = None
    for _ in range(120):
        (driver, *browser) = [process for process in processes_below(os.getpid()) if process not in others]
        now = Memory(python=own_bytes(), driver=resident_bytes(driver), browser=tuple(map(resident_bytes, browser)))
        if seen is not None and len(now.browser) == len(seen.browser) and abs(now.total - seen.total) < MIB:
            return now
        seen = now
        time.sleep(1.0)
    raise AssertionError(f"the browser does not come to rest: {seen}")
