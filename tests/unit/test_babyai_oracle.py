"""BabyAI's oracle: minigrid's bot, bounded, in commands; tests/contract has it solve every level."""

from __future__ import annotations

import asyncio

import pytest

pytest.importorskip("minigrid")

from sojourn.envs.babyai import LEVELS, BabyAI
from sojourn.envs.babyai.bot import MAX_SUBGOALS, LostError, _Subgoals, plan_from, state_of
from sojourn.envs.babyai.simulator import Simulator
from sojourn.types import Task


async def turns_of_oracle(level: int, seed: int, detour: bool = False) -> int | None:
    scenario = BabyAI()
    env = scenario.make()
    await env.reset(Task(env_id=scenario.env_id, task_id=str(seed * 40 + level - 1), split="test", seed=seed))
    oracle = scenario.oracle(env)
    for turn in range(1, 100):
        if detour and turn % 3 == 0:
            await env.step("turn left")
        action = await oracle.next_action()
        if action is None:
            return None
        assert action in await env.admissible_commands()
        result = await env.step(action)
        if result.terminated or result.truncated:
            assert result.success
            return turn
    return None


def test_it_finds_back_after_foreign_turns() -> None:
    assert all(asyncio.run(turns_of_oracle(level, 2, detour=True)) is not None for level in (6, 12, 18, 22, 28))


def test_a_bot_in_circles_is_stopped_by_counting() -> None:
    subgoals = _Subgoals()
    for _ in range(MAX_SUBGOALS):
        subgoals.append(None)
        subgoals.pop()
    with pytest.raises(LostError):
        subgoals.append(None)


def test_a_mission_without_a_way_has_no_plan() -> None:
    """In this layout the key lies in the room that it unlocks."""
    simulator = Simulator(LEVELS[23], 212)
    assert plan_from(simulator, known=(1 << len(simulator.cells)) - 1)[0] == []


def test_planning_leaves_the_episode_alone() -> None:
    simulator = Simulator(LEVELS[11], 5)
    before, steps = state_of(simulator), simulator.level.step_count
    actions, states = plan_from(simulator, known=0)
    assert actions
    assert len(states) == len(actions) + 1
    assert (state_of(simulator), simulator.level.step_count) == (before, steps)
