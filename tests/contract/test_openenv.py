"""Our client of OpenEnv on real servers of the package ``openenv``.

The package brings a hundred others, so it is not among the test tools: it may live in an environment of its own, whose
Python SOJOURN_OPENENV_PYTHON names.
"""

from __future__ import annotations

import asyncio
import http.server
import os
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from tests.contract.served_process import address, ended

from sojourn.envs.contract import EnvContract
from sojourn.envs.protocol import Env, ListsCommands, Scenario
from sojourn.errors import ConfigError, DataError, EnvError
from sojourn.policy.scripted import RandomAgent
from sojourn.rollout.episode import EpisodeLimits, run_episode
from sojourn.service.openenv import OpenEnvScenario
from sojourn.types import StepResult, StopReason, Task

SERVER = Path(__file__).with_name("openenv_server.py")
INSTALL = "python -m venv .openenv && .openenv/bin/pip install openenv==0.10.0"


@cache
def openenv_python() -> str:
    found = os.environ.get("SOJOURN_OPENENV_PYTHON") or (sys.executable if find_spec("openenv") else None)
    if found is None:
        pytest.skip(f"needs the package openenv: {INSTALL}, then SOJOURN_OPENENV_PYTHON=.openenv/bin/python")
    return found


@contextmanager
def openenv(kind: str, capacity: int = 64) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    command = [openenv_python(), str(SERVER), kind, str(capacity)]
    with ended(subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)) as process:
        yield address(process), process


@pytest.fixture(scope="module")
def guess_url() -> Iterator[str]:
    with openenv("guess") as (url, _):
        yield url


@pytest.fixture(scope="module")
def talk_url() -> Iterator[str]:
    with openenv("talk") as (url, _):
        yield url


@asynccontextmanager
async def episode(scenario: Scenario, index: int = 0) -> AsyncIterator[tuple[Env, StepResult]]:
    env = scenario.make()
    try:
        yield env, await env.reset(scenario.tasks("train")[index])
    finally:
        await env.close()


def play(scenario: Scenario, *actions: str) -> list[StepResult]:
    async def played() -> list[StepResult]:
        async with episode(scenario) as (env, first):
            return [first, *[await env.step(action) for action in actions]]

    return asyncio.run(played())


class TestGuess(EnvContract):
    """The contract, on a server that lists its tasks and its legal actions."""

    memory_episodes = 40

    @pytest.fixture(autouse=True)
    def _at(self, guess_url: str) -> None:
        self.url = guess_url

    def make_scenario(self) -> Scenario:
        return OpenEnvScenario(url=self.url, tasks="server", commands_field="legal", observation_fields=["said"])

    def test_the_oracle_solves_and_is_paid_once(self) -> None:
        with pytest.raises(ConfigError, match="no oracle"):
            self.make_scenario().oracle(self.make_scenario().make())


def test_the_server_says_who_it_is(guess_url: str):
    scenario = OpenEnvScenario(url=guess_url)
    assert scenario.env_id == "openenv-guess-it-v1.2.0"
    assert scenario.instructions.startswith("Find the number below 20.")
    assert scenario.example_command == "0"
    assert [len(scenario.tasks(split)) for split in ("train", "validation", "test")] == [10_000, 100, 100]
    assert not isinstance(scenario.make(), ListsCommands)


def test_tasks_of_the_server_are_split_without_overlap(guess_url: str):
    scenario = OpenEnvScenario(url=guess_url, tasks="server")
    named = [{task.task_id for task in scenario.tasks(split)} for split in ("train", "validation", "test")]
    assert [len(names) for names in named] == [27, 3, 10]
    assert len(set.union(*named)) == 40


def test_the_task_reaches_the_server(guess_url: str):
    by_seed = play(OpenEnvScenario(url=guess_url, observation_fields=["said"], seeds=seeds(41)))[0]
    assert by_seed.observation == "Guess. (None, None, 41)"
    by_index = play(OpenEnvScenario(url=guess_url, observation_fields=["said"], tasks="server"))[0]
    assert by_index.observation.startswith("Guess. (train, ")


def seeds(first: int) -> dict[str, list[int]]:
    return {"train": [first, first + 5], "validation": [0, 5], "test": [10, 20]}


