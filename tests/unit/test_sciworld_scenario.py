"""SciWorld's tasks, splits, panels, options and numbering; and one episode's life, words and rewards."""

from __future__ import annotations

import asyncio
import os
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

pytest.importorskip("scienceworld")

from sojourn.envs.catalog import load_scenario
from sojourn.envs.contract import check_result
from sojourn.envs.sciworld import (
    CATEGORIES,
    KINDS,
    PAPER_CATEGORIES,
    SciWorld,
    agentgym_id,
    agentgym_size,
    close_pools,
    from_agentgym_id,
)
from sojourn.envs.sciworld.env import increment
from sojourn.errors import ConfigError, DataError, EnvError, MissingDependencyError
from sojourn.types import StepResult, Task

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


@pytest.fixture(scope="module", autouse=True)
def _no_jvm_is_left() -> Iterator[None]:
    yield
    close_pools()


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


def said_without(setup: str, act: str) -> str:
    program = (
        f"import sys\n{setup}\n"
        "from sojourn.envs.catalog import load_scenario\n"
        "from sojourn.errors import MissingDependencyError\n"
        f"try: {act}\n"
        "except MissingDependencyError as error: print(error)"
    )
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize("module", ["py4j", "scienceworld"])
def test_a_missing_package_is_answered_with_the_command_that_installs_it(module: str) -> None:
    said = said_without(f"sys.modules[{module!r}] = None", "load_scenario('sciworld')")
    assert "pip install 'sojourn[sciworld]'" in said


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


# -------------------------------------------------------------------------------------------------------- one episode


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
