"""SciWorld's tasks, splits, panels, options and numbering; all without a simulator."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest

pytest.importorskip("scienceworld")

from sojourn.envs.catalog import load_scenario
from sojourn.envs.sciworld import (
    CATEGORIES,
    KINDS,
    PAPER_CATEGORIES,
    SciWorld,
    agentgym_id,
    agentgym_size,
    from_agentgym_id,
)
from sojourn.envs.sciworld.env import increment
from sojourn.errors import ConfigError, DataError, MissingDependencyError
from sojourn.types import Task

PANEL_SHA256 = {
    "train": "7138ff907ce7114ceb421b6fe2bce1087747bd75c7fae5b4f3dbdafbd6324606",
    "validation": "d065ef9445340decef18840e2c17fd641b9049ce8b3cb17b7d1205efc9b0df0c",
    "test": "dcacf1f2abda69a82a2b7a455ca30145055ab235e4614f2e3cbe485894f59a03",
}
AGENTGYM_RANGES = {
    "boil": (0, 29),
    "melt": (30, 59),
    "freeze": (60, 89),
    "change-the-state-of-matter-of": (90, 119),
    "use-thermometer": (120, 659),
    "measure-melting-point-known-substance": (660, 1095),
    "measure-melting-point-unknown-substance": (1096, 1395),
    "power-component": (1396, 1415),
    "power-component-renewable-vs-nonrenewable-energy": (1416, 1435),
    "test-conductivity": (1436, 2335),
    "test-conductivity-of-unknown-substances": (2336, 2935),
    "find-living-thing": (2936, 3235),
    "find-non-living-thing": (3236, 3535),
    "find-plant": (3536, 3835),
    "find-animal": (3836, 4135),
    "chemistry-mix": (4136, 4167),
    "chemistry-mix-paint-secondary-color": (4168, 4203),
    "chemistry-mix-paint-tertiary-color": (4204, 4239),
    "lifespan-longest-lived": (4240, 4364),
    "lifespan-shortest-lived": (4365, 4489),
    "lifespan-longest-lived-then-shortest-lived": (4490, 4614),
    "identify-life-stages-1": (4615, 4628),
    "identify-life-stages-2": (4629, 4638),
}


# --------------------------------------------------------------------------------------- tasks, without any simulator


def test_30_tasks_with_7207_variations_in_scienceworlds_own_quarters() -> None:
    assert len(KINDS) == 30
    assert sum(kind.num_variations for kind in KINDS.values()) == 7207
    sizes = {name: [len(KINDS[name].variations(s)) for s in ("train", "validation", "test")] for name in KINDS}
    assert sizes["boil"] == [14, 7, 9]
    assert sizes["use-thermometer"] == [270, 135, 135]
    assert sizes["test-conductivity"] == [450, 225, 225]
    for kind in KINDS.values():
        assert all(variation in kind.variations(kind.split_of(variation)) for variation in range(kind.num_variations))
    scenario = SciWorld()
    assert [len(scenario.tasks(split)) for split in scenario.splits] == [3592, 1796, 1819]


def test_agentgyms_numbers_and_back() -> None:
    found = {
        name: (agentgym_id(name, 0), agentgym_id(name, KINDS[name].num_variations - 1)) for name in AGENTGYM_RANGES
    }
    assert found == AGENTGYM_RANGES
    assert agentgym_size() == 4639
    numbers = [agentgym_id(*from_agentgym_id(number)) for number in range(agentgym_size())]
    assert numbers == list(range(agentgym_size()))
    assert [name for name in KINDS if agentgym_id(name, 0) is None] == [
        *("grow-plant", "grow-fruit"),
        *(name for name in KINDS if name.startswith(("inclined", "mendelian"))),
    ]
    for number in (-1, agentgym_size()):
        with pytest.raises(DataError, match="0 to 4638"):
            from_agentgym_id(number)


def test_the_test_panel_has_the_papers_counts_at_equal_distances() -> None:
    tasks = SciWorld().panel("test").tasks
    assert Counter(task.category for task in tasks) == {
        "Measure": 53,
        "Test-Cond": 83,
        "Find": 44,
        "Chem-Mix": 5,
        "Lifespan": 15,
    }
    assert [len(SciWorld().panel(split).tasks) for split in ("train", "validation")] == [100, 100]
    kinds = Counter(task.task_id.split("/")[0] for task in tasks)
    assert [kinds[f"find-{name}"] for name in ("living-thing", "non-living-thing", "plant", "animal")] == [11] * 4
    assert {split: SciWorld().panel(split).sha256 for split in PANEL_SHA256} == PANEL_SHA256


def test_a_choice_of_tasks_has_a_panel_of_about_a_hundred() -> None:
    scenario = SciWorld(tasks=["4-4", "lifespan-longest-lived"])
    assert Counter(t.task_id.split("/")[0] for t in scenario.panel("test").tasks) == {
        "find-animal": 50,
        "lifespan-longest-lived": 32,  # all there are
    }
    assert {task.category for task in SciWorld(categories=["Find"]).panel("validation").tasks} == {"Find"}


def test_categories_cover_all_tasks() -> None:
    assert set(PAPER_CATEGORIES) < set(CATEGORIES)
    assert {kind.category for kind in KINDS.values()} == set(CATEGORIES)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"tasks": ["find-animl"]}, "did you mean 'find-animal'"),
        ({"categories": ["find"]}, "unknown SciWorld category"),
        ({"tasks": ["boil"], "categories": ["Find"]}, "leave no ScienceWorld task"),
        ({"simplifications": "teleport"}, "known: easy"),
        ({"simplifications": "easy,openDoors"}, "stands alone"),
        ({"simplifications": ["noElectricalAction"]}, "impossible"),
        ({"listed_verbs": []}, "listed_verbs"),
        ({"reward": "sparse"}, "known: gains, progress, success"),
        ({"max_steps": 0}, "max_steps must be >= 1, got 0"),
        ({"num_jvms": 0}, "num_jvms"),
        ({"heap_mb": 10}, "heap_mb must be >= 64"),
        ({"deadline_s": 0}, "deadline_s"),
        ({"speed": 1}, "refused options"),
    ],
)
def test_a_wrong_option_is_explained(options: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load_scenario("sciworld", options)


def test_whatever_changes_trajectories_changes_the_id() -> None:
    options: list[dict[str, object]] = [
        {},
        {"listed_verbs": ["go"], "tasks": ["boil"], "num_jvms": 1},
        {"simplifications": "easy"},
        {"simplifications": "openDoors, teleportAction", "reward": "success", "max_steps": 30},
    ]
    assert [load_scenario("sciworld", o).env_id for o in options] == [
        *("sciworld-v1", "sciworld-v1", "sciworld-v1+easy"),
        "sciworld-v1+openDoors+teleportAction+reward=success+max_steps=30",
    ]


def test_easy_keeps_electricity_where_it_is_needed() -> None:
    scenario = SciWorld(simplifications="easy")
    settings = {t.task_id.split("/")[0]: scenario.resolve(t).simplifications for t in scenario.tasks("test")}
    assert settings["find-animal"] == "noElectricalAction,openDoors,selfWateringFlowerPots,teleportAction"
    assert settings["test-conductivity"] == "openDoors,selfWateringFlowerPots,teleportAction"


@pytest.mark.parametrize(
    "change",
    [
        {"env_id": "sciworld-v0"},
        {"task_id": "find-animal"},
        {"task_id": "find-animal/300"},
        {"task_id": "find-animal/-1"},
        {"task_id": "find-animal/²"},
        {"task_id": "find-animal/" + "9" * 5000},
        {"task_id": "fly/3"},
    ],
)
def test_a_task_that_is_none_of_ours_is_refused_before_a_simulator_starts(change: dict[str, object]) -> None:
    fields = {"env_id": "sciworld-v1", "task_id": "find-animal/2", "split": "train", "seed": 0, **change}
    with pytest.raises(DataError, match="find-animal/17"):
        asyncio.run(SciWorld().make().reset(Task(**fields)))  # type: ignore[arg-type]


def test_a_missing_java_is_answered_with_what_installs_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    scenario = SciWorld()  # tasks can be listed without Java
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    with pytest.raises(MissingDependencyError, match=r"openjdk-17-jre-headless.*macOS.*conda"):
        scenario.make()


def test_sums_of_rewards_are_exact_whatever_the_way() -> None:
    rng = random.Random(0)
    for last in (100, 83, 7, 0, -100):
        returns = set()
        for _ in range(200):
            scores = [0, *(rng.randint(0, 100) for _ in range(rng.randint(0, 20))), last]
            returns.add(sum(increment(a, b) for a, b in pairwise(scores)))
        assert len(returns) == 1
        assert returns.pop() == pytest.approx(last / 100, abs=1e-15)
    assert sum(increment(a, a + 1) for a in range(100)) == 1.0


def test_instructions_are_short_and_name_no_action_format() -> None:
    plain, easy = SciWorld().instructions, SciWorld(simplifications="easy").instructions
    assert len(plain.split()) <= 150
    assert "teleport" in easy
    assert "teleport" not in plain
    assert "Action:" not in plain
