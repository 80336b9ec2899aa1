"""Fault injection injects what it says, as often as it says, and nothing else."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from sojourn.envs.faulty import Faulty
from sojourn.errors import ConfigError, EnvError

BUTTONS = "tests.toys:Buttons"


async def faults_of(scenario: Faulty, count: int) -> int:
    """How many of `count` resets failed."""
    failed = 0
    for task in list(scenario.tasks("train"))[:1] * count:
        env = scenario.make()
        try:
            await env.reset(task)
        except EnvError:
            failed += 1
        await env.close()
    return failed


def test_calls_fail_as_often_as_was_asked_for_and_the_same_ones_each_time() -> None:
    found = [asyncio.run(faults_of(Faulty(BUTTONS, p_error=0.2, seed=1), 500)) for _ in range(2)]
    assert found[0] == found[1]
    assert 70 <= found[0] <= 130
    assert asyncio.run(faults_of(Faulty(BUTTONS), 50)) == 0


def test_a_hang_lasts_until_a_deadline_ends_it() -> None:
    scenario = Faulty(BUTTONS, p_hang=1.0)

    async def hang() -> None:
        async with asyncio.timeout(0.02):
            await scenario.make().reset(scenario.tasks("train")[0])

    with pytest.raises(TimeoutError):
        asyncio.run(hang())


def test_now_and_then_a_call_is_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []

    async def noted(seconds: float) -> None:
        pauses.append(seconds)

    monkeypatch.setattr("sojourn.envs.faulty.asyncio.sleep", noted)
    asyncio.run(faults_of(Faulty(BUTTONS, step_s=0.1, p_slow=0.1, slow_factor=50), 500))
    assert set(pauses) == {0.1, 5.0}
    assert 25 <= pauses.count(5.0) <= 80
    assert len(pauses) == 500


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"p_error": 0.6, "p_die": 0.6}, "chances that sum to at most 1"),
        ({"p_error": -0.1}, "chances that sum to at most 1"),
        ({"step_s": -1.0}, "a time, a chance and a factor"),
        ({"p_slow": 1.5}, "a time, a chance and a factor"),
        ({"slow_factor": 0.5}, "a time, a chance and a factor"),
    ],
)
def test_what_makes_no_sense_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Faulty(BUTTONS, **options)
