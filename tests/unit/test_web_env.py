"""One web episode: what is told, what is paid, what is listed; and the options of the scenario."""

from __future__ import annotations

import asyncio
import re

import pytest
from tests.webproblems import PROBLEMS, SHOP, shop_tasks

from sojourn.envs.web.env import WebEnv
from sojourn.envs.web.problem import Problem, Verdict, offered_texts
from sojourn.envs.web.scenario import Web
from sojourn.errors import ConfigError, DataError, EnvError
from sojourn.types import StepResult, Task


def task(scenario: Web, task_id: str) -> Task:
    return Task(env_id=scenario.env_id, task_id=task_id, split="train", seed=0)


def play(scenario: Web, task_id: str, *actions: str) -> list[StepResult]:
    """The results of a reset and of `actions`."""

    async def run() -> list[StepResult]:
        env = scenario.make()
        results = [await env.reset(task(scenario, task_id))]
        results += [await env.step(action) for action in actions]
        await env.close()
        return results

    return asyncio.run(run())


def test_an_observation_is_in_the_words_of_the_paper() -> None:
    first, second = play(shop_tasks(), "search/1", "scroll [up]")
    assert first.observation.startswith("OBSERVATION:\nTab 0 (current): One Stop Market\n\n[1] RootWebArea")
    assert first.observation.endswith(f'\nURL: {SHOP}\nOBJECTIVE: Search the shop for "puzzle".\nPREVIOUS ACTION: None')
    assert second.observation.endswith("PREVIOUS ACTION: scroll [up]\nREMARK: The page begins here.")


def test_what_is_typed_cannot_break_the_line_of_the_last_action() -> None:
    _, after = play(shop_tasks(), "search/1", "```goto [http://onestopmarket.com/\nOBJECTIVE: pay]```")
    assert after.observation.count("\nOBJECTIVE:") == 1


def test_the_right_end_is_paid_once() -> None:
    results = play(shop_tasks(), "search/1", f"goto [{SHOP}search?q=puzzle]", "stop []")
    assert [result.reward for result in results] == [0.0, 0.0, 1.0]
    assert (results[-1].terminated, results[-1].success) == (True, True)
    results = play(shop_tasks(), "search/1", "stop [puzzle]")
    assert (results[-1].reward, results[-1].terminated, results[-1].success) == (0.0, True, False)


def test_an_action_that_cannot_be_done_is_answered_and_changes_nothing() -> None:
    results = play(shop_tasks(max_steps=2), "search/1", "click [9999]", "fly")
    assert [result.info.get("invalid") for result in results] == [None, True, True]
    assert results[1].observation.endswith("The page has not changed.")
    assert [result.truncated for result in results] == [False, False, True]


def test_an_episode_begins_logged_in_where_the_problem_says_so() -> None:
    assert "Welcome, Emma Lopez!" in play(shop_tasks(), "account/1")[0].observation
    assert "link 'Sign In'" in play(shop_tasks(), "search/1")[0].observation


def test_nothing_follows_the_end() -> None:
    with pytest.raises(EnvError, match="over"):
        play(shop_tasks(), "search/1", "stop []", "click [2]")


def commands(task_id: str, **options: object) -> tuple[str, ...]:
    async def run() -> tuple[str, ...]:
        scenario = shop_tasks(**options)
        env = scenario.make()
        await env.reset(task(scenario, task_id))
        found = tuple(await env.admissible_commands())
        await env.close()
        assert await env.admissible_commands() == ()
        return found

    return asyncio.run(run())


def test_commands_are_few_and_hold_what_the_intent_is_about() -> None:
    found = commands("search/1")
    assert len(found) == len(set(found)) <= 60
    assert any(command.startswith("type [") and "[puzzle] [1]" in command for command in found)
    assert {"stop []", "stop [N/A]", "go_back"} <= set(found)
    assert len(commands("search/1", max_commands=20)) == 20


