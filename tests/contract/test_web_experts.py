"""Every template of the web environment: experts solve it, and nothing else is right."""

from __future__ import annotations

import asyncio
import random
import sqlite3
import statistics
from collections.abc import Iterator
from functools import partial

import pytest
from tests.webtasks import End, judged, played, started

from sojourn.envs.contract import EnvContract, check_oracle
from sojourn.envs.protocol import Scenario
from sojourn.envs.web.problem import Problem
from sojourn.envs.web.scenario import Web
from sojourn.envs.web.sites.world import World
from sojourn.envs.web.tasks.catalog import LEARNABLE, TEMPLATES
from sojourn.envs.web.tasks.problems import TemplateProblems
from sojourn.envs.web.tasks.template import Kind
from sojourn.types import Task

PROBLEMS = TemplateProblems()
SCENARIO = Web()
PER_TEMPLATE = 3
"""Tasks of each template that are played."""
CHANGING = [name for name, template in TEMPLATES.items() if template.kind is Kind.MUTATION]
ASKING = [name for name, template in TEMPLATES.items() if template.kind in (Kind.INFORMATION, Kind.INFEASIBLE)]
SHOWING = [name for name, template in TEMPLATES.items() if template.kind is Kind.NAVIGATION]
AUTOMATIC = frozenset({"id", "article_id", "issue_id", "revision_id"})
"""Columns whose values the database gives, or that point to such a value."""


def problems(name: str, count: int = PER_TEMPLATE) -> Iterator[Problem]:
    for key in list(PROBLEMS.values(TEMPLATES[name]))[:count]:
        yield PROBLEMS.problem(f"{name}/{key}")


class TestInTheTextBrowser(EnvContract):
    memory_episodes = 60
    oracle_is_admissible = False  # what is read off one site to be typed on another is not listed

    def make_scenario(self) -> Scenario:
        return Web()


def for_small_policies(*, prune: bool = False) -> Web:
    return Web(templates=LEARNABLE, max_commands=10, max_answers=0, prune=prune)


class TestWhatASmallPolicyLearns(EnvContract):
    memory_episodes = 60
    oracle_is_admissible = True

    def make_scenario(self) -> Scenario:
        return for_small_policies()


class TestOnPrunedPages(EnvContract):
    memory_episodes = 60
    oracle_is_admissible = True

    def make_scenario(self) -> Scenario:
        return for_small_policies(prune=True)


@pytest.mark.parametrize("prune", [False, True])
def test_every_action_of_the_experts_is_listed_for_small_policies(prune: bool) -> None:
    scenario = for_small_policies(prune=prune)
    for split in scenario.splits:
        for task in scenario.panel(split).tasks[::4]:
            assert check_oracle(scenario, task, admissible=True) is not None


def test_random_play_of_small_policies_succeeds_now_and_then() -> None:
    scenario, num_episodes, solved = for_small_policies(), 300, 0
    tasks = scenario.tasks("train")[:num_episodes]

    async def play(task: Task, seed: int) -> bool:
        env, rng = scenario.make(), random.Random(seed)
        await env.reset(task)
        try:
            for _ in range(12):
                result = await env.step(rng.choice(await env.admissible_commands()))
                if result.terminated:
                    return bool(result.success)
            return False
        finally:
            await env.close()

    for seed, task in enumerate(tasks):
        solved += asyncio.run(play(task, seed))
    assert solved / num_episodes >= 0.02


# --------------------------------------------------------------------------------------------------------- experts


@pytest.mark.parametrize("split", SCENARIO.splits)
def test_the_expert_solves_the_whole_panel_in_few_steps(split: str) -> None:
    panel = SCENARIO.panel(split).tasks
    steps = [check_oracle(SCENARIO, task, max_turns=40, admissible=False) for task in panel]
    counts = [count for count in steps if count is not None]
    assert len(counts) == len(panel) == 120
    assert statistics.median(counts) <= 8
    assert sum(count <= 15 for count in counts) >= 0.98 * len(counts)


@pytest.mark.parametrize("name", TEMPLATES)
def test_the_expert_solves_tasks_of_every_template(name: str) -> None:
    for problem in problems(name):
        end = played(problem)
        verdict = judged(problem, end)
        assert verdict.success, (problem.intent, verdict.reason)


# ------------------------------------------------------------------------------------------- nothing else is right


@pytest.mark.parametrize("name", [*CHANGING, *SHOWING])
def test_doing_nothing_is_not_right(name: str) -> None:
    for problem in problems(name, 3):
        state, url = started(problem)
        end = End(state=state, url=url, answer="", num_steps=0, changes={})
        assert not judged(problem, end).success, problem.intent
        assert not judged(problem, end, answer="N/A").success, problem.intent


