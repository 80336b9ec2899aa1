"""The expert on every template: both browsers show the same at every step, and leave the same sites."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from functools import cache

import pytest
from tests.webbrowsers import why_no_chromium

from sojourn.envs.web.scenario import BrowserName, Web
from sojourn.envs.web.tasks.catalog import TEMPLATES
from sojourn.types import Task

HORIZON = 60
PER_TEMPLATE = int(os.environ.get("SOJOURN_TEST_EXPERTS", "1"))
"""Tasks of each template that are played."""

_REASON = why_no_chromium()
pytestmark = pytest.mark.skipif(_REASON is not None, reason=_REASON or "")


@pytest.fixture(scope="module", autouse=True)
def _no_browser_is_left() -> Iterator[None]:
    yield
    from sojourn.envs.web.browser.chromium import close_chromium

    close_chromium()


@cache
def scenario(browser: BrowserName) -> Web:
    return Web(browser=browser, max_lines=5_000)  # whole pages are compared


def task_ids(template: str) -> list[str]:
    """The first tasks of a template, of whatever split."""
    text = scenario("text")
    found = [task.task_id for split in text.splits for task in text.tasks(split)]
    return [task_id for task_id in found if task_id.partition("/")[0] == template][:PER_TEMPLATE]


def task_of(browser: BrowserName, task_id: str) -> Task:
    return Task(env_id=scenario(browser).env_id, task_id=task_id, split="train", seed=0)


async def play_both(task_id: str) -> None:
    """The expert that reads the text browser's pages acts in both."""
    text, real = scenario("text").make(), scenario("chromium").make()
    try:
        told = await text.reset(task_of("text", task_id))
        shown = await real.reset(task_of("chromium", task_id))
        done: list[str] = []
        while text.is_live:
            assert (told.observation, told.info) == (shown.observation, shown.info), done
            action = await text.expert_action()
            assert action is not None, done
            assert action == await real.expert_action(), done
            done.append(action)
            assert len(done) <= HORIZON, done
            told, shown = await text.step(action), await real.step(action)
        assert (told, told.success) == (shown, True), done
        assert list(text.world.db.iterdump()) == list(real.world.db.iterdump()), done
    finally:
        await text.close()
        await real.close()


@pytest.mark.parametrize("template", TEMPLATES)
def test_an_experts_episode_is_the_same_in_both_browsers(template: str) -> None:
    played = task_ids(template)
    assert played, "a template without a task"
    for task_id in played:
        asyncio.run(play_both(task_id))
