"""MiniWoB++ in real Chromium: pages by scripts, seeds, rewards, and what can't be had by the address.

Needs the package ``miniwob`` and a Chromium; skipped without.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from functools import cache
from importlib.util import find_spec

import pytest

from sojourn.envs.contract import check_determinism, check_garbage, check_life, check_names, check_oracle, check_panels
from sojourn.errors import ConfigError, DataError, MissingDependencyError
from sojourn.types import StepResult, Task

pytestmark = pytest.mark.skipif(
    not (find_spec("miniwob") and find_spec("playwright")), reason="needs miniwob and playwright"
)

NAMES = (
    "choose-list",
    "click-button",
    "click-checkboxes",
    "click-link",
    "click-option",
    "click-test",
    "click-test-2",
    "enter-text",
    "focus-text",
    "login-user",
)


@pytest.fixture(scope="module", autouse=True)
def a_browser() -> Iterator[None]:
    from sojourn.envs.web.browser.chromium import close_chromium

    async def opened() -> None:
        env = scenario("click-test").make()
        await env.reset(scenario("click-test").tasks("train")[0])
        await env.close()

    try:
        asyncio.run(opened())
    except MissingDependencyError as error:
        pytest.skip(str(error))
    yield
    close_chromium()


@cache
def scenario(*names: str):  # type: ignore[no-untyped-def]  # playwright is imported only where it is
    from sojourn.envs.web.miniwob import MiniWob

    return MiniWob(names=names or None)


async def played(task: Task, *actions: str) -> list[StepResult]:
    env = scenario(*NAMES).make()
    results = [await env.reset(task)]
    results += [await env.step(action) for action in actions]
    await env.close()
    return results


def task(name: str, place: int = 0) -> Task:
    found: Task = scenario(name).tasks("test")[place]
    return found


def test_the_package_has_its_pages() -> None:
    assert len(scenario().panel("test").tasks) == 130
    assert len(scenario().tasks("train")) == 130_000
    check_names(scenario())
    check_panels(lambda: scenario(*NAMES))


def test_a_name_that_is_no_page_is_refused() -> None:
    with pytest.raises(ConfigError, match="click-test"):
        scenario("click-tes")


@pytest.mark.parametrize("name", NAMES)
def test_a_page_is_solved_by_its_script(name: str) -> None:
    for place in range(2):
        assert check_oracle(scenario(name), task(name, place), max_turns=12, admissible=False) is not None


def test_a_page_without_a_script_has_no_plan() -> None:
    assert check_oracle(scenario("click-pie"), task("click-pie")) is None


def test_seeds_make_other_instances_and_one_seed_the_same() -> None:
    first, again, other = (asyncio.run(played(task("enter-text", place)))[0].observation for place in (0, 0, 1))
    assert first == again
    assert first != other


def test_a_page_may_be_pruned_to_what_the_listed_commands_act_on() -> None:
    from sojourn.envs.web.miniwob import MiniWob

    pruned = MiniWob(names=["click-link"], prune=True, max_commands=8)
    assert pruned.env_id == f"{scenario().env_id}+pruned=8"

    async def run() -> None:
        env = pruned.make()
        told = await env.reset(pruned.tasks("test")[0])
        assert "RootWebArea" not in told.observation
        assert len(await env.admissible_commands()) <= 8
        await env.close()

    asyncio.run(run())


def test_the_wrong_button_ends_the_episode_below_zero() -> None:
    async def wrong() -> StepResult:
        env = scenario("click-test-2").make()
        await env.reset(task("click-test-2"))
        (button,) = env.observation.tree.find("button", "TWO")
        result = await env.step(f"click [{button}]")
        await env.close()
        return result

    result = asyncio.run(wrong())
    assert result.terminated
    assert result.reward < 0
    assert result.success is False


def test_giving_up_pays_nothing() -> None:
    result = asyncio.run(played(task("click-test"), "stop []"))[-1]
    assert (result.terminated, result.reward, result.success) == (True, 0.0, False)


def test_another_pages_reward_can_not_be_had() -> None:
    """An agent that knows the site's addresses gets no easier page, and can't report a reward itself."""
    results = asyncio.run(
        played(
            task("login-user"),
            "goto [http://miniwob.example.com/miniwob/click-test.html]",
            "goto [http://miniwob.example.com/report]",
            "goto [http://miniwob.example.com/miniwob/../../secret]",
        )
    )
    assert ["Not found" in result.observation for result in results[1:]] == [True, True, True]
    assert not any(result.terminated for result in results)


def test_an_environment_keeps_the_contract() -> None:
    tasks = [task("login-user"), task("click-checkboxes")]
    for each in tasks:
        check_life(scenario(*NAMES), each)
        check_garbage(scenario(*NAMES), each)
    check_determinism(lambda: scenario(*NAMES), tasks[0], tasks[1])
    with pytest.raises(DataError):
        asyncio.run(scenario().make().reset(Task(env_id="miniwob-v1", task_id="no-page/1", split="test", seed=1)))


def test_many_episodes_at_once_are_each_their_own() -> None:
    async def together() -> list[StepResult]:
        tasks = [task("enter-text", place) for place in range(4)]
        return [results[0] for results in await asyncio.gather(*(played(each) for each in tasks))]

    seen = [result.observation for result in asyncio.run(together())]
    alone = [asyncio.run(played(task("enter-text", place)))[0].observation for place in range(4)]
    assert seen == alone
    assert len(set(seen)) > 2
