"""Tasks made when looked at: what a list of them makes, and what it leaves alone."""

from __future__ import annotations

from itertools import islice

import pytest

from sojourn.envs.catalog import load_scenario
from sojourn.envs.task_list import TaskList
from sojourn.types import Task


def numbered(made: list[int], keys: range) -> TaskList[int]:
    """Tasks that note in `made` when they are made."""

    def make(key: int) -> Task:
        made.append(key)
        return Task(env_id="count-v1", task_id=str(key), split="train", seed=key)

    return TaskList(keys, make)


def test_a_task_is_made_when_it_is_looked_at_and_no_other() -> None:
    made: list[int] = []
    tasks = numbered(made, range(5, 10**12))
    assert len(tasks) == 10**12 - 5
    part = tasks[10:][::-1][:3]
    assert made == []
    assert [task.task_id for task in part] == ["999999999999", "999999999998", "999999999997"]
    assert (tasks[0].seed, tasks[-1].seed, part[-1].seed) == (5, 10**12 - 1, 10**12 - 3)
    assert len(made) == 6


def test_a_task_outside_is_an_index_error_and_iteration_ends() -> None:
    tasks = numbered([], range(3))
    assert [task.seed for task in tasks] == [0, 1, 2]
    for index in (3, -4):
        with pytest.raises(IndexError):
            tasks[index]
    assert list(tasks[3:]) == []


@pytest.mark.parametrize("name", ["babyai", "textcraft-procedural"])
def test_a_slice_of_a_scenarios_million_tasks_holds_those_tasks(name: str) -> None:
    tasks = load_scenario(name).tasks("train")
    part = tasks[100:-1:7]
    assert len(part) > 100_000
    assert list(islice(part, 3)) == [tasks[100], tasks[107], tasks[114]]
    assert part[-1] == tasks[100 + 7 * (len(part) - 1)]