def test_an_episode_is_won(guess_url: str):
    scenario = OpenEnvScenario(url=guess_url, observation_fields=["said"])

    async def guessed(index: int) -> list[StepResult]:
        """By halves: five guesses at most."""
        low, high = 0, 19
        async with episode(scenario, index) as (env, _):
            results = [await env.step(str((low + high) // 2))]
            while not results[-1].terminated:
                middle = (low + high) // 2
                low, high = (middle + 1, high) if results[-1].observation == "More." else (low, middle - 1)
                results.append(await env.step(str((low + high) // 2)))
            with pytest.raises(EnvError, match="over"):
                await env.step("0")
        return results

    for index in range(5):
        *before, won = asyncio.run(guessed(index))
        assert (won.reward, won.terminated, won.success, won.observation) == (1.0, True, True, "Right.")
        assert [(result.reward, result.success) for result in before] == [(0.0, None)] * len(before)


def test_the_limit_of_the_environment_is_a_cut(guess_url: str):
    cut = play(OpenEnvScenario(url=guess_url), *["-1"] * 12)[-1]
    assert (cut.reward, cut.terminated, cut.truncated, cut.success) == (0.0, False, True, False)


def test_random_play_through_the_agent_loop(guess_url: str):
    scenario = OpenEnvScenario(url=guess_url, commands_field="legal")
    trajectory = asyncio.run(
        run_episode(
            scenario.make(),
            RandomAgent().begin(session_id="s", seed=1),
            scenario.tasks("train")[3],
            horizon=30,
            limits=EpisodeLimits(),
        )
    )
    assert trajectory.stop_reason in (StopReason.TERMINATED, StopReason.ENV_TRUNCATED)
    assert not any(turn.result.info.get("invalid") for turn in trajectory.turns)


@pytest.mark.parametrize(
    ("options", "action", "heard"),
    [
        ({}, "hi", "heard: hi\ntone: flat\ncount: 1"),
        ({"action_constants": {"tone": "high"}}, "hi", "heard: hi\ntone: high\ncount: 1"),
        ({"action_json": True}, '{"text": "a", "tone": "low"}', "heard: a\ntone: low\ncount: 1"),
        ({"actions": {"greet": {"text": "hello"}}, "observation_fields": ["heard"]}, "greet", "hello"),
        ({"observation_fields": ["heard"]}, "", "(nothing)"),
        ({"observation_fields": ["heard"]}, "\ud800 生活", "? 生活"),
    ],
)
def test_commands_become_actions_and_observations_texts(
    talk_url: str, options: dict[str, Any], action: str, heard: str
):
    assert play(OpenEnvScenario(url=talk_url, **options), action)[-1].observation == heard


@pytest.mark.parametrize("action", ["text", "[1]", '{"txt": "a"}', '{"text": 5}', "{}"])
def test_what_is_no_action_is_an_observation_and_the_episode_goes_on(talk_url: str, action: str):
    refused, after = play(OpenEnvScenario(url=talk_url, action_json=True), action, '{"text": "half"}')[1:]
    assert (refused.info, refused.reward, refused.terminated) == ({"invalid": True}, 0, False)
    assert (after.reward, "count: 1" in after.observation) == (0.5, True)


def test_success_is_what_the_user_says_and_is_known_at_the_end(talk_url: str):
    half = OpenEnvScenario(url=talk_url, success_return=0.5)
    assert [result.success for result in play(half, "half", "bye")] == [None, None, True]
    assert play(OpenEnvScenario(url=talk_url), "half", "bye")[-1].success is False


def test_constants_of_the_reset_reach_the_server(talk_url: str):
    scenario = OpenEnvScenario(url=talk_url, reset_constants={"mood": "merry"}, observation_fields=["heard"])
    assert play(scenario)[0].observation == "I am merry."


@pytest.mark.parametrize(("action", "said"), [("crash", "the environment broke"), ("hang", "within 0.5 s")])
def test_a_failing_environment_is_a_failure_and_never_a_reward(talk_url: str, action: str, said: str):
    scenario = OpenEnvScenario(url=talk_url, timeout_s=0.5 if action == "hang" else 20)
    with pytest.raises(EnvError, match=said):
        play(scenario, "half", action)


def test_a_server_that_dies_is_a_failure():
    async def killed(process: subprocess.Popen[str], scenario: Scenario) -> None:
        async with episode(scenario) as (env, _):
            process.kill()
            await env.step("hi")

    with openenv("talk") as (url, process):
        scenario = OpenEnvScenario(url=url, timeout_s=20)
        with pytest.raises(EnvError, match="connection was lost"):
            asyncio.run(killed(process, scenario))
        with pytest.raises(EnvError, match="cannot connect"):
            play(scenario)


def test_a_full_server_is_waited_for_until_the_deadline():
    with openenv("guess", capacity=2) as (url, _):
        scenario = OpenEnvScenario(url=url, timeout_s=20)

        async def one(index: int) -> str:
            async with episode(scenario, index) as (env, _):
                await asyncio.sleep(0.05)
                return (await env.step("5")).observation

        async def many() -> int:
            return len(await asyncio.gather(*(one(index) for index in range(12))))

        assert [asyncio.run(many()) for _ in range(2)] == [12, 12]

        async def too_many() -> None:
            short = OpenEnvScenario(url=url, timeout_s=1)
            async with episode(scenario), episode(scenario), episode(short):
                raise AssertionError("a third session on a server of two")

        with pytest.raises(EnvError, match="reset: no answer within 1 s"):
            asyncio.run(too_many())


def test_what_is_wrong_is_said_at_once(guess_url: str, talk_url: str):
    with pytest.raises(ConfigError, match="no OpenEnv server answers at"):
        OpenEnvScenario(url="http://127.0.0.1:9")
    with pytest.raises(ConfigError, match="expected a url"):
        OpenEnvScenario(url="guess")
    with pytest.raises(ConfigError, match="fields text, tone; got txt"):
        OpenEnvScenario(url=talk_url, action_field="txt")
    with pytest.raises(ConfigError, match="501"):
        OpenEnvScenario(url=talk_url, tasks="server")
    with pytest.raises(ConfigError, match="overlap"):
        OpenEnvScenario(url=guess_url, seeds=seeds(3))
    with pytest.raises(ConfigError, match="leave out one"):
        OpenEnvScenario(url=guess_url, seeds=seeds(50), tasks="server")
    scenario = OpenEnvScenario(url=guess_url)
    task = Task(env_id=scenario.env_id, task_id="seed-1", split="train", seed=2)
    with pytest.raises(DataError, match="expected a task of"):
        asyncio.run(scenario.make().reset(task))


def test_another_kind_of_server_is_noticed(tmp_path: Path):
    class Files(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Files) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            with pytest.raises(ConfigError, match="404"):
                OpenEnvScenario(url=f"http://127.0.0.1:{server.server_address[1]}")
        finally:
            server.shutdown()
            thread.join()
