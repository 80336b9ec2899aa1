"""AgentGym's numbers for tasks, as tasks of ours; and what its answers hold for each of the environments we serve."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sojourn.envs.protocol import Scenario
from sojourn.errors import DataError
from sojourn.types import Task

_BABYAI_LEVELS = 40


def _only_observation(_: Task, observation: str) -> dict[str, Any]:
    return {"observation": observation}


@dataclass(frozen=True, kw_only=True)
class Numbering:
    """How one environment looks on AgentGym's wire."""

    wire: str
    """What AgentGym calls it: the row of `agentgym_wires.WIRES` with its fields."""
    task: Callable[[Scenario, int], Task]
    """The task that a number names; raises `DataError` for a number that names none."""
    first: Callable[[Task, str], dict[str, Any]] = _only_observation
    """The texts in the reset's answer."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """Options of the scenario that make it speak as theirs does."""
    full: float = 1.0
    """What a reward of 1 is called there."""
    has_total: bool = False
    """Whether answers hold the running total ``score``."""
    creates_an_episode: bool = False
    """Whether `create` begins task 0 unasked, and `reset` names the id."""
    observes_an_object: bool = False
    """Whether GET /observation answers with the whole last answer, not with its text."""
    step_constants: Mapping[str, Any] = field(default_factory=dict)
    """Fields of every step's answer that say nothing."""
    has_description: bool = False


def _goals(scenario: Scenario) -> tuple[Task, ...]:
    """TextCraft's tasks of all splits by depth, then by name: the numbering that AgentGym means.

    Its own order follows the file system of the server's machine; this one is the same everywhere.
    """
    tasks = [task for split in scenario.splits for task in scenario.tasks(split)]
    return tuple(sorted(tasks, key=lambda task: (task.category or "", task.task_id)))


def textcraft_task(scenario: Scenario, number: int) -> Task:
    """The goal of that number, counted around."""
    goals = _goals(scenario)
    return goals[number % len(goals)]


def babyai_task(scenario: Scenario, number: int) -> Task:
    """Level = number % 40 + 1, seed = number // 40: our own numbers are the same."""
    seed = number // _BABYAI_LEVELS
    # of the split's seeds the first task is asked for, which is cheap; the split does not change the episode
    for split in scenario.splits:
        tasks = scenario.tasks(split)
        if tasks[0].seed <= seed <= tasks[-1].seed:
            return Task(env_id=scenario.env_id, task_id=str(number), split=split, seed=seed)
    raise DataError(f"expected a number whose seed (number // {_BABYAI_LEVELS}) is in a split, got {number}")


def sciworld_task(scenario: Scenario, number: int) -> Task:
    """The variation of that number among the 4,639."""
    from sojourn.envs.sciworld.tables import KINDS, from_agentgym_id  # with all of SciWorld, which only it needs

    name, variation = from_agentgym_id(number)
    split = KINDS[name].split_of(variation)
    return Task(env_id=scenario.env_id, task_id=f"{name}/{variation}", split=split, seed=0)


def _with_description(task: Task, observation: str) -> dict[str, Any]:
    name, _, variation = task.task_id.partition("/")
    description, _, look = observation.partition("\n")
    texts = {"task_description": description, "observation": look}
    return {"task_name": name, "var_num": int(variation), **texts}


def search_task(scenario: Scenario, number: int) -> Task:
    """The question that a FlashRAG folder has under that number, as there.

    Other questions have no numbers there: theirs are the places in the tasks of all splits, one split after another.
    """
    from sojourn.envs.search import Search  # with all of search, which only it needs

    assert isinstance(scenario, Search)
    if scenario.is_numbered:
        return scenario.task(str(number))
    place = number
    for split in scenario.splits:
        tasks = scenario.tasks(split)
        if place < len(tasks):
            return tasks[place]
        place -= len(tasks)
    raise DataError(f"expected a number below {number - place}, for there are so many questions, got {number}")


NUMBERINGS: Mapping[str, Numbering] = {
    "textcraft": Numbering(wire="textcraft", task=textcraft_task, creates_an_episode=True),
    "babyai": Numbering(
        wire="babyai", task=babyai_task, options={"style": "agentgym"}, has_total=True, observes_an_object=True
    ),
    "sciworld": Numbering(
        wire="sciworld",
        task=sciworld_task,
        first=_with_description,
        full=100.0,
        has_total=True,
        has_description=True,
    ),
    "search": Numbering(
        wire="searchqa", task=search_task, options={"style": "agentgym"}, step_constants={"info": None}
    ),
}
"""name of a shipped environment -> its numbers and fields on AgentGym's wire."""
