"""BabyAI's levels, options, splits and panels; and one episode's life."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest

pytest.importorskip("minigrid")

from minigrid.envs.babyai.core import roomgrid_level

from sojourn.envs.babyai import CATEGORIES, LEVELS, PAPER_CATEGORIES, BabyAI
from sojourn.envs.babyai.simulator import Simulator
from sojourn.envs.catalog import load_scenario
from sojourn.errors import ConfigError, DataError, EnvError
from sojourn.types import Task


def task_of(scenario: BabyAI, level: int, seed: int) -> Task:
    return Task(env_id=scenario.env_id, task_id=str(seed * 40 + level - 1), split="test", seed=seed)


def test_there_are_40_levels_and_the_papers_six_categories() -> None:
    assert [level.number for level in LEVELS] == list(range(1, 41))
    assert len({level.name for level in LEVELS}) == 40
    counts = Counter(level.category for level in LEVELS)
    assert [counts[c] for c in PAPER_CATEGORIES] == [11, 5, 1, 1, 1, 1]
    assert set(counts) == set(CATEGORIES)
    names = {number: LEVELS[number - 1].name for number in (4, 12, 17, 22, 24, 30, 40)}
    assert names == {
        4: "GoToObjS4",
        12: "Open",
        17: "Pickup",
        22: "PutNextLocalS6N4",
        24: "Unlock",
        30: "ActionObjDoor",
        40: "BossLevelNoUnlock",
    }


@pytest.mark.parametrize("level", LEVELS, ids=lambda level: level.name)
def test_minigrid_builds_every_level(level: object) -> None:
    assert Simulator(level, 0).mission  # type: ignore[arg-type]


def test_levels_are_chosen_by_number_name_and_category() -> None:
    scenario = BabyAI(levels=[5, "GoToDoor", "BabyAI-OneRoomS20-v0"], categories=["GoTo"])
    assert [level.number for level in scenario.levels] == [5, 10]
    assert {task.category for task in scenario.tasks("train")[:50]} == {"GoTo"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"levels": ["GoToDor"]}, "did you mean 'GoToDoor'"),
        ({"levels": [41]}, "1 to 40"),
        ({"categories": ["goto"]}, "unknown BabyAI category"),
        ({"levels": [1], "categories": ["Open"]}, "leave no BabyAI level"),
        ({"style": "verbose"}, "known: agentgym, default"),
        ({"reward": "dense"}, "known: binary, time"),
        ({"speed": 1}, "refused options"),
    ],
)
def test_a_wrong_option_is_explained(options: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load_scenario("babyai", options)


def test_whatever_changes_trajectories_changes_the_id() -> None:
    ids = [BabyAI(style=s, reward=r).env_id for s in ("default", "agentgym") for r in (None, "binary", "time")]
    assert ids == [
        *("babyai-v1", "babyai-v1", "babyai-time-v1"),
        *("babyai-agentgym-v1", "babyai-agentgym-binary-v1", "babyai-agentgym-v1"),
    ]


def test_task_ids_are_agentgyms_data_ids_and_splits_are_ranges_of_seeds() -> None:
    scenario = BabyAI()
    test = scenario.tasks("test")
    assert len(test) == 40 * 100
    assert [task.task_id for task in test[:80]] == [str(number) for number in range(80)]
    assert (test[-1].task_id, test[-1].seed, test[-1].category) == ("3999", 99, "Boss")
    assert scenario.tasks("validation")[0].seed == 100
    assert scenario.tasks("train")[0].seed == 200
    assert len(scenario.tasks("train")) > 10**8
    with pytest.raises(IndexError):
        test[4000]
    with pytest.raises(ConfigError, match="known: test, train, validation"):
        scenario.tasks("dev")


def test_a_panel_has_five_seeds_a_level_or_a_hundred_tasks() -> None:
    assert len(BabyAI().panel("test").tasks) == 200
    assert len(BabyAI(levels=[1, 2, 3]).panel("validation").tasks) == 34 * 3
    assert {task.seed for task in BabyAI(levels=[7]).panel("test").tasks} == set(range(100))


def test_minigrid_is_quiet_when_a_layout_is_rejected(capfd: pytest.CaptureFixture[str]) -> None:
    assert roomgrid_level.print("Sampling rejected") is None
    for seed in range(20):
        Simulator(LEVELS[10], seed)
    captured = capfd.readouterr()
    assert captured.out == captured.err == ""


@pytest.mark.parametrize(
    "change", [{"env_id": "babyai-v0"}, {"task_id": "-1"}, {"task_id": "²"}, {"task_id": "9" * 5000}, {"seed": 3}]
)
def test_a_task_that_is_none_of_ours_is_refused(change: dict[str, object]) -> None:
    fields = {"env_id": "babyai-v1", "task_id": "2", "split": "test", "seed": 0, **change}
    with pytest.raises(DataError):
        asyncio.run(BabyAI().make().reset(Task(**fields)))  # type: ignore[arg-type]


def test_an_environment_is_used_once_and_silent_before_and_after() -> None:
    async def play() -> None:
        scenario = BabyAI()
        env = scenario.make()
        with pytest.raises(EnvError, match="reset first"):
            await env.step("turn left")
        await env.reset(task_of(scenario, 3, 0))
        with pytest.raises(EnvError, match="make a fresh one"):
            await env.reset(task_of(scenario, 3, 0))
        await env.close()
        await env.close()
        assert await env.admissible_commands() == ()
        with pytest.raises(EnvError):
            await env.step("turn left")

    asyncio.run(play())


def test_reward_is_one_at_success_or_minigrids_own() -> None:
    async def play(scenario: BabyAI) -> tuple[float, bool | None]:
        env = scenario.make()
        await env.reset(task_of(scenario, 5, 0))
        result = await env.step("go to green key 1")
        assert result.terminated
        return result.reward, result.success

    assert asyncio.run(play(BabyAI())) == (1.0, True)
    reward, success = asyncio.run(play(BabyAI(reward="time")))
    assert (round(reward, 6), success) == (round(1 - 0.9 * 3 / 64, 6), True)


def test_the_oracle_does_not_speak_the_agentgym_style() -> None:
    scenario = BabyAI(style="agentgym")
    with pytest.raises(ConfigError, match="does not speak"):
        scenario.oracle(scenario.make())


def test_instructions_are_short_and_name_no_action_format() -> None:
    for scenario in (BabyAI(), BabyAI(style="agentgym")):
        assert len(scenario.instructions.split()) <= 90
        assert "Action:" not in scenario.instructions
