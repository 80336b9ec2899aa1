"""Web navigation leaks nothing: not over ten thousand episodes in the text browser, nor over hundreds in Chromium."""

from __future__ import annotations

import asyncio
import ctypes
import gc
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.e2e.driver_heap import DriverHeap
from tests.webbrowsers import processes_below, resident_bytes, waited, why_no_chromium

from sojourn.envs.web.browser.chromium import close_chromium
from sojourn.envs.web.scenario import BrowserName, Web
from sojourn.policy.scripted import OracleAgent, RandomAgent
from sojourn.rollout.episode import EpisodeLimits
from sojourn.rollout.episodes import EpisodeOutcome, EpisodeSpec, run_episodes

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
    close_chromium()  # an earlier test's would be shared, and no process of it counted
    before = frozenset(processes_below(os.getpid()))
    yield before
    close_chromium()
    assert waited(lambda: set(processes_below(os.getpid())) <= before)


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
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)  # glibc keeps what is free for each thread: how much depends on which of them did what when
    return resident_bytes(os.getpid())


def num_open_files() -> int:
    gc.collect()  # what earlier tests dropped may hold some, and would let them go some time or other
    return len(os.listdir("/proc/self/fd"))


@pytest.mark.timeout(3600)
def test_ten_thousand_text_episodes_leave_no_memory_and_no_open_file() -> None:
    scenario = Web()
    warm_up = len(scenario.tasks("train")) // 4
    play(scenario, 0, warm_up, max_live=32)
    files, memory = num_open_files(), own_bytes()
    for first in range(warm_up, warm_up + NUM_TEXT, 500):
        play(scenario, first, 500, max_live=32)
    assert num_open_files() == files
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
def test_hundreds_of_chromium_episodes_leave_no_process_and_no_memory(
    others: frozenset[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    heap = DriverHeap(tmp_path)
    monkeypatch.setenv("NODE_OPTIONS", heap.options)
    scenario = Web(browser="chromium")
    play(scenario, 0, 60, max_live=6)
    processes, browser = settled(others)
    driver, python = heap.used_bytes(), own_bytes()
    for first in range(60, 60 + NUM_CHROMIUM, 60):
        play(scenario, first, 60, max_live=6)
        # there may be a spare one
        assert waited(lambda: len(of_browser(others)) <= processes + 1), "a renderer is left"
    assert heap.used_bytes() - driver < MIB // 2  # a context that is kept has 20 KiB of it, an episode leaves 0.2
    assert own_bytes() - python < 16 * MIB
    # a renderer has that much
    assert waited(lambda: sum(map(resident_bytes, of_browser(others))) - browser < 16 * MIB), "the browser has grown"


def of_browser(others: frozenset[int]) -> list[int]:
    """The browser's processes, without playwright's driver, which has started them."""
    return [process for process in processes_below(os.getpid()) if process not in others][1:]


def settled(others: frozenset[int]) -> tuple[int, int]:
    """Number and bytes of the browser's processes when they have stayed so for two seconds."""
    seen: list[tuple[int, int]] = []
    for _ in range(300):
        found = of_browser(others)
        seen = [*seen[-2:], (len(found), sum(map(resident_bytes, found)))]
        numbers, sizes = zip(*seen, strict=True)
        if len(seen) == 3 and len(set(numbers)) == 1 and max(sizes) - min(sizes) < MIB:
            return seen[-1]
        time.sleep(1.0)
    raise AssertionError(f"the browser does not come to rest: {seen}")
