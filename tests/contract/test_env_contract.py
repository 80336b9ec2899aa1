"""Every shipped environment keeps the contract; and the contract notices what breaks it."""

from __future__ import annotations

import asyncio

import pytest
from tests.shipped import shipped

from sojourn.envs.catalog import SHIPPED, load_scenario
from sojourn.envs.contract import (
    ContractViolation,
    EnvContract,
    check_commands,
    check_determinism,
    check_garbage,
    check_memory,
    check_oracle,
    sample_tasks,
)
from sojourn.envs.protocol import Scenario
from sojourn.envs.textcraft import TextCraft
from sojourn.envs.textcraft.env import TextCraftEnv
from sojourn.policy.scripted import OracleAgent
from sojourn.rollout.episode import EpisodeLimits
from sojourn.rollout.episodes import EpisodeSpec, run_episodes
from sojourn.types import StepResult, StopReason


class TestTextCraft(EnvContract):
    tasks_per_split = 8

    def make_scenario(self) -> Scenario:
        return load_scenario("textcraft")


class TestProceduralTextCraft(EnvContract):
    tasks_per_split = 8

    def make_scenario(self) -> Scenario:
        return load_scenario("textcraft-procedural", {"depth": [1, 4], "num_items": 20})


class TestBabyAI(EnvContract):
    tasks_per_split = 8
    memory_episodes = 40
    solved_share = 0.85  # minigrid's bot fails on some levels

    def make_scenario(self) -> Scenario:
        return load_scenario("babyai")


class TestSciWorld(EnvContract):
    tasks_per_split = 1  # a reset takes as long as that of fifty tasks of BabyAI
    memory_episodes = 20
    oracle_is_admissible = False  # it names things by longer names than the list does

    def make_scenario(self) -> Scenario:
        # every listed command is tried in an episode of its own: a few verbs are enough
        return load_scenario("sciworld", {"listed_verbs": ["go", "open", "pick up", "look around"]})


@pytest.mark.parametrize("name", SHIPPED)
def test_every_shipped_environment_is_solved_by_its_oracle(name: str) -> None:
    scenario = shipped(name)
    specs = [EpisodeSpec(task=scenario.panel("test").tasks[0], seed=0, session_id="0")]
    (outcome,) = asyncio.run(run_episodes(scenario, OracleAgent(), specs, horizon=200, limits=EpisodeLimits()))
    assert outcome.trajectory is not None
    assert (outcome.trajectory.stop_reason, outcome.trajectory.is_success) == (StopReason.TERMINATED, True)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "num_episodes"),
    [("textcraft", 10_000), ("textcraft-procedural", 10_000), ("babyai", 1_000), ("sciworld", 200)],
)
def test_memory_is_flat_over_many_episodes(name: str, num_episodes: int) -> None:
    check_memory(load_scenario(name), num_episodes=num_episodes)


class _Broken(TextCraftEnv):
    """A real environment with one promise broken at a time."""

    count = 0
    kept: list[str] = []  # noqa: RUF012 (shared on purpose: it leaks)
    fault = ""

    async def step(self, action: str) -> StepResult:
        type(self).count += 1
        if self.fault == "counts":
            return StepResult(observation=f"Call {self.count} of this process.")
        if self.fault == "leaks":
            self.kept.append("x" * 10_000 + str(self.count))
        if self.fault == "unending" and not self.is_live:
            return StepResult(observation="Again.", reward=1.0, success=True)
        return await super().step(action)

    async def admissible_commands(self) -> tuple[str, ...]:
        listed = tuple(await super().admissible_commands())
        return (*listed, "fly") if self.fault == "lies" else listed


class _BrokenScenario(TextCraft):
    def __init__(self, fault: str) -> None:
        super().__init__()
        self._env_class = type("_Broken", (_Broken,), {"fault": fault, "kept": []})

    def make(self) -> TextCraftEnv:
        env: TextCraftEnv = self._env_class(self.resolve, max_distractors=10, max_steps=None)
        return env


def test_the_contract_notices_results_that_depend_on_other_episodes() -> None:
    tasks = TextCraft().tasks("test")
    with pytest.raises(ContractViolation, match="another live episode"):
        check_determinism(lambda: _BrokenScenario("counts"), tasks[0], tasks[1])


def test_the_contract_notices_garbage_that_is_accepted() -> None:
    with pytest.raises(ContractViolation, match="invalid"):
        check_garbage(_BrokenScenario("counts"), TextCraft().tasks("test")[0])


def test_the_contract_notices_commands_that_are_refused() -> None:
    with pytest.raises(ContractViolation, match="fly"):
        check_commands(_BrokenScenario("lies"), TextCraft().tasks("test")[0])


def test_the_contract_notices_a_reward_that_is_paid_twice() -> None:
    with pytest.raises(ContractViolation, match="nothing is paid twice"):
        check_oracle(_BrokenScenario("unending"), TextCraft().tasks("test")[0])


def test_the_contract_notices_a_leak() -> None:
    with pytest.raises(ContractViolation, match="episodes hold"):
        check_memory(_BrokenScenario("leaks"), num_episodes=40)


def test_sampled_tasks_span_the_panel() -> None:
    sampled = sample_tasks(TextCraft(), "test", 4)
    assert [task.category for task in sampled] == ["Depth 1", "Depth 1", "Depth 2", "Depth 3"]
