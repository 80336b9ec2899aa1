"""The real applications as a `Scenario` with one split: nothing is written for training on them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence

from sojourn.envs.protocol import Env, Panel
from sojourn.envs.web.browser.protocol import MAX_LINES, Browser, Observation
from sojourn.envs.web.browser.wsgi import WsgiApp
from sojourn.envs.web.checks.diff import TableChange, changes
from sojourn.envs.web.commands import MAX_ANSWERS
from sojourn.envs.web.episode import Ending, EpisodeEnv, EpisodeOracle, in_a_thread, one_by_one
from sojourn.envs.web.options import BrowserName, browser_maker, check_browser, checked_limits, env_id, instructions
from sojourn.envs.web.problem import texts_in
from sojourn.envs.web.view import View
from sojourn.envs.web.webapps.effects import SIDE_EFFECTS
from sojourn.envs.web.webapps.hosts import HOSTS
from sojourn.envs.web.webapps.seed.template import templates
from sojourn.envs.web.webapps.tasks.all_tasks import all_tasks
from sojourn.envs.web.webapps.tasks.task import AppTask, Look
from sojourn.envs.web.webapps.world import AppsWorld
from sojourn.errors import DataError, unknown_name
from sojourn.types import Task

CATEGORIES = ("shop", "dashboard", "forum", "tracker", "across")
PAGE_S = 60.0
"""Seconds that an application may take for a page; it runs in a thread, so that other episodes go on."""

_VERSION = "webapps-v1"
_SPLIT = "test"
_AIM = "Use a shop, a forum and a tracker of tickets to do what the objective says."


class WebApps:
    """Oscar (shop and dashboard), Spirit (forum) and Trac (tickets, wiki): 75 tasks, one split, ``test``.

    `browser` is ``text`` or ``chromium``; `categories` narrows the tasks; `max_steps` is the environment's own limit
    (absent: only the rollout's horizon cuts), `max_lines` of a page are shown at once, `max_commands` are listed,
    `max_answers` of them answers, and with `prune` only what these act on is shown.
    """

    example_command = "click [12]"
    splits = (_SPLIT,)

    def __init__(
        self,
        *,
        browser: BrowserName = "text",
        categories: Sequence[str] | None = None,
        max_steps: int | None = None,
        max_lines: int = MAX_LINES,
        max_commands: int = 60,
        max_answers: int = MAX_ANSWERS,
        prune: bool = False,
    ) -> None:
        check_browser(browser)
        for name in categories or ():
            if name not in CATEGORIES:
                raise unknown_name("category", name, CATEGORIES)
        self._limits = checked_limits(
            max_steps=max_steps, max_lines=max_lines, max_commands=max_commands, max_answers=max_answers, prune=prune
        )
        self._browser = browser
        self._categories = frozenset(categories or CATEGORIES)
        self._make_browser = browser_maker(browser, frozenset(HOSTS.values()), max_lines, deadline_s=PAGE_S)
        self._env_id = env_id(_VERSION, self._limits, browser=browser, max_lines=max_lines)
        templates()  # the applications are loaded, or found missing, before an episode waits for them

    @property
    def env_id(self) -> str:
        """``webapps-v1`` and every option that changes an episode."""
        return self._env_id

    @property
    def instructions(self) -> str:
        """The actions and the sites."""
        sites = [f"http://{host} ({site})" for site, host in HOSTS.items()]
        return f"{instructions(_AIM, sites)} You are logged in where the objective does not say otherwise."

    def tasks(self, split: str) -> tuple[Task, ...]:
        """All tasks by application; there is only one split."""
        if split != _SPLIT:
            raise unknown_name("split", split, self.splits)
        listed = [task for task in all_tasks().values() if task.category in self._categories]
        return tuple(
            Task(env_id=self._env_id, task_id=task.name, split=_SPLIT, seed=0, category=task.category)
            for task in listed
        )

    def panel(self, split: str) -> Panel:
        """All tasks."""
        return Panel(name=f"{self._env_id}/{split}", tasks=self.tasks(split))

    def make(self) -> EpisodeEnv[AppsEpisode]:
        """A fresh environment for one episode."""
        return EpisodeEnv(in_a_thread(self._begin), self._make_browser, self._limits)

    def oracle(self, env: Env) -> EpisodeOracle:
        """The task's script."""
        if not isinstance(env, EpisodeEnv):
            raise TypeError(f"expected an environment made by this scenario, got {type(env).__name__}")
        return EpisodeOracle(env)

    def _begin(self, task: Task) -> AppsEpisode:
        found = all_tasks().get(task.task_id)
        if task.env_id != self._env_id or found is None:
            raise DataError(f"expected a task of {self._env_id}, got {task.task_id!r} of {task.env_id!r}")
        return AppsEpisode(found, has_script=self._browser == "text")


class AppsEpisode:
    """One task in a world of its own."""

    def __init__(self, task: AppTask, *, has_script: bool) -> None:
        self._task = task
        self._has_script = has_script
        self._world = AppsWorld.restore(templates())
        self.start_url = task.start
        self.cookies: Mapping[str, str] = AppsWorld.cookies(task.shop_user)
        self.goal = task.goal

    @property
    def app(self) -> WsgiApp:
        """The applications."""
        return self._world

    async def prepare(self, browser: Browser) -> None:
        """Nothing more to open."""

    async def judge(self, browser: Browser, seen: Observation, answer: str | None) -> Ending | None:
        """At the end: whether the answer is right and the databases are exactly as they should be."""
        if answer is None:
            return None
        if self._task.answer is not None and not self._task.answer.is_given_by(answer):
            return Ending(reward=0.0, success=False, reason=f"expected the answer {self._task.answer.value!r}")
        found: dict[str, TableChange] = {}
        for name, database in self._world.episode.databases.items():
            found |= changes(database, templates()[name])
        if not self._task.end.is_reached(found, SIDE_EFFECTS):
            return Ending(
                reward=0.0, success=False, reason=f"the state is another one: {', '.join(found) or 'unchanged'}"
            )
        return Ending(reward=1.0, success=True, reason="done")

    def texts(self) -> tuple[str, ...]:
        """What the goal quotes, and its numbers."""
        return texts_in(self.goal)

    def plan(self, view: View) -> AsyncIterator[str] | None:
        """The task's script. There is none for Chromium, where style sheets hide menus and write names otherwise."""
        if not self._has_script:
            return None
        return one_by_one(self._task.solve(Look(lambda: view.tree)))

    def close(self) -> None:
        """Free the databases."""
        self._world.close()
