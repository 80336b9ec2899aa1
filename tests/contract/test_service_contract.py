"""The contract holds over HTTP, against a real ``sojourn serve``: what an agent meets there is what it meets here."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import pytest
from tests.services import Service, serving

from sojourn.envs.catalog import load_scenario
from sojourn.envs.contract import EnvContract
from sojourn.envs.protocol import Scenario
from sojourn.service.client import RemoteScenario

PROCEDURAL = {"depth": [1, 4], "num_items": 20}
# every listed command is tried in an episode of its own: a few verbs are enough for SciWorld
VERBS = 'sciworld.listed_verbs=["go","open","pick up","look around"]'
OPTIONS = ["--options", "textcraft-procedural.depth=[1,4]", "textcraft-procedural.num_items=20", VERBS]
NAMES = ["textcraft", "textcraft-procedural", "babyai"]


@pytest.fixture(scope="module", autouse=True)
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("service")
    with serving(folder, *NAMES, "sciworld", "--workers", "2", *OPTIONS) as running:
        OverHTTP.url = running.url
        yield running
        assert running.num_open() == 0  # every episode of every test was closed
        assert running.log.read_text() == ""


class OverHTTP:
    """What the classes below share."""

    url: ClassVar[str] = ""
    name: ClassVar[str]
    is_batched: ClassVar[bool] = True

    def make_scenario(self) -> Scenario:
        return RemoteScenario(OverHTTP.url, env=self.name, batch=self.is_batched)


class TestTextCraftOverHTTP(OverHTTP, EnvContract):
    name = "textcraft"
    tasks_per_split = 2
    memory_episodes = 20


class TestTextCraftOneCallARequest(OverHTTP, EnvContract):
    name = "textcraft"
    is_batched = False
    tasks_per_split = 1
    memory_episodes = 20


class TestProceduralTextCraftOverHTTP(OverHTTP, EnvContract):
    name = "textcraft-procedural"
    tasks_per_split = 1
    memory_episodes = 20


class TestBabyAIOverHTTP(OverHTTP, EnvContract):
    name = "babyai"
    tasks_per_split = 1
    memory_episodes = 20
    solved_share = 0.6  # minigrid's bot fails on some levels


class TestSciWorldOverHTTP(OverHTTP, EnvContract):
    name = "sciworld"
    tasks_per_split = 1
    memory_episodes = 10
    oracle_is_admissible = False  # it names things by longer names than the list does


@pytest.mark.parametrize("name", NAMES)
def test_a_scenario_is_the_same_from_afar(name: str) -> None:
    here = load_scenario(name, PROCEDURAL if "procedural" in name else {})
    there = RemoteScenario(OverHTTP.url, env=name)
    assert (there.env_id, there.instructions) == (here.env_id, here.instructions)
    assert (there.example_command, there.splits) == (here.example_command, here.splits)
    for split in here.splits:
        tasks, listed = here.tasks(split), there.tasks(split)
        assert len(listed) == len(tasks)
        for index in (0, 1, 2, len(tasks) // 2, -1, len(tasks) - 40, 17):
            assert listed[index] == tasks[index]
        assert list(listed[3:40]) == list(tasks[3:40])
        assert there.panel(split) == here.panel(split)
    assert RemoteScenario(OverHTTP.url, env=here.env_id).env_id == here.env_id  # by its id, too
