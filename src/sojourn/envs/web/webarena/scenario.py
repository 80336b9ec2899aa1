"""The official WebArena as a `Scenario`: 812 tasks on its own sites, wherever they are, on Chromium."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Mapping
from functools import cached_property
from typing import Literal, get_args

from sojourn.envs.protocol import Env, Panel
from sojourn.envs.web.actions import Goto, NewTab, TabFocus
from sojourn.envs.web.browser.chromium import ChromiumBrowser
from sojourn.envs.web.browser.chromium.launch import require_chromium
from sojourn.envs.web.browser.protocol import MAX_LINES, Browser, Observation
from sojourn.envs.web.browser.wsgi import WsgiApp
from sojourn.envs.web.commands import MAX_ANSWERS
from sojourn.envs.web.episode import Ending, EpisodeEnv, EpisodeOracle, in_a_thread
from sojourn.envs.web.options import checked_limits, env_id, instructions
from sojourn.envs.web.problem import texts_in
from sojourn.envs.web.view import View
from sojourn.envs.web.webarena.answers import final_answer
from sojourn.envs.web.webarena.checks import Ending as Judged
from sojourn.envs.web.webarena.checks import Judge, original_reward
from sojourn.envs.web.webarena.helpers import helpers_on
from sojourn.envs.web.webarena.judge import ChatJudge
from sojourn.envs.web.webarena.login import LOG_INS, log_in
from sojourn.envs.web.webarena.page import EndPage
from sojourn.envs.web.webarena.panels import category, paper_test_ids, paper_train_ids, remaining_ids
from sojourn.envs.web.webarena.proxy import SiteProxy
from sojourn.envs.web.webarena.sites import SHOWN, Sites, host_of, sites_from
from sojourn.envs.web.webarena.tasks import OfficialTask, official_task
from sojourn.envs.web.webarena.verified import DEFECTIVE, Verified, interpreter
from sojourn.errors import ConfigError, DataError, EnvError, unknown_name
from sojourn.types import Task

Evaluator = Literal["verified", "original"]

SESSION_S = 3_000.0
"""Seconds after which a log-in is made anew; WebArena's sites end sessions after an hour."""
PAGE_S = 60.0
"""Seconds that a page of a real site may take."""

_VERSION = "webarena-v1"


class WebArena:
    """WebArena's tasks; `SHOPPING`, `SHOPPING_ADMIN`, `REDDIT`, `GITLAB`, `MAP`, `WIKIPEDIA`, `HOMEPAGE` say where.

    `evaluator` is ``verified`` (webarena-verified: typed answers and recorded requests) or ``original`` (the first
    checks; with `judge_url` and `judge_model`, an OpenAI-compatible server, also those that a language model judges).
    A task that can't be judged is left out of every split, never paid 0. The splits are the paper's ``train`` (372)
    and ``test`` (50), and ``other`` (390). The sites keep what agents do to them: nothing here resets them.
    """

    example_command = "click [12]"
    splits = ("train", "test", "other")

    def __init__(
        self,
        *,
        evaluator: Evaluator = "verified",
        judge_url: str | None = None,
        judge_model: str | None = None,
        max_steps: int | None = None,
        max_lines: int = MAX_LINES,
        max_commands: int = 60,
        max_answers: int = MAX_ANSWERS,
        prune: bool = False,
    ) -> None:
        if evaluator not in get_args(Evaluator):
            raise unknown_name("WebArena evaluator", evaluator, get_args(Evaluator))
        if (judge_url is None) != (judge_model is None):
            raise ConfigError("judge_url and judge_model belong together; one is missing")
        if judge_url is not None and evaluator != "original":
            raise ConfigError("judge_url is for evaluator='original': webarena-verified has no judge")
        self._limits = checked_limits(
            max_steps=max_steps, max_lines=max_lines, max_commands=max_commands, max_answers=max_answers, prune=prune
        )
        self._sites = sites_from(os.environ)
        require_chromium()
        self._verified = Verified(interpreter(), self._sites.addresses)
        self._evaluator = evaluator
        self._judge: Judge | None = ChatJudge(judge_url, judge_model) if judge_url and judge_model else None
        self._max_lines = max_lines
        suffix = "" if evaluator == "verified" else f"+evaluator={evaluator}"
        suffix += f"+judge={judge_model}" if judge_model else ""
        self._env_id = env_id(_VERSION, self._limits, browser="text", max_lines=max_lines) + suffix
        self._sessions: dict[str, tuple[float, str]] = {}

    @property
    def env_id(self) -> str:
        """``webarena-v1`` and every option that changes an episode or its judgement."""
        return self._env_id

    @property
    def instructions(self) -> str:
        """The actions and the sites."""
        return instructions("Navigate web sites to do what the objective says.", SHOWN.values())

    @cached_property
    def official(self) -> Mapping[int, OfficialTask]:
        """All 812 tasks, by WebArena's numbers."""
        return {task.number: task for task in map(official_task, self._verified.tasks())}

    def left_out(self, split: str) -> tuple[int, ...]:
        """The numbers of the split's tasks that can't be judged as configured."""
        return tuple(number for number in _numbers(split) if not self._is_judged(self.official[number]))

    def tasks(self, split: str) -> tuple[Task, ...]:
        """The split's tasks that can be judged, in the paper's order."""
        judged = [number for number in _numbers(split) if self._is_judged(self.official[number])]
        return tuple(
            Task(
                env_id=self._env_id,
                task_id=str(number),
                split=split,
                seed=0,
                category=category(self.official[number].sites),
            )
            for number in judged
        )

    def panel(self, split: str) -> Panel:
        """All tasks of the split."""
        return Panel(name=f"{self._env_id}/{split}", tasks=self.tasks(split))

    def make(self) -> EpisodeEnv[OfficialEpisode]:
        """A fresh environment for one episode."""
        return EpisodeEnv(in_a_thread(self._begin), self._browser, self._limits)

    def oracle(self, env: Env) -> EpisodeOracle:
        """Nobody has scripts for these tasks: its plan is none."""
        if not isinstance(env, EpisodeEnv):
            raise TypeError(f"expected an environment made by this scenario, got {type(env).__name__}")
        return EpisodeOracle(env)

    def close(self) -> None:
        """End the evaluators' process."""
        self._verified.close()

    def _is_judged(self, task: OfficialTask) -> bool:
        if self._evaluator == "verified":
            return task.number not in DEFECTIVE
        return self._judge is not None or not task.original.needs_judge

    def _browser(self, app: WsgiApp) -> Browser:
        return ChromiumBrowser(app, self._sites.hosts, max_lines=self._max_lines, deadline_s=PAGE_S)

    def _begin(self, task: Task) -> OfficialEpisode:
        number = int(task.task_id) if task.task_id.isdigit() else -1
        if task.env_id != self._env_id or number not in self.official:
            raise DataError(f"expected a task of {self._env_id}, got {task.task_id!r} of {task.env_id!r}")
        official = self.official[number]
        cookies = {
            host_of(SHOWN[name]): self._session(name) for name in map(str.upper, official.sites) if name in LOG_INS
        }
        return OfficialEpisode(
            official,
            self._sites,
            cookies,
            verified=self._verified if self._evaluator == "verified" else None,
            judge=self._judge,
        )

    def _session(self, site: str) -> str:
        """A session's cookies on a site; shared by the episodes, as WebArena's are."""
        made, cookies = self._sessions.get(site, (0.0, ""))
        if not cookies or time.monotonic() - made > SESSION_S:
            cookies = log_in(self._sites, site)
            self._sessions[site] = (time.monotonic(), cookies)
        return cookies


