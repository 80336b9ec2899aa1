"""A game of one's own as a scenario: what `CustomScenario` adds, and what it refuses."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

import pytest

from sojourn.envs.contract import EnvContract
from sojourn.envs.custom import CustomScenario, Game
from sojourn.envs.protocol import ListsCommands, Oracle, Scenario
from sojourn.errors import ConfigError, DataError, EnvError
from sojourn.types import StepResult, Task


class Count:
    """Say the numbers from 1 up to the task's, one a turn. Command: say N."""

    closed = 0

    def __init__(self, task: Task, step: int = 1) -> None:
        self.last, self.goal, self.step = 0, task.seed % 5 + 1, step

    def start(self) -> str:
        return f"Count to {self.goal}."

    def commands(self) -> list[str]:
        return [f"say {n}" for n in range(1, 40)]

    def act(self, command: str) -> StepResult | str:
        said = int(command.removeprefix("say "))
        if said != self.last + self.step:
            return f"After {self.last} does not come {said}."
        self.last = said
        if said < self.goal:
            return StepResult(observation="Go on.")
        return StepResult(observation="Done.", reward=1.0, terminated=True, success=True)

    def expert(self) -> str | None:
        return f"say {self.last + self.step}"

    def close(self) -> None:
        type(self).closed += 1


class Echo:
    """Say anything; word is bye."""

    def __init__(self, task: Task) -> None:
        self.word = task.task_id

    def start(self) -> str:
        return "Speak."

    def act(self, command: str) -> StepResult | str:
        if command == self.word:
            return StepResult(observation="Yes.", reward=1.0, terminated=True, success=True)
        return StepResult(observation="What?", info={"invalid": True}) if not command.isalpha() else "Go on."


def counting(**options: Any) -> CustomScenario:
    return CustomScenario(**({"env_id": "count-v1", "game": Count, "example_command": "say 1"} | options))


class TestCounting(EnvContract):
    memory_episodes = 40

    def make_scenario(self) -> Scenario:
        return counting()


def test_the_docstring_tells_the_rules_unless_there_are_others():
    assert counting().instructions.startswith("Say the numbers")
    assert counting(instructions="Count.").instructions == "Count."
    with pytest.raises(ConfigError, match="docstring"):
        counting(game=type("Silent", (), {}))


def test_tasks_are_made_when_asked_for():
    scenario = counting(category=lambda seed: "even" if seed % 2 == 0 else "odd")
    tasks = scenario.tasks("train")
    assert len(tasks) == 999_800
    assert tasks[-1] == Task(env_id="count-v1", task_id="999999", split="train", seed=999_999, category="odd")
    assert [task.task_id for task in tasks[1:3]] == ["201", "202"]
    with pytest.raises(IndexError):
        tasks[999_800]
    assert len(scenario.panel("train").tasks) == 100


def test_tasks_may_have_names_and_a_game_no_list():
    scenario = counting(
        game=Echo, seeds={"train": ["hello", "world"], "validation": ["again"], "test": ["bye"]}, panel_tasks=1
    )
    assert [task.task_id for task in scenario.tasks("train")] == ["hello", "world"]
    assert [task.task_id for task in scenario.panel("train").tasks] == ["hello"]
    env = scenario.make()
    assert not isinstance(env, ListsCommands)
    with pytest.raises(ConfigError, match="expert"):
        scenario.oracle(env)

    async def played() -> list[StepResult]:
        await env.reset(scenario.tasks("test")[0])
        results = [await env.step(action) for action in ("so", "!", " bye ")]
        with pytest.raises(EnvError, match="over"):
            await env.step("so")
        return results

    plain, refused, won = asyncio.run(played())
    assert (plain.observation, plain.reward, plain.terminated) == ("Go on.", 0, False)
    assert refused.info == {"invalid": True}
    assert (won.reward, won.success) == (1.0, True)


def test_a_partial_is_a_game_with_options():
    scenario = counting(game=partial(Count, step=2))
    env = scenario.make()
    oracle: Oracle = scenario.oracle(env)

    async def first() -> str | None:
        await env.reset(scenario.tasks("test")[0])
        return await oracle.next_action()

    assert isinstance(env, ListsCommands)
    assert asyncio.run(first()) == "say 2"


def test_a_command_that_is_not_listed_is_not_carried_out():
    async def said() -> tuple[StepResult, StepResult]:
        env = counting().make()
        await env.reset(counting().tasks("test")[4])
        return await env.step("say it"), await env.step("\tsay 1\n")

    refused, counted = asyncio.run(said())
    assert refused.observation.startswith("Expected one of: say 1 | say 2")
    assert refused.observation.endswith("| …")
    assert not counted.info


def test_what_a_game_holds_is_freed_once():
    async def closed() -> int:
        before = Count.closed
        env = counting().make()
        await env.close()
        env = counting().make()
        await env.reset(counting().tasks("test")[0])
        await env.close()
        await env.close()
        return Count.closed - before

    assert asyncio.run(closed()) == 1


@pytest.mark.parametrize(
    ("seeds", "said"),
    [
        ({"train": range(10), "test": range(9, 20)}, "task 9 is in two splits, train and test"),
        ({"train": [1, 2], "test": [3, 2]}, "task 2 is in two splits"),
        ({"train": range(10**9), "test": range(10**9, 10**9 + 5), "validation": [7]}, "task 7"),
        ({"train": [], "test": [1]}, "is empty"),
    ],
)
def test_splits_do_not_overlap(seeds: dict[str, Any], said: str):
    with pytest.raises(ConfigError, match=said):
        counting(seeds=seeds)


def test_foreign_tasks_and_splits_are_refused():
    with pytest.raises(ConfigError, match="did you mean 'train'"):
        counting().tasks("trian")
    foreign = Task(env_id="other-v1", task_id="1", split="train", seed=1)
    with pytest.raises(DataError, match="count-v1"):
        asyncio.run(counting().make().reset(foreign))


def test_the_examples_here_are_games():
    task = Task(env_id="count-v1", task_id="1", split="train", seed=1)
    games: list[Game] = [Count(task), Echo(task)]
    assert all(game.start() for game in games)
