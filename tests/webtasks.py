"""Playing tasks of the web environment in tests: an expert's episode, stopped where one likes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sojourn.envs.web.actions import Stop, parse
from sojourn.envs.web.browser.text import TextBrowser
from sojourn.envs.web.checks.diff import TableChange, changes
from sojourn.envs.web.problem import Problem, Verdict
from sojourn.envs.web.scenario import known_hosts
from sojourn.envs.web.sites.hosts import HOSTS, LOGINS
from sojourn.envs.web.sites.world import World, template
from sojourn.envs.web.view import View

BROWSED = known_hosts(HOSTS)


@dataclass(frozen=True, kw_only=True)
class End:
    """Where an expert stops: the state, the page and the answer."""

    state: bytes
    url: str
    answer: str
    num_steps: int
    changes: dict[str, TableChange]


async def _played(problem: Problem) -> End:
    world = World.restore(template())
    browser = TextBrowser(world, hosts=BROWSED)
    cookies = {HOSTS[site]: world.log_in(site, LOGINS[site][0]) for site in problem.logged_in_sites}
    await browser.open(problem.start_url, cookies)
    seen = await browser.observe()
    shown = [seen]
    assert problem.plan is not None
    num_steps = 0
    try:
        async for text in problem.plan(View(lambda: shown[0])):
            num_steps += 1
            action = parse(text)
            if isinstance(action, Stop):
                found = changes(world.db, template(), ignored=["web_session"])
                return End(
                    state=world.snapshot(), url=seen.url, answer=action.answer, num_steps=num_steps, changes=found
                )
            await browser.act(action)
            shown[0] = seen = await browser.observe()
    finally:
        await browser.close()
        world.close()
    raise AssertionError(f"the plan of {problem.intent!r} ends without stop")


def played(problem: Problem) -> End:
    """The end of the expert's episode, not judged yet."""
    return asyncio.run(_played(problem))


async def _started(problem: Problem) -> tuple[bytes, str]:
    world = World.restore(template())
    browser = TextBrowser(world, hosts=BROWSED)
    cookies = {HOSTS[site]: world.log_in(site, LOGINS[site][0]) for site in problem.logged_in_sites}
    await browser.open(problem.start_url, cookies)
    seen = await browser.observe()
    state = world.snapshot()
    await browser.close()
    world.close()
    return state, seen.url


def started(problem: Problem) -> tuple[bytes, str]:
    """State and address at the beginning."""
    return asyncio.run(_started(problem))


def judged(problem: Problem, end: End, **changed: Any) -> Verdict:
    """The verdict on an end, with another ``url`` or ``answer``, or after ``edit`` (a function of the world)."""
    edit: Callable[[World], object] | None = changed.pop("edit", None)
    world = World.restore(changed.pop("state", end.state))
    try:
        if edit is not None:
            edit(world)
        return problem.check(world, changed.pop("url", end.url), changed.pop("answer", end.answer))
    finally:
        world.close()
