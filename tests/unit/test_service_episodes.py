"""The table of episodes, with real environments in this process."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest
from tests.faulty import COMMANDS, Faulty, LightFaulty
from tests.services import task_of

from sojourn.envs.textcraft import TextCraft
from sojourn.service import episodes
from sojourn.service.episodes import EpisodeTable
from sojourn.service.room import Room
from sojourn.service.wire import MAX_ACTION_CHARS, Code, ServiceError

TASK = task_of("faulty-v1")
CRAFT = TextCraft().tasks("test")[0]


def table(capacity: int = 4, lease_s: float = 30.0) -> EpisodeTable:
    hosts = {"faulty": Room(LightFaulty()), "textcraft": Room(TextCraft())}
    return EpisodeTable(hosts, capacity=capacity, lease_s=lease_s)


async def refused(call: Awaitable[Any]) -> Code:
    with pytest.raises(ServiceError) as caught:
        await call
    return caught.value.code


def runs(test: Callable[[], Awaitable[None]]) -> Callable[[], None]:
    """A test that is a coroutine."""

    def run() -> None:
        asyncio.run(test())  # type: ignore[arg-type]

    run.__name__ = test.__name__
    return run


@runs
async def test_an_episode_is_played_to_its_end_and_closed() -> None:
    open_ones = table()
    first = await open_ones.start("faulty", TASK, commands=True)
    assert (first.step().observation, first.step().commands) == ("Ready.", list(COMMANDS))
    second = await open_ones.step(first.episode_id, 1, "go")
    assert (second.step().observation, second.step().commands) == ("Step 1: go.", None)
    last = await open_ones.step(first.episode_id, None, "finish", commands=True)
    assert (last.step().reward, last.step().terminated, last.step().commands) == (1.0, True, [])
    assert json.loads((await open_ones.commands(first.episode_id)).body) == {"commands": []}
    assert await refused(open_ones.step(first.episode_id, 3, "go")) is Code.EPISODE_OVER
    assert await refused(open_ones.oracle(first.episode_id)) is Code.EPISODE_OVER
    assert len(open_ones) == 1
    open_ones.close(first.episode_id)
    open_ones.close(first.episode_id)
    assert len(open_ones) == 0
    assert await refused(open_ones.step(first.episode_id, 3, "go")) is Code.UNKNOWN_EPISODE


@runs
async def test_the_same_index_gives_the_same_answer_and_acts_once() -> None:
    open_ones = table()
    first = await open_ones.start("faulty", TASK, episode_id="chosen-by-me")
    assert await open_ones.start("faulty", TASK, episode_id="chosen-by-me") == first
    assert await refused(open_ones.start("faulty", replace(TASK, seed=1), episode_id="chosen-by-me")) is (
        Code.EPISODE_EXISTS
    )
    answers = await asyncio.gather(*(open_ones.step("chosen-by-me", 1, "go") for _ in range(3)))
    assert len(set(answers)) == 1
    assert await refused(open_ones.step("chosen-by-me", 1, "finish")) is Code.WRONG_INDEX
    assert await refused(open_ones.step("chosen-by-me", 3, "go")) is Code.WRONG_INDEX
    assert (await open_ones.step("chosen-by-me", 2, "go")).step().observation == "Step 2: go."
    assert await refused(open_ones.step("chosen-by-me", 1, "go")) is Code.WRONG_INDEX  # older answers are not kept
    assert await refused(open_ones.start("faulty", TASK, episode_id="chosen-by-me")) is Code.EPISODE_EXISTS
    assert open_ones.num_steps("chosen-by-me") == 2


@runs
async def test_the_last_answer_can_be_asked_for_again_after_the_end() -> None:
    open_ones = table()
    episode_id = (await open_ones.start("faulty", TASK)).episode_id
    end = await open_ones.step(episode_id, 1, "finish")
    assert await open_ones.step(episode_id, 1, "finish") == end


@runs
async def test_a_repeated_call_waits_for_the_first_and_calls_of_one_episode_do_not_overlap() -> None:
    open_ones = table()
    episode_id = (await open_ones.start("faulty", TASK)).episode_id
    waiting = [asyncio.create_task(open_ones.step(episode_id, 1, "wait")) for _ in range(2)]
    behind = asyncio.create_task(open_ones.commands(episode_id))
    await asyncio.sleep(0.05)
    assert not any(task.done() for task in [*waiting, behind])
    for task in [*waiting, behind]:
        task.cancel()
    await asyncio.wait([*waiting, behind])


@runs
async def test_steps_that_are_said_ahead_are_done_in_their_order_up_to_the_end() -> None:
    open_ones = table()
    episode_id = (await open_ones.start("faulty", TASK)).episode_id
    said = [open_ones.step(episode_id, n, action) for n, action in enumerate(("go", "go", "finish"), 1)]
    answers = await asyncio.gather(*said)
    assert [answer.step().observation for answer in answers] == ["Step 1: go.", "Step 2: go.", "Step 3: finish."]


@runs
async def test_an_expert_is_asked_once_a_state() -> None:
    open_ones = table()
    episode_id = (await open_ones.start("textcraft", CRAFT)).episode_id
    plan = await open_ones.oracle(episode_id)
    assert await open_ones.oracle(episode_id) == plan
    index = 0
    while True:
        index += 1
        action = json.loads((await open_ones.oracle(episode_id)).body)["action"]
        answer = (await open_ones.step(episode_id, index, action)).step()
        if answer.terminated:
            assert answer.success
            return


@runs
async def test_what_is_refused_says_why() -> None:
    open_ones = table(capacity=1)
    assert await refused(open_ones.start("nothing", TASK)) is Code.UNKNOWN_ENV
    assert await refused(open_ones.start("faulty", CRAFT)) is Code.BAD_TASK
    assert await refused(open_ones.start("faulty", replace(TASK, task_id="unstartable"))) is Code.ENV_FAILED
    assert len(open_ones) == 0  # what could not be started takes no place
    episode_id = (await open_ones.start("faulty", TASK)).episode_id
    assert await refused(open_ones.start("faulty", TASK)) is Code.FULL
    assert await refused(open_ones.step(episode_id, 1, "x" * (MAX_ACTION_CHARS + 1))) is Code.ACTION_TOO_LONG
    assert (await open_ones.step(episode_id, 1, "x" * MAX_ACTION_CHARS)).step().info == {"invalid": True}
    assert await refused(open_ones.oracle(episode_id)) is Code.NO_ORACLE
    assert await refused(open_ones.step(episode_id, 2, "fail")) is Code.ENV_FAILED
    assert await refused(open_ones.step(episode_id, 2, "fail")) is Code.ENV_FAILED
    assert await refused(open_ones.commands(episode_id)) is Code.ENV_FAILED
    assert len(open_ones) == 0
    open_ones.is_draining = True
    assert await refused(open_ones.start("faulty", TASK)) is Code.DRAINING


@runs
async def test_a_lease_is_renewed_by_every_call_and_ends_without() -> None:
    open_ones = table(lease_s=0.3)
    reaper = asyncio.create_task(open_ones.run_reaper())
    kept = (await open_ones.start("faulty", TASK)).episode_id
    left = (await open_ones.start("faulty", TASK)).episode_id
    for index in range(1, 8):
        await asyncio.sleep(0.1)
        await open_ones.step(kept, index, "go")
    assert await refused(open_ones.step(left, 1, "go")) is Code.LEASE_EXPIRED
    assert len(open_ones) == 1
    await asyncio.sleep(0.5)
    assert await refused(open_ones.commands(kept)) is Code.LEASE_EXPIRED
    reaper.cancel()


@runs
async def test_a_call_that_runs_longer_than_the_lease_keeps_its_episode() -> None:
    open_ones = table(lease_s=0.1)
    reaper = asyncio.create_task(open_ones.run_reaper())
    episode_id = (await open_ones.start("faulty", TASK)).episode_id
    waiting = asyncio.create_task(open_ones.step(episode_id, 1, "wait"))
    await asyncio.sleep(0.4)
    assert len(open_ones) == 1
    reaper.cancel()
    waiting.cancel()


@runs
async def test_why_an_episode_ended_is_remembered_but_not_for_ever() -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(episodes, "_REMEMBERED", 3)
        open_ones = table()
        ids = []
        for _ in range(5):
            ids.append((await open_ones.start("faulty", TASK)).episode_id)
            await refused(open_ones.step(ids[-1], 1, "fail"))
        codes = [await refused(open_ones.step(episode_id, 1, "fail")) for episode_id in ids]
        assert codes == [Code.UNKNOWN_EPISODE] * 2 + [Code.ENV_FAILED] * 3


@runs
async def test_a_drain_waits_for_live_episodes_up_to_its_deadline() -> None:
    open_ones = table()
    episode_id = (await open_ones.start("faulty", TASK)).episode_id
    assert await open_ones.drain(0.1) == 1
    draining = asyncio.create_task(open_ones.drain(30))
    await open_ones.step(episode_id, 1, "finish")
    open_ones.close(episode_id)
    assert await draining == 0


@runs
async def test_a_room_says_what_its_scenario_offers() -> None:
    for scenario, expected in ((TextCraft(), True), (Faulty(), False)):
        reply = await Room(scenario).ask(episodes.Request("describe"))
        assert json.loads(reply.body) == {"lists_commands": True, "has_oracle": expected}