def _numbers(split: str) -> tuple[int, ...]:
    lists = {"train": paper_train_ids, "test": paper_test_ids, "other": remaining_ids}
    if split not in lists:
        raise unknown_name("split", split, lists)
    return lists[split]()


class OfficialEpisode:
    """One official task. Without `verified` the first data set's checks judge it."""

    def __init__(
        self,
        task: OfficialTask,
        sites: Sites,
        cookies: Mapping[str, str],
        *,
        verified: Verified | None,
        judge: Judge | None,
    ) -> None:
        self._task = task
        self._sites = sites
        self._proxy = SiteProxy(sites)
        self._verified = verified
        self._judge = judge
        self.cookies = cookies
        self.start_url, *self._further = (sites.shown(sites.filled(url)) for url in task.start_urls)
        self.goal = task.intent if verified else task.original.intent

    @property
    def app(self) -> WsgiApp:
        """The way to the sites."""
        return self._proxy

    async def prepare(self, browser: Browser) -> None:
        """Open the other first pages in tabs of their own, and return to the first."""
        for url in self._further:
            await browser.act(NewTab())
            await browser.act(Goto(url=url))
        if self._further:
            await browser.act(TabFocus(index=0))

    async def judge(self, browser: Browser, seen: Observation, answer: str | None) -> Ending | None:
        """At the end, by the evaluators. Raises `EnvError` where they can't."""
        if answer is None:
            return None
        if self._verified is not None:
            # in a thread: the evaluators answer one call at a time
            return await asyncio.to_thread(self._by_requests, self._verified, answer)
        assert isinstance(browser, ChromiumBrowser), "the scenario makes no other"
        ending = Judged(
            answer=answer,
            page=EndPage(browser, self._sites, seen.url),
            sites=self._sites,
            judge=self._judge,
            helpers=helpers_on(self._sites),
        )
        try:
            reward = await original_reward(self._task.original, ending)
        except DataError as error:
            raise EnvError(f"task {self._task.number} can't be judged: {error}") from error
        return Ending(reward=reward, success=reward == 1, reason="by the original checks")

    def _by_requests(self, verified: Verified, answer: str) -> Ending:
        record = final_answer(answer, kind=self._task.kind, item=self._task.item)
        verdict = verified.evaluate(self._task.number, record, self._proxy.events)
        said = ", ".join(f"{name} {part:g}" for name, part in verdict.parts)
        return Ending(reward=verdict.reward, success=verdict.reward == 1, reason=said)

    def texts(self) -> tuple[str, ...]:
        """What the goal quotes, and its numbers."""
        return texts_in(self.goal)

    def plan(self, view: View) -> AsyncIterator[str] | None:
        """There is none."""
        return None

    def close(self) -> None:
        """Forget what was recorded."""
        self._proxy.events.clear()
