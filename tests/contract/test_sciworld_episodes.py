"""SciWorld's episodes, played in the simulator: their life, words, rewards and expert."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

pytest.importorskip("scienceworld")

from sojourn.envs.catalog import load_scenario
from sojourn.envs.contract import check_result
from sojourn.envs.sciworld import KINDS, SciWorld, close_pools
from sojourn.errors import EnvError
from sojourn.types import StepResult, Task


@pytest.fixture(scope="module", autouse=True)
def _no_jvm_is_left() -> Iterator[None]:
    yield
    close_pools()


def play(scenario: SciWorld, task_id: str, actions: list[str]) -> list[StepResult]:
    """The results of a reset and of `actions`."""

    async def run() -> list[StepResult]:
        env = scenario.make()
        task = Task(env_id=scenario.env_id, task_id=task_id, split="test", seed=0)
        results = [await env.reset(task)]
        results += [await env.step(action) for action in actions]
        await env.close()
        return results

    return asyncio.run(run())


def test_the_first_observation_is_the_task_and_a_look_around() -> None:
    (first,) = play(SciWorld(num_jvms=1), "boil/2", [])
    assert first.observation.startswith("Your task is to boil water.")
    assert "\nThis room is called the kitchen. In it, you see:" in first.observation
    assert first.info == {"score": 0}


def test_a_wrong_focus_ends_the_episode_with_its_penalty() -> None:
    results = play(SciWorld(num_jvms=1), "boil/2", ["focus on painting"])
    assert (results[-1].terminated, results[-1].success, results[-1].info["score"]) == (True, False, -100)
    assert results[-1].reward == -1.0


@pytest.mark.parametrize(
    ("reward", "paid"), [("progress", [-1.0, 0.5]), ("gains", [0.0, 0.5]), ("success", [0.0, 0.0])]
)
def test_rewards_are_progress_gains_or_success(reward: str, paid: list[float]) -> None:
    scenario = load_scenario("sciworld", {"num_jvms": 1, "reward": reward, "simplifications": "easy"})
    assert isinstance(scenario, SciWorld)
    (_, wrong) = play(scenario, "lifespan-longest-lived/4", ["focus on air"])
    assert (wrong.terminated, wrong.success, wrong.info["score"]) == (True, False, -100)
    way = play(scenario, "lifespan-longest-lived/4", ["teleport to outside", "look around"])
    assert [wrong.reward, way[1].reward] == paid
    solved = play(scenario, "lifespan-longest-lived/3", ["teleport to outside", "focus on egg parrot"])
    assert sum(result.reward for result in solved) == 1.0
    assert (solved[-1].success, solved[-1].reward == 1.0) == (True, reward == "success")


def test_nothing_follows_the_end() -> None:
    with pytest.raises(EnvError, match="over"):
        play(SciWorld(num_jvms=1), "boil/2", ["focus on painting", "reset task"])


def test_an_ambiguous_command_is_a_question_that_a_number_or_another_command_answers() -> None:
    scenario = SciWorld(num_jvms=1)
    walk = ["open door to hallway", "go to hallway"]
    asked, refused, chosen = play(scenario, "boil/2", [*walk, "focus on door", "77", "0"])[-3:]
    assert asked.observation.startswith("Ambiguous request")
    assert "or another action" in asked.observation
    assert asked.info == {"score": 0, "num_choices": 6}
    assert refused.info["invalid"]
    assert chosen.terminated  # the question was still open, and a door is the wrong focus
    asked, refused, other, after = play(scenario, "boil/2", [*walk, "open door", "sing", "look around", "0"])[-4:]
    assert refused.info["invalid"]
    assert other.observation.startswith("This room is called the hallway")
    assert after.info["invalid"]  # nothing is asked any more


def test_the_choices_are_the_commands_while_a_question_is_open() -> None:
    scenario = SciWorld(num_jvms=1, listed_verbs=["look around"])

    async def listed() -> list[tuple[str, ...]]:
        env = scenario.make()
        await env.reset(Task(env_id=scenario.env_id, task_id="boil/2", split="train", seed=0))
        seen = [tuple(await env.admissible_commands())]
        await env.step("open door")
        seen.append(tuple(await env.admissible_commands()))
        await env.step("look around")
        seen.append(tuple(await env.admissible_commands()))
        await env.close()
        return seen

    assert asyncio.run(listed()) == [("look around",), ("0", "1", "2"), ("look around",)]


def test_listed_verbs_are_whole_words_and_confine_only_the_list() -> None:
    scenario = SciWorld(num_jvms=1, listed_verbs=["look", "wait", "focus on"])

    async def listed() -> None:
        env = scenario.make()
        await env.reset(Task(env_id=scenario.env_id, task_id="boil/2", split="train", seed=0))
        commands = await env.admissible_commands()
        assert {command.split()[0] for command in commands} == {"look", "wait", "focus"}
        assert "wait1" not in commands
        assert not (await env.step("open door to hallway")).info.get("invalid")
        await env.close()

    asyncio.run(listed())


def test_the_environments_own_limit_truncates() -> None:
    results = play(SciWorld(num_jvms=1, max_steps=2), "boil/2", ["look around", "nonsense"])
    assert [result.truncated for result in results] == [False, False, True]
    assert results[-1].info["invalid"]


def test_refused_commands_do_not_move_chance() -> None:
    scenario, walk = SciWorld(num_jvms=1), ["wait", "look around", "wait1"]
    between = [word for action in walk for word in ("nonsense", "", action)]
    results = play(scenario, "grow-fruit/2", between)
    assert [r for r in results if not r.info.get("invalid")] == play(scenario, "grow-fruit/2", walk)


@pytest.mark.slow
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.lists(
        st.one_of(
            st.text(max_size=30),
            st.sampled_from(
                [
                    "focus on",
                    "open door",
                    "0",
                    "1",
                    "99999999999999999999",
                    "pick up",
                    "mix",
                    "move air to air",
                    "go to",
                    "look in",
                    "connect agent to agent",
                    "eat agent",
                    "pour agent into inventory",
                    "activate",
                    "use lighter on",
                    "teleport to",
                ]
            ).flatmap(
                lambda verb: st.sampled_from(["", " air", " agent", " kitchen", " door", " in in", "\n"]).map(
                    verb.__add__
                )
            ),
        ),
        min_size=1,
        max_size=6,
    )
)
def test_no_action_makes_an_environment_fail(actions: list[str]) -> None:
    scenario = SciWorld(num_jvms=1)

    async def run() -> None:
        env = scenario.make()
        await env.reset(Task(env_id=scenario.env_id, task_id="boil/2", split="train", seed=0))
        for action in actions:
            result = await env.step(action)
            check_result(result)
            if result.terminated:
                break
        await env.close()

    asyncio.run(run())


@pytest.mark.slow
@pytest.mark.parametrize("name", KINDS)
def test_the_oracle_solves_every_task_of_scienceworld(name: str) -> None:
    scenario = SciWorld(num_jvms=1, tasks=[name])

    async def run() -> None:
        env = scenario.make()
        await env.reset(scenario.tasks("test")[0])
        rewards = []
        while (action := await scenario.oracle(env).next_action()) is not None:
            result = await env.step(action)
            assert not result.info.get("invalid"), action
            rewards.append(result.reward)
            if result.terminated:
                break
        assert (result.success, result.info["score"], sum(rewards)) == (True, 100, 1.0)
        await env.close()

    asyncio.run(run())


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="reads /proc")
def test_short_episodes_leave_no_memory_and_no_open_file() -> None:
    scenario = SciWorld(num_jvms=1, tasks=["lifespan-longest-lived"])
    tasks = scenario.tasks("train")

    async def episodes(count: int) -> int:
        pid = 0
        for number in range(count):
            env = scenario.make()
            await env.reset(tasks[number % len(tasks)])
            await env.step("look around")
            pid = env.jvm_pid or 0
            await env.close()
        return pid

    def held(pid: int) -> tuple[int, int, int]:
        pages = [int(Path(f"/proc/{p}/statm").read_text().split()[1]) for p in (os.getpid(), pid)]
        return pages[0], pages[1], len(os.listdir("/proc/self/fd"))

    python, java, files = held(asyncio.run(episodes(200)))
    pid = asyncio.run(episodes(300))
    python_after, java_after, files_after = held(pid)
    megabyte = (1 << 20) // os.sysconf("SC_PAGE_SIZE")
    assert python_after - python < 4 * megabyte
    assert java_after - java < 60 * megabyte  # its heap grows up to its limit, whatever is in it
    assert java_after < 420 * megabyte
    assert files_after == files