@pytest.mark.parametrize("name", CHANGING)
def test_a_change_has_to_be_right_in_every_column_and_the_only_one(name: str) -> None:
    for problem in problems(name, 2):
        end = played(problem)
        assert end.changes, problem.intent
        for table, change in end.changes.items():
            for row in (*change.added, *(after for _, after in change.updated)):
                for column in row.keys() - AUTOMATIC:
                    assert not _is_right_with(problem, end, table, dict(row), column), (problem.intent, table, column)
        assert not judged(problem, end, edit=_note_something).success, problem.intent
        assert not judged(problem, end, answer="done").success, problem.intent
        assert not judged(problem, end, answer="N/A").success, problem.intent
        for table in end.changes:
            assert not judged(problem, end, edit=partial(_change_another, table=table, end=end)).success


def _is_right_with(problem: Problem, end: End, table: str, row: dict[str, object], column: str) -> bool:
    """Whether the end is still right when one value of a changed row is another one."""
    where = " AND ".join(f'"{name}" IS ?' for name in row)
    value = row[column]
    other = value + 1 if isinstance(value, int) else f"{value or ''}x"

    def edit(world: World) -> None:
        world.db.execute("PRAGMA foreign_keys = OFF")
        world.db.execute("PRAGMA ignore_check_constraints = ON")
        done = world.db.execute(f'UPDATE "{table}" SET "{column}" = ? WHERE {where}', (other, *row.values()))
        assert done.rowcount == 1

    try:
        return judged(problem, end, edit=edit).success
    except sqlite3.IntegrityError:  # such a row cannot be: there is one with this value
        return False


def _note_something(world: World) -> None:
    world.db.execute("INSERT INTO home_note (title, body, created) VALUES ('Something', 'else', '2024-06-15 12:00:00')")


def _change_another(world: World, table: str, end: End) -> None:
    """Take away a row that the task has nothing to do with, in a table that it changes."""
    world.db.execute("PRAGMA foreign_keys = OFF")
    change = end.changes[table]
    touched = [dict(row) for row in (*change.added, *(after for _, after in change.updated))]
    for row in world.db.execute(f'SELECT * FROM "{table}"').fetchall():
        if dict(row) not in touched:
            where = " AND ".join(f'"{name}" IS ?' for name in row.keys())  # noqa: SIM118 (a sqlite3.Row)
            world.db.execute(f'DELETE FROM "{table}" WHERE {where}', tuple(row))
            return
    world.db.execute(f'DELETE FROM "{table}"')


@pytest.mark.parametrize("name", ASKING)
def test_an_answer_has_to_be_right_and_nothing_may_change(name: str) -> None:
    asked = list(problems(name, 2))
    ends = [played(problem) for problem in asked]
    for problem, end in zip(asked, ends, strict=True):
        for wrong in ("", "done", "I do not know", f"{end.answer} or so", f"not {end.answer}", f"{end.answer}1"):
            assert not judged(problem, end, answer=wrong).success, (problem.intent, wrong)
        assert judged(problem, end, answer="N/A").success == (TEMPLATES[name].kind is Kind.INFEASIBLE)
        assert not judged(problem, end, edit=_note_something).success
        assert judged(problem, end, url="http://homepage.com/").success  # where one reads it does not matter


@pytest.mark.parametrize("name", SHOWING)
def test_a_page_has_to_be_the_right_one_and_nothing_may_change(name: str) -> None:
    for problem in problems(name):
        end = played(problem)
        assert not judged(problem, end, url="http://homepage.com/").success
        assert not judged(problem, end, url=end.url.partition("?")[0] + "/more").success
        assert not judged(problem, end, answer=end.url).success
        assert not judged(problem, end, edit=_note_something).success


# -------------------------------------------------------------------------------------------------------- isolation


def test_live_episodes_see_nothing_of_each_other() -> None:
    tasks = [task for split in SCENARIO.splits for task in SCENARIO.panel(split).tasks[:30]]

    async def play_all() -> list[bool | None]:
        envs = [SCENARIO.make() for _ in tasks]
        for env, task in zip(envs, tasks, strict=True):
            await env.reset(task)
        experts = [SCENARIO.oracle(env) for env in envs]
        ends: list[bool | None] = [None] * len(tasks)
        left = list(range(len(tasks)))
        rng = random.Random(0)
        while left:
            place = rng.choice(left)
            action = await experts[place].next_action()
            assert action is not None
            result = await envs[place].step(action)
            if result.terminated:
                ends[place] = result.success
                left.remove(place)
        for env in envs:
            await env.close()
        return ends

    assert asyncio.run(play_all()) == [True] * len(tasks)