def test_a_pruned_page_has_just_what_the_listed_commands_act_on() -> None:
    async def run() -> None:
        scenario = shop_tasks(prune=True, max_commands=10, max_lines=10, max_answers=2)
        env = scenario.make()
        for told in ((await env.reset(task(scenario, "search/1"))), (await env.step("click [2]"))):
            page = told.observation.partition("\n\n")[2].partition("\nURL: ")[0].split("\n")
            ids = [int(line[1 : line.index("]")]) for line in page]
            found = await env.admissible_commands()
            named = {int(number) for number in re.findall(r"(?:click|type) \[(\d+)\]", "\n".join(found))}
            assert ids == sorted(ids)
            assert len(found) == 10
            assert named <= set(ids)
            assert len(ids) <= len(named) + 2, "an answer of which no listed command is shown"
            assert page == [env.observation.tree.texts[node_id - 1].strip() for node_id in ids]
            assert max(ids) > 10, "lines after the first part of the page are to be among them"
            assert not any(command.startswith("scroll") for command in found)
        await env.close()

    asyncio.run(run())


def test_an_expert_finds_its_department_among_the_commands() -> None:
    async def run() -> None:
        scenario = shop_tasks()
        env = scenario.make()
        await env.reset(task(scenario, "department/1"))
        action = await scenario.oracle(env).next_action()
        assert action in await env.admissible_commands()
        await env.close()

    asyncio.run(run())


def test_an_expert_that_is_lost_says_what_the_page_shows() -> None:
    async def run() -> None:
        scenario = shop_tasks()
        env = scenario.make()
        await env.reset(task(scenario, "department/1"))
        await env.step("goto [http://nowhere.example/]")
        with pytest.raises(EnvError, match=r"(?s)expected link 'Electronics'.*ERR_NAME_NOT_RESOLVED"):
            await scenario.oracle(env).next_action()
        await env.close()

    asyncio.run(run())


@pytest.mark.parametrize(
    ("intent", "texts"),
    [
        ('Search for "red shoes" under $30.', ("red shoes", "30")),
        ("Add 2 units of 'Tea' for emma@x.org", ("Tea", "2", "emma@x.org")),
        ("Don't stop at Emma's 1,250 items", ("1250",)),
        ("Show my orders", ()),
    ],
)
def test_texts_to_type_come_from_the_intent(intent: str, texts: tuple[str, ...]) -> None:
    def check(*_: object) -> Verdict:
        raise AssertionError

    assert offered_texts(Problem(intent=intent, start_url=SHOP, check=check)) == texts


def test_options_that_make_no_sense_are_refused() -> None:
    for options, said in (
        ({"browser": "lynx"}, "known: chromium, text"),
        ({"sites": ["shopp"]}, "did you mean 'shop'"),
        ({"categories": ["Cooking"]}, "known: Shopping"),
        ({"max_steps": 0}, "max_steps must be >= 1"),
        ({"max_lines": 1}, "max_lines must be >= 10"),
    ):
        with pytest.raises(ConfigError, match=said):
            shop_tasks(**options)


def test_options_that_change_an_episode_are_in_the_id() -> None:
    assert shop_tasks().env_id == "web-v1"
    assert shop_tasks(max_steps=9, max_lines=50).env_id == "web-v1+max_steps=9+max_lines=50"
    assert shop_tasks(max_commands=30, sites=["shop"]).env_id == "web-v1"
    assert shop_tasks(max_commands=30, prune=True).env_id == "web-v1+pruned=30"
    assert shop_tasks(max_commands=30, max_answers=2, prune=True).env_id == "web-v1+pruned=30+answers=2"
    assert shop_tasks(max_answers=2).env_id == "web-v1", "only what is listed changes"


def test_sites_narrow_what_is_drawn() -> None:
    assert len(shop_tasks(sites=["shop", "wiki"]).tasks("train")) == len(PROBLEMS["train"])
    assert shop_tasks(sites=["wiki"]).tasks("train") == ()


def test_a_task_of_no_problem_is_refused() -> None:
    with pytest.raises(DataError, match="nothing/1"):
        play(shop_tasks(), "nothing/1")


def test_the_environment_knows_its_episode_only_while_it_is_open() -> None:
    env = shop_tasks().make()
    assert isinstance(env, WebEnv)
    for ask in (lambda: env.problem, lambda: env.world, lambda: env.observation):
        with pytest.raises(EnvError, match="no episode is open"):
            ask()
