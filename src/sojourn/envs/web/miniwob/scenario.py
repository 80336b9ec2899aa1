"""MiniWoB++ as a `Scenario`: a task is a page and a seed; Chromium only, for the pages are scripts."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Mapping, Sequence
from functools import partial

from sojourn.envs.protocol import Env, Panel
from sojourn.envs.task_list import TaskList
from sojourn.envs.web.browser.chromium import ChromiumBrowser
from sojourn.envs.web.browser.chromium.launch import require_chromium
from sojourn.envs.web.browser.protocol import MAX_LINES, Browser, Observation
from sojourn.envs.web.browser.wsgi import WsgiApp
from sojourn.envs.web.commands import MAX_ANSWERS
from sojourn.envs.web.episode import Ending, EpisodeEnv, EpisodeOracle, in_a_thread, one_by_one
from sojourn.envs.web.miniwob.app import HOST, MiniWobApp, task_names
from sojourn.envs.web.miniwob.solvers import SOLVERS
from sojourn.envs.web.options import checked_limits, env_id, instructions_ending
from sojourn.envs.web.problem import texts_in
from sojourn.envs.web.view import View
from sojourn.errors import ConfigError, DataError, EnvError, unknown_name
from sojourn.types import Task

SEEDS: Mapping[str, range] = {"train": range(1_000), "validation": range(1_000, 1_100), "test": range(1_100, 1_200)}
"""split -> the seeds of its instances of each page."""

_VERSION = "miniwob-v1"


class MiniWob:
    """The pages of MiniWoB++ (all of them, or those called `names`) under a thousand seeds each.

    The reward is MiniWoB++'s own, in [-1, 1], without its discount for time; an episode is a success at 1. Many pages
    want a pointer or eyes, and an agent that sees a tree has no way to do them: choose `names`.
    """

    example_command = "click [12]"
    splits = tuple(SEEDS)

    def __init__(
        self,
        *,
        names: Sequence[str] | None = None,
        max_steps: int | None = None,
        max_lines: int = MAX_LINES,
        max_commands: int = 60,
        max_answers: int = MAX_ANSWERS,
        prune: bool = False,
    ) -> None:
        for name in names or ():
            if name not in task_names():
                raise unknown_name("MiniWoB++ task", name, task_names())
        if names is not None and not names:
            raise ConfigError("names must hold at least one MiniWoB++ task, got none")
        require_chromium()
        self._limits = checked_limits(
            max_steps=max_steps, max_lines=max_lines, max_commands=max_commands, max_answers=max_answers, prune=prune
        )
        self._names = task_names() if names is None else tuple(sorted(set(names)))
        self._max_lines = max_lines
        self._env_id = env_id(_VERSION, self._limits, browser="text", max_lines=max_lines)

    @property
    def env_id(self) -> str:
        """``miniwob-v1`` and every option that changes an episode."""
        return self._env_id

    @property
    def instructions(self) -> str:
        """The actions."""
        aim = "Do what the objective says on a small web page."
        return instructions_ending(aim, "The page itself notices when the objective is done, or failed; stop gives up.")

    def tasks(self, split: str) -> Sequence[Task]:
        """Every page under the split's first seed, then under its second, and so on."""
        if split not in SEEDS:
            raise unknown_name("split", split, SEEDS)
        places = range(len(self._names) * len(SEEDS[split]))
        return TaskList(places, partial(self._task, split))

    def _task(self, split: str, place: int) -> Task:
        turn, which = divmod(place, len(self._names))
        name, seed = self._names[which], SEEDS[split][turn]
        return Task(env_id=self._env_id, task_id=f"{name}/{seed}", split=split, seed=seed, category=name)

    def panel(self, split: str) -> Panel:
        """Every page under the split's first seed; with few pages, under as many seeds as make a hundred tasks."""
        tasks = self.tasks(split)
        count = min(len(tasks), max(len(self._names), 100 // len(self._names) * len(self._names)))
        names = hashlib.sha256(",".join(self._names).encode()).hexdigest()[:8]
        suffix = "" if self._names == task_names() else f"/names={names}"
        return Panel(name=f"{self._env_id}/{split}{suffix}", tasks=tuple(tasks[:count]))

    def make(self) -> EpisodeEnv[MiniWobEpisode]:
        """A fresh environment for one episode."""
        return EpisodeEnv(in_a_thread(self._begin), self._browser, self._limits)

    def oracle(self, env: Env) -> EpisodeOracle:
        """The page's script; there is one for the pages in `SOLVERS`."""
        if not isinstance(env, EpisodeEnv):
            raise TypeError(f"expected an environment made by this scenario, got {type(env).__name__}")
        return EpisodeOracle(env)

    def _browser(self, app: WsgiApp) -> Browser:
        return ChromiumBrowser(app, frozenset({HOST}), max_lines=self._max_lines)

    def _begin(self, task: Task) -> MiniWobEpisode:
        name, slash, seed = task.task_id.partition("/")
        if task.env_id != self._env_id or not slash or not seed.isdigit():
            raise DataError(f"expected a task of {self._env_id}, got {task.task_id!r} of {task.env_id!r}")
        return MiniWobEpisode(name, int(seed))


class MiniWobEpisode:
    """One page under one seed."""

    cookies: Mapping[str, str] = {}

    def __init__(self, name: str, seed: int) -> None:
        self._name = name
        self._page = MiniWobApp(name, seed)
        self.start_url = self._page.url

    @property
    def app(self) -> WsgiApp:
        """The page."""
        return self._page

    @property
    def goal(self) -> str:
        """What the page asks for. Raises `EnvError` where it has not said so: its script did not run."""
        if self._page.reported.goal is None:
            raise EnvError(f"MiniWoB++ {self._name}: the page did not start")
        return self._page.reported.goal

    async def prepare(self, browser: Browser) -> None:
        """Nothing more to open."""

    async def judge(self, browser: Browser, seen: Observation, answer: str | None) -> Ending | None:
        """The page's own reward once it has given one; 0 for giving up."""
        reward = self._page.reported.reward
        if reward is not None:
            return Ending(reward=reward, success=reward >= 1, reason=f"the page gave {reward:g}")
        return None if answer is None else Ending(reward=0.0, success=False, reason="given up")

    def texts(self) -> tuple[str, ...]:
        """What the goal quotes, and its numbers."""
        return texts_in(self.goal)

    def plan(self, view: View) -> AsyncIterator[str] | None:
        """The page's script, if there is one."""
        solver = SOLVERS.get(self._name)
        return None if solver is None else one_by_one(solver(self.goal, lambda: view.tree))

    def close(self) -> None:
        """Nothing is held."""
