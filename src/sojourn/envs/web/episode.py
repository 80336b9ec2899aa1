"""One episode in a browser as an `Env`, whatever its sites are: our own, real applications, WebArena's, MiniWoB++'s.

Agents see and do the same everywhere; an `Episode` gives the sites, the first page, the judgement and the expert.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, Generic, Protocol, TypeVar

from sojourn.envs.web.actions import Action, ActionError, Stop, parse, render
from sojourn.envs.web.browser.protocol import Browser, MakeBrowser, Observation
from sojourn.envs.web.browser.wsgi import WsgiApp
from sojourn.envs.web.commands import Listing, listed
from sojourn.envs.web.view import View
from sojourn.errors import EnvError
from sojourn.types import StepResult, Task

_MAX_SHOWN_ACTION = 300


@dataclass(frozen=True, kw_only=True, slots=True)
class Ending:
    """How an episode was judged."""

    reward: float
    success: bool
    reason: str
    """For the record; an agent never sees it."""


class Episode(Protocol):
    """The sites and the task of one episode."""

    @property
    def app(self) -> WsgiApp:
        """The sites, told apart by host."""

    @property
    def start_url(self) -> str:
        """The page that the first tab shows."""

    @property
    def cookies(self) -> Mapping[str, str]:
        """host -> ``Cookie`` header to begin with."""

    @property
    def goal(self) -> str:
        """What the agent is told to do; asked for once the first page is there."""

    async def prepare(self, browser: Browser) -> None:
        """What else to open before the agent looks."""

    async def judge(self, browser: Browser, seen: Observation, answer: str | None) -> Ending | None:
        """After ``stop [answer]`` the judgement; after another action (no answer) None, unless the page has ended it.

        Raises `EnvError` where it can't judge: that is never a reward of 0.
        """

    def texts(self) -> tuple[str, ...]:
        """What may have to be typed."""

    def plan(self, view: View) -> AsyncIterator[str] | None:
        """The actions of an expert, who sees `view`; None where there is none."""

    def close(self) -> None:
        """Free what the episode holds; may be called twice."""


E = TypeVar("E", bound=Episode)


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """Bounds of an episode."""

    max_steps: int | None
    """Steps after which the environment cuts it; None: only the rollout does."""
    max_commands: int
    """Admissible commands that are listed at most."""
    max_answers: int
    """Answers among them at most."""
    prunes: bool = False
    """Whether of each page only the lines are shown that the listed commands act on or answer with."""


class _State(Enum):
    NEW = auto()
    LIVE = auto()
    OVER = auto()
    CLOSED = auto()


class EpisodeEnv(Generic[E]):
    """An episode, begun by `begin`, in the browser of `make_browser`.

    An action that cannot be read or done changes nothing, counts as a step, and has ``info["invalid"]`` set.
    """

    def __init__(
        self,
        begin: Callable[[Task], Awaitable[E]],
        make_browser: MakeBrowser,
        limits: Limits,
    ) -> None:
        self._begin = begin
        self._make_browser = make_browser
        self._limits = limits
        self._state = _State.NEW
        self._num_steps = 0
        self._previous = "None"
        self._episode: E | None = None
        self._browser: Browser | None = None
        self._seen: Observation | None = None
        self._listed: tuple[Observation, Listing] | None = None
        self._plan: AsyncIterator[str] | None = None
        self._planned: tuple[int, str | None] | None = None

    @property
    def is_live(self) -> bool:
        """Whether a step may follow."""
        return self._state is _State.LIVE

    @property
    def episode(self) -> E:
        """The sites and the task. Raises `EnvError` when no episode is open."""
        if self._episode is None:
            raise EnvError("Web: no episode is open (reset first, and not after close)")
        return self._episode

    @property
    def observation(self) -> Observation:
        """What the browser shows. Raises `EnvError` when no episode is open."""
        if self._seen is None:
            raise EnvError("Web: no episode is open (reset first, and not after close)")
        return self._seen

    async def reset(self, task: Task) -> StepResult:
        """Begin at the task's first page. Raises `DataError` for a task of another environment."""
        if self._state is not _State.NEW:
            raise EnvError(f"Web: reset of an environment that is {self._state.name.lower()}; make a fresh one")
        self._episode = await self._begin(task)
        self._browser = self._make_browser(self._episode.app)
        await self._browser.open(self._episode.start_url, self._episode.cookies)
        await self._episode.prepare(self._browser)
        self._seen = await self._browser.observe()
        self._state = _State.LIVE
        return StepResult(observation=self._told(None), success=False, info={"url": self._seen.url})

    async def step(self, action: str) -> StepResult:
        """Do one action; ``stop``, or the page, ends the episode, which is judged then."""
        if self._state is not _State.LIVE or self._browser is None:
            raise EnvError(f"Web: step of an environment that is {self._state.name.lower()}, expected a live episode")
        self._num_steps += 1
        try:
            parsed = parse(action)
            remark = None if isinstance(parsed, Stop) else await self._browser.act(parsed)
        except ActionError as error:
            return self._went_on(f"{error} The page has not changed.", invalid=True)
        if not isinstance(parsed, Stop):
            self._seen = await self._browser.observe()
            self._previous = _shown(parsed)
        answer = parsed.answer if isinstance(parsed, Stop) else None
        ending = await self.episode.judge(self._browser, self.observation, answer)
        if ending is None:
            return self._went_on(self._told(remark), **({"remark": remark} if remark else {}))
        self._state = _State.OVER
        return StepResult(
            observation="The episode has ended.",
            reward=ending.reward,
            terminated=True,
            success=ending.success,
            info={"url": self.observation.url, "verdict": ending.reason},
        )

    def _went_on(self, text: str, **info: Any) -> StepResult:
        is_cut = self._num_steps == self._limits.max_steps
        self._state = _State.OVER if is_cut else _State.LIVE
        shown = {"url": self.observation.url, **info}
        return StepResult(observation=text, truncated=is_cut, success=False, info=shown)

    def _told(self, remark: str | None) -> str:
        """The observation in the words of the paper; a line says what else there is to say.

        What a page says stays within the lines of its tree: it can pass neither for these headings nor for an action.
        """
        seen = self.observation
        text = seen.pruned(self._listing().lines) if self._limits.prunes else seen.text
        parts = [f"OBSERVATION:\n{text}", f"URL: {seen.url}", f"OBJECTIVE: {self.episode.goal}"]
        parts.append(f"PREVIOUS ACTION: {self._previous}")
        return "\n".join([*parts, *([f"REMARK: {remark}"] if remark else [])])

    async def admissible_commands(self) -> Sequence[str]:
        """Actions on what is shown, as many as the limits allow; see `commands.listed`."""
        if self._state is not _State.LIVE:
            return ()
        return self._listing().commands

    def _listing(self) -> Listing:
        """What is listed on the page that is shown; made once, though a pruned page and its commands ask for it."""
        seen, episode, limits = self.observation, self.episode, self._limits
        if self._listed is None or self._listed[0] is not seen:
            listing = listed(
                seen,
                episode.goal,
                episode.texts(),
                limit=limits.max_commands,
                max_answers=limits.max_answers,
                whole_page=limits.prunes,
            )
            self._listed = seen, listing
        return self._listed[1]

    async def expert_action(self) -> str | None:
        """The next action of the episode's plan, the same however often it is asked for before a step."""
        if self._planned is None:
            self._plan = self.episode.plan(View(lambda: self.observation))
        if self._planned is None or self._planned[0] != self._num_steps:
            self._planned = self._num_steps, None if self._plan is None else await anext(self._plan, None)
        return self._planned[1]

    async def close(self) -> None:
        """Close the browser and free the sites."""
        self._state = _State.CLOSED
        browser, self._browser = self._browser, None
        episode, self._episode = self._episode, None
        plan, self._plan = self._plan, None
        self._seen = self._listed = None
        try:
            if isinstance(plan, AsyncGenerator):  # it may wait in the middle
                await plan.aclose()
            if browser is not None:
                await browser.close()
        finally:
            if episode is not None:
                episode.close()


def _shown(action: Action) -> str:
    """The action on one line of bounded length."""
    line = " ".join(render(action).split())
    return line if len(line) <= _MAX_SHOWN_ACTION else f"{line[:_MAX_SHOWN_ACTION]}..."


def in_a_thread(begin: Callable[[Task], E]) -> Callable[[Task], Awaitable[E]]:
    """`begin` in a thread: applications load, and log-ins ask sites, while other episodes go on."""

    async def begun(task: Task) -> E:
        return await asyncio.to_thread(begin, task)

    return begun


async def one_by_one(actions: Iterable[str]) -> AsyncIterator[str]:
    """A plan of `actions`, each made when it is asked for."""
    for action in actions:
        yield action


class EpisodeOracle:
    """Follows the episode's plan, which the environment keeps: an agent may make an oracle anew for each turn."""

    def __init__(self, env: EpisodeEnv[Any]) -> None:
        self._env = env

    async def next_action(self) -> str | None:
        """The next action; None without a plan or after its end."""
        return await self._env.expert_action()
