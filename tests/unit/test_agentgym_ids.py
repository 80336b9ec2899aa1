"""Splits of AgentGym's task numbers; what an `AgentGymScenario` refuses before it asks any server."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest

from sojourn.envs.contract import check_names, check_panels, check_tasks
from sojourn.errors import ConfigError, DataError
from sojourn.service.agentgym import AgentGymScenario
from sojourn.service.agentgym_wires import WIRES

RANGES = {"train": [0, 100], "test": [100, 120]}


def published(path: Path, *names: str) -> str:
    path.write_text(json.dumps([{"item_id": name} for name in names]))
    return str(path)


def make(**options: Any) -> AgentGymScenario:
    return AgentGymScenario(**({"scenario": "textcraft"} | options))


@pytest.mark.parametrize("name", WIRES)
def test_every_wire_makes_a_well_formed_scenario(name: str):
    scenario = make(scenario=name, ranges=RANGES)
    check_names(scenario)
    check_tasks(scenario)
    check_panels(lambda: make(scenario=name, ranges=RANGES))
    assert scenario.tasks("test")[0].task_id == f"{name}_100"


def test_published_lists_are_the_splits(tmp_path: Path):
    train = published(tmp_path / "train.json", "textcraft_7", "textcraft_3", "textcraft_12")
    test = published(tmp_path / "test.json", "textcraft_5")
    scenario = make(ids={"train": train, "test": test}, validation=1)
    assert [task.seed for task in scenario.tasks("test")] == [5]
    assert len(scenario.tasks("train")) == 2
    assert {t.seed for split in ("train", "validation") for t in scenario.tasks(split)} == {3, 7, 12}


def test_the_derived_validation_split_does_not_depend_on_the_order():
    forwards = make(ids={"train": list(range(50)), "test": [99]}, validation=5)
    backwards = make(ids={"train": list(reversed(range(50))), "test": [99]}, validation=5)
    chosen = [task.seed for task in forwards.tasks("validation")]
    assert chosen == [task.seed for task in backwards.tasks("validation")]
    assert len(set(chosen)) == 5
    assert chosen != sorted(range(50))[:5], "chosen by digest, not the first ones"


def test_validation_takes_a_tenth_of_train_where_nothing_is_said():
    scenario = make(ranges=RANGES)
    assert (len(scenario.tasks("train")), len(scenario.tasks("validation"))) == (90, 10)


def test_a_task_listed_for_testing_is_not_trained_on(caplog: pytest.LogCaptureFixture):
    with caplog.at_level(logging.WARNING):
        scenario = make(ids={"train": [1, 2, 3, 4], "test": [3, 9]}, validation=1)
    trained = {task.seed for split in ("train", "validation") for task in scenario.tasks(split)}
    assert trained == {1, 2, 4}
    assert "1 tasks of train are also listed" in caplog.text


def test_sqlgym_is_published_as_bird(tmp_path: Path):
    scenario = make(
        scenario="sqlgym", ids={"train": published(tmp_path / "a", "bird_4"), "test": [9], "validation": [8]}
    )
    assert scenario.tasks("train")[0].task_id == "sqlgym_4"


@pytest.mark.parametrize(
    ("options", "error", "said"),
    [
        ({"scenario": "textcrft"}, ConfigError, "did you mean 'textcraft'"),
        ({}, ConfigError, "0 to 543"),
        ({"ranges": {"train": [0, 5]}}, ConfigError, "no tasks for test"),
        ({"ranges": {"train": [5, 0], "test": [6, 7]}}, ConfigError, "first < end"),
        ({"ranges": RANGES, "ids": {"test": [1]}}, ConfigError, "give it once"),
        ({"ids": {"train": [1, 1], "test": [2]}}, DataError, "twice"),
        ({"ids": {"train": [1, 2], "test": [3], "validation": [3]}}, DataError, "two splits"),
        ({"ids": {"train": [1], "test": [1]}}, DataError, "nothing is left"),
        ({"ranges": RANGES, "validation": 100}, ConfigError, "expected 1 to 99"),
        ({"ranges": RANGES | {"validation": [200, 210]}, "validation": 5}, ConfigError, "leave out one"),
        ({"ids": {"train": "nowhere.json", "test": [1]}}, ConfigError, "cannot read"),
        ({"ranges": RANGES, "url": "127.0.0.1:36001"}, ConfigError, "http://127.0.0.1:36001"),
        ({"ranges": RANGES, "timeout_s": 0}, ConfigError, "timeout_s > 0"),
    ],
)
def test_what_is_wrong_is_said_at_once(options: dict[str, Any], error: type[Exception], said: str):
    with pytest.raises(error, match=said):
        make(**options)


@pytest.mark.parametrize(
    "content", ["{", "[]x", '{"item_id": "textcraft_1"}', '[{"id": 3}]', '[{"item_id": "babyai_3"}]']
)
def test_a_file_that_is_no_list_of_this_environment_is_a_data_error(tmp_path: Path, content: str):
    (tmp_path / "ids.json").write_text(content)
    with pytest.raises(DataError, match=r"ids\.json"):
        make(ids={"train": str(tmp_path / "ids.json"), "test": [1]})
