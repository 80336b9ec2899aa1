"""Thousands of short episodes leave nothing in the service and nothing in its client."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import pytest
from tests.services import Service, serving

from sojourn.policy.scripted import RandomAgent
from sojourn.rollout.episode import EpisodeLimits
from sojourn.rollout.episodes import EpisodeSpec, run_episodes
from sojourn.service.client import RemoteScenario

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
EPISODES = [("textcraft", 10_000), ("textcraft-procedural", 10_000), ("babyai", 10_000)]
MAX_GROWTH_BYTES = 6 << 20


def play(scenario: RemoteScenario, first: int, count: int, max_live: int = 64) -> None:
    tasks = scenario.panel("train").tasks
    specs = [EpisodeSpec(task=tasks[n % len(tasks)], seed=n, session_id=str(n)) for n in range(first, first + count)]
    limits = EpisodeLimits()
    outcomes = asyncio.run(run_episodes(scenario, RandomAgent(), specs, horizon=2, limits=limits, max_live=max_live))
    assert all(outcome.trajectory is not None for outcome in outcomes)


def held(pids: list[int]) -> tuple[int, int]:
    """Resident bytes, and open files, of some processes."""
    pages = sum(int(Path(f"/proc/{pid}/statm").read_text().split()[1]) for pid in pids)
    return pages * os.sysconf("SC_PAGE_SIZE"), sum(len(os.listdir(f"/proc/{pid}/fd")) for pid in pids)


def growth(service: Service, name: str, num_episodes: int) -> tuple[int, int]:
    """Bytes and files that the second half of `num_episodes` episodes leaves in the service's processes."""
    scenario = RemoteScenario(service.url, env=name)
    half = num_episodes // 2
    play(scenario, 0, half)
    pids = [service.pid, *service.workers()]
    before, files_before = held(pids)
    own_files = len(os.listdir("/proc/self/fd"))
    play(scenario, half, half)
    after, files_after = held(pids)
    assert len(os.listdir("/proc/self/fd")) == own_files
    assert service.num_open() == 0
    assert [service.pid, *service.workers()] == pids
    return after - before, files_after - files_before


@pytest.mark.parametrize(
    ("name", "num_episodes"), [("textcraft", 10_000), ("textcraft-procedural", 10_000), ("babyai", 10_000)]
)
def test_short_episodes_leave_no_memory_and_no_open_file(tmp_path: Path, name: str, num_episodes: int) -> None:
    with serving(tmp_path, name, "--workers", "2") as service:
        num_bytes, num_files = growth(service, name, num_episodes)
        assert num_bytes < MAX_GROWTH_BYTES
        assert num_files <= 1  # a connection that is kept alive


@pytest.mark.parametrize("is_batched", [True, False])
def test_hundreds_of_episodes_are_live_at_a_time(tmp_path: Path, is_batched: bool) -> None:
    with serving(tmp_path, "textcraft") as service:
        play(RemoteScenario(service.url, batch=is_batched), 0, 600, max_live=600)
        assert service.num_open() == 0
