"""Web navigation as a `Scenario`: tasks, splits, panels and options."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sojourn.envs.protocol import Env, Panel
from sojourn.envs.web.browser.protocol import MAX_LINES
from sojourn.envs.web.commands import MAX_ANSWERS
from sojourn.envs.web.env import WebEnv, WebOracle
from sojourn.envs.web.options import BrowserName, browser_maker, check_browser, checked_limits, env_id, instructions
from sojourn.envs.web.problem import Entry, Problem, ProblemSet
from sojourn.envs.web.sites.hosts import HOSTS
from sojourn.envs.web.sites.world import template
from sojourn.envs.web.tasks.problems import TemplateProblems
from sojourn.errors import ConfigError, DataError, unknown_name
from sojourn.types import Task

PANEL_TASKS = 120
"""Tasks of a panel, if its split has as many."""

_VERSION = "web-v1"
_AIM = "Navigate web sites to do what the objective says."


class Web:
    """Seven sites, with tasks that ask for information, for a page, or for a change.

    `browser` is ``text`` (in process) or ``chromium`` (a real one). `sites`, `categories` and `templates` narrow what
    is drawn: a task stays if all its sites, its category and its template are named. `problems` are other tasks than
    those of the templates. `max_steps` is the environment's own limit (absent: only the rollout's horizon cuts);
    `max_lines` of a page are shown at once, the rest after `scroll`. `max_commands` bounds the admissible commands that
    are listed, `max_answers` the answers among them (0 where no task asks for one); any action is taken. With `prune`,
    of the whole page an agent sees only the lines that the listed commands act on or answer with, as methods do that
    rank elements first: short pages for small policies, with nothing to scroll.
    """

    example_command = "click [12]"

    def __init__(
        self,
        *,
        browser: BrowserName = "text",
        sites: Sequence[str] | None = None,
        categories: Sequence[str] | None = None,
        templates: Sequence[str] | None = None,
        problems: ProblemSet | None = None,
        max_steps: int | None = None,
        max_lines: int = MAX_LINES,
        max_commands: int = 60,
        max_answers: int = MAX_ANSWERS,
        prune: bool = False,
    ) -> None:
        check_browser(browser)
        self._limits = checked_limits(
            max_steps=max_steps, max_lines=max_lines, max_commands=max_commands, max_answers=max_answers, prune=prune
        )
        for site in sites or ():
            if site not in HOSTS:
                raise unknown_name("Web site", site, HOSTS)
        if problems is not None and templates is not None:
            raise ConfigError("Web: `templates` are of the tasks that come along, got `problems` too: give one of them")
        self._problems = TemplateProblems(templates) if problems is None else problems
        self._sites = None if sites is None else frozenset(sites)
        self._categories = None if categories is None else frozenset(categories)
        self._check_categories()
        # what our own sites answer is quick, and a thread that could be left alone would cost every step of them
        self._make_browser = browser_maker(browser, known_hosts(HOSTS), max_lines, deadline_s=None)
        self._env_id = env_id(_VERSION, self._limits, browser=browser, max_lines=max_lines)
        self._tasks: dict[str, tuple[Task, ...]] = {}

    def _check_categories(self) -> None:
        if self._categories is None:
            return
        known = {entry.category for split in self._problems.splits for entry in self._problems.entries(split)}
        for category in sorted(self._categories):
            if category not in known:
                raise unknown_name("Web category", category, known)

    @property
    def env_id(self) -> str:
        """``web-v1`` and every option that changes an episode."""
        return self._env_id

    @property
    def instructions(self) -> str:
        """The actions and the sites."""
        return instructions(_AIM, [f"http://{host} ({site})" for site, host in HOSTS.items()])

    @property
    def splits(self) -> tuple[str, ...]:
        """The splits of the task layer."""
        return tuple(self._problems.splits)

    def tasks(self, split: str) -> tuple[Task, ...]:
        """The tasks of a split that the options let through, in their order."""
        if split not in self.splits:
            raise unknown_name("Web split", split, self.splits)
        if split not in self._tasks:
            entries = [entry for entry in self._problems.entries(split) if self._is_drawn(entry)]
            self._tasks[split] = tuple(self._task(entry, split) for entry in entries)
        return self._tasks[split]

    def panel(self, split: str) -> Panel:
        """The first tasks of the split, which lists its categories and templates in turn."""
        return Panel(name=f"{self._env_id}/{split}", tasks=self.tasks(split)[:PANEL_TASKS])

    def _is_drawn(self, entry: Entry) -> bool:
        is_site = self._sites is None or self._sites.issuperset(entry.sites)
        return is_site and (self._categories is None or entry.category in self._categories)

    def _task(self, entry: Entry, split: str) -> Task:
        return Task(env_id=self._env_id, task_id=entry.task_id, split=split, seed=0, category=entry.category)

    def resolve(self, task: Task) -> Problem:
        """What a task asks for; its seed does not matter, for nothing is left to chance."""
        if task.env_id != self._env_id:
            raise DataError(f"expected a task of {self._env_id}, got {task.task_id!r} of {task.env_id!r}")
        return self._problems.problem(task.task_id)

    def make(self) -> WebEnv:
        """A fresh environment for one episode."""
        return WebEnv(self.resolve, template, self._make_browser, self._limits)

    def oracle(self, env: Env) -> WebOracle:
        """The plan of the problem that `env` is in."""
        if not isinstance(env, WebEnv):
            raise TypeError(f"expected an environment made by this scenario, got {type(env).__name__}")
        return WebOracle(env)


def known_hosts(hosts: Mapping[str, str]) -> frozenset[str]:
    """The hosts that an episode can reach: those of the sites, with and without ``www.``."""
    return frozenset(hosts.values()) | {f"www.{host}" for host in hosts.values()}
