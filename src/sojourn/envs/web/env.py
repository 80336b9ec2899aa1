"""One episode on our own sites as an `Env`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping

from sojourn.envs.web.browser.protocol import Browser, MakeBrowser, Observation
from sojourn.envs.web.browser.wsgi import WsgiApp
from sojourn.envs.web.episode import Ending, EpisodeEnv, EpisodeOracle, Limits
from sojourn.envs.web.problem import Problem, offered_texts
from sojourn.envs.web.sites.hosts import HOSTS, LOGINS
from sojourn.envs.web.sites.world import World
from sojourn.envs.web.view import View
from sojourn.types import Task

Resolve = Callable[[Task], Problem]
"""Task -> what it asks for; raises `DataError` for a task of another environment."""


class SitesEpisode:
    """A problem in a world of its own: reward 1, once, for ending it with `stop` when what was asked is done."""

    def __init__(self, problem: Problem, template: bytes) -> None:
        self.problem = problem
        self.world = World.restore(template)
        self.start_url, self.goal = problem.start_url, problem.intent
        self.cookies: Mapping[str, str] = {
            HOSTS[site]: self.world.log_in(site, LOGINS[site][0]) for site in problem.logged_in_sites
        }

    @property
    def app(self) -> WsgiApp:
        """The sites."""
        return self.world

    async def prepare(self, browser: Browser) -> None:
        """Nothing more to open."""

    async def judge(self, browser: Browser, seen: Observation, answer: str | None) -> Ending | None:
        """At the end, by the problem's own check."""
        if answer is None:
            return None
        verdict = self.problem.check(self.world, seen.url, answer)
        return Ending(reward=float(verdict.success), success=verdict.success, reason=verdict.reason)

    def texts(self) -> tuple[str, ...]:
        """What the problem says, and what its intent quotes."""
        return offered_texts(self.problem)

    def plan(self, view: View) -> AsyncIterator[str] | None:
        """The problem's plan."""
        return None if self.problem.plan is None else self.problem.plan(view)

    def close(self) -> None:
        """Drop the sites."""
        self.world.close()


class WebEnv(EpisodeEnv[SitesEpisode]):
    """An episode on our own sites."""

    def __init__(
        self,
        resolve: Resolve,
        template: Callable[[], bytes],
        make_browser: MakeBrowser,
        limits: Limits,
    ) -> None:
        async def begin(task: Task) -> SitesEpisode:
            return SitesEpisode(resolve(task), template())

        super().__init__(begin, make_browser, limits)

    @property
    def problem(self) -> Problem:
        """What is asked for. Raises `EnvError` when no episode is open."""
        return self.episode.problem

    @property
    def world(self) -> World:
        """The sites of the episode; for experts and viewers. Raises `EnvError` when none is open."""
        return self.episode.world


WebOracle = EpisodeOracle
"""Follows the plan of the episode's problem."""
