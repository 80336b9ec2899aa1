"""The scenario: the contract on a fixture, options, ids, panels."""

from __future__ import annotations

import inspect

import pytest
from tests.search_fixture import WordRetriever, questions

from sojourn.envs.contract import EnvContract
from sojourn.envs.search import Search
from sojourn.envs.search.bank import ListedQuestions
from sojourn.envs.search.options import DEFAULTS
from sojourn.errors import ConfigError, DataError
from sojourn.service.agentgym_tasks import search_task

QUESTIONS = questions()


def scenario(**options):
    return Search(**{"retriever": WordRetriever(), "questions": QUESTIONS} | options)


class TestContract(EnvContract):
    oracle_is_admissible = False  # the list is made of what is in sight; the oracle's queries are its own
    memory_episodes = 40

    def make_scenario(self):
        return scenario()


class TestContractAgentGym(TestContract):
    def make_scenario(self):
        return scenario(style="agentgym", listed="narrow")


def test_every_option_that_changes_an_episode_is_in_the_id():
    changes = {
        "style": "agentgym",
        "k": 5,
        "max_answers": 2,
        "metric": "f1",
        "normalizer": "strict",
        "retrieval_reward": 0.2,
        "no_search_penalty": 0.1,
        "max_observation_words": 100,
        "max_steps": 9,
        "listed": "narrow",
    }
    assert changes.keys() == DEFAULTS.keys()
    plain = scenario().env_id
    ids = {scenario(**{name: value}).env_id for name, value in changes.items()}
    assert len(ids | {plain}) == len(changes) + 1
    assert all(env_id.startswith(plain + "+") for env_id in ids)
    assert all(character.isalnum() or character in "+=.-_" for env_id in ids for character in env_id)
    signature = inspect.signature(Search).parameters
    assert {name: signature[name].default for name in DEFAULTS} == dict(DEFAULTS)


def test_another_corpus_is_another_environment():
    other = WordRetriever()
    other.identity = "another"
    assert scenario(retriever=other).env_id != scenario().env_id


def test_hops_confine_every_split_and_leave_the_id():
    made = scenario(hops=[3])
    assert made.env_id == scenario().env_id
    assert [task.task_id for task in made.tasks("train")] == ["q3", "q4"]
    assert {task.category for split in made.splits for task in made.panel(split).tasks} == {"3 hops"}
    assert made.panel("test").name.endswith("/test/hops=3")
    assert made.tasks("train")[-1].task_id == "q4"
    with pytest.raises(IndexError):
        made.tasks("train")[2]


def test_a_panel_has_as_many_tasks_of_each_category():
    assert [task.category for task in scenario().panel("train").tasks] == ["2 hops"] * 2 + ["3 hops"] * 2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"k": 0}, "k must be a whole number from 1 to 20, got 0"),
        ({"k": 2.5}, "k must be a whole number"),
        ({"max_answers": True}, "max_answers must be a whole number"),
        ({"max_observation_words": 5}, "max_observation_words must be"),
        ({"max_steps": 0}, "max_steps must be"),
        ({"style": "agentgim"}, "unknown search style 'agentgim'; did you mean 'agentgym'"),
        ({"style": "agentgym", "max_answers": 2}, "style='agentgym' fixes max_answers"),
        ({"normalizer": "lax"}, "known: squad, strict"),
        ({"metric": "bleu"}, "known: em, f1"),
        ({"listed": "all"}, "known: full, narrow"),
        ({"retrieval_reward": 0.6}, r"retrieval_reward must be in \[0, 0.5\]"),
        ({"retrieval_reward": 0.4, "no_search_penalty": 0.4}, "the answer dominates"),
        ({"hops": []}, "hops must be a list of whole numbers"),
        ({"hops": "23"}, "hops must be a list of whole numbers"),
        ({"retriever_options": {"timeout_s": 3}}, "retriever_options go with a retriever that is named"),
    ],
)
def test_options_that_cannot_be_are_refused(options, message):
    with pytest.raises(ConfigError, match=message):
        scenario(**options)


def test_hops_that_no_question_has_are_said_when_tasks_are_asked_for():
    with pytest.raises(ConfigError, match="no questions of 4 hops in train; there are 2 hops, 3 hops"):
        scenario(hops=[4]).tasks("train")


def test_questions_are_checked():
    with pytest.raises(ConfigError, match="unknown split of the questions"):
        scenario().tasks("tset")
    with pytest.raises(DataError, match="none for validation"):
        scenario(questions={name: rows for name, rows in QUESTIONS.items() if name != "validation"})
    twice = ListedQuestions({**QUESTIONS, "test": [*QUESTIONS["test"], *QUESTIONS["test"]]})
    with pytest.raises(DataError, match="there twice"):
        twice.categories("test")


def test_on_agentgym_s_wire_a_number_is_a_place_among_the_tasks_of_all_splits() -> None:
    served = scenario()
    tasks = [task for split in served.splits for task in served.tasks(split)]
    assert [search_task(served, number) for number in range(10)] == tasks
    with pytest.raises(DataError, match="a number below 10, for there are so many questions, got 10"):
        search_task(served, 10)
