"""One web episode as an `Env`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from enum import Enum, auto

from sojourn.envs.web.actions import Action, ActionError, Stop, parse, render
from sojourn.envs.web.browser.protocol import Browser, Observation
from sojourn.envs.web.commands import listed
from sojourn.envs.web.problem import Problem, offered_texts
from sojourn.envs.web.sites.hosts import HOSTS
from sojourn.envs.web.sites.world import World
from sojourn.envs.web.view import View
from sojourn.errors import EnvError
from sojourn.types import StepResult, Task

Resolve = Callable[[Task], Problem]
"""Task -> what it asks for; raises `DataError` for a task of another environment."""
MakeBrowser = Callable[[World], Browser]

ACCOUNTS: Mapping[str, str] = {
    "shop": "emma.lopez@gmail.com",
    "admin": "admin",
    "forum": "MarvelsGrantMan136",
    "code": "byteblaze",
}
"""Site -> the account that an episode that starts logged in uses; WebArena's."""

_MAX_SHOWN_ACTION = 300


class _State(Enum):
    NEW = auto()
    LIVE = auto()
    OVER = auto()
    CLOSED = auto()


class WebEnv:
    """An episode: reward 1, once, for ending it with `stop` when what was asked is done; 0 for everything else.

    An action that cannot be read or done changes nothing, counts as a step, and has ``info["invalid"]`` set.
    """

    def __init__(
        self,
        resolve: Resolve,
        template: Callable[[], bytes],
        make_browser: MakeBrowser,
        *,
        max_steps: int | None,
        max_commands: int,
    ) -> None:
        self._resolve = resolve
        self._template = template
        self._make_browser = make_browser
        self._max_steps = max_steps
        self._max_commands = max_commands
        self._state = _State.NEW
        self._num_steps = 0
        self._previous = "None"
        self._problem: Problem | None = None
        self._world: World | None = None
        self._browser: Browser | None = None
        self._seen: Observation | None = None

    @property
    def is_live(self) -> bool:
        """Whether a step may follow."""
        return self._state is _State.LIVE

    @property
    def problem(self) -> Problem:
        """What is asked for. Raises `EnvError` before the reset."""
        if self._problem is None:
            raise EnvError("Web: no episode is open (reset first)")
        return self._problem

    @property
    def world(self) -> World:
        """The sites of the episode; for experts and viewers. Raises `EnvError` when none is open."""
        if self._world is None:
            raise EnvError("Web: no episode is open (reset first, and not after close)")
        return self._world

    @property
    def observation(self) -> Observation:
        """What the browser shows. Raises `EnvError` when no episode is open."""
        if self._seen is None:
            raise EnvError("Web: no episode is open (reset first, and not after close)")
        return self._seen

    async def reset(self, task: Task) -> StepResult:
        """Build the sites, open the browser at the task's first page."""
        if self._state is not _State.NEW:
            raise EnvError(f"Web: reset of an environment that is {self._state.name.lower()}; make a fresh one")
        problem = self._resolve(task)
        self._state, self._problem = _State.LIVE, problem
        self._world = World.restore(self._template())
        cookies = {HOSTS[site]: self._world.log_in(site, ACCOUNTS[site]) for site in problem.logged_in_sites}
        self._browser = self._make_browser(self._world)
        await self._browser.open(problem.start_url, cookies)
        self._seen = await self._browser.observe()
        return StepResult(observation=self._told(None), success=False, info={"url": self._seen.url})

    async def step(self, action: str) -> StepResult:
        """Do one action; `stop` ends the episode and is judged."""
        if self._state is not _State.LIVE or self._browser is None:
            raise EnvError(f"Web: step of an environment that is {self._state.name.lower()}, expected a live episode")
        self._num_steps += 1
        is_cut = self._num_steps == self._max_steps
        try:
            parsed = parse(action)
            if isinstance(parsed, Stop):
                return self._judged(parsed)
            remark = await self._browser.act(parsed)
        except ActionError as error:
            self._state = _State.OVER if is_cut else _State.LIVE
            said = f"{error} The page has not changed."
            info = {"url": self.observation.url, "invalid": True}
            return StepResult(observation=said, truncated=is_cut, success=False, info=info)
        self._seen = await self._browser.observe()
        self._previous = _shown(parsed)
        self._state = _State.OVER if is_cut else _State.LIVE
        info = {"url": self._seen.url, **({"remark": remark} if remark else {})}
        return StepResult(observation=self._told(remark), truncated=is_cut, success=False, info=info)

    def _judged(self, stop: Stop) -> StepResult:
        verdict = self.problem.check(self.world, self.observation.url, stop.answer)
        self._state = _State.OVER
        return StepResult(
            observation="The episode has ended.",
            reward=float(verdict.success),
            terminated=True,
            success=verdict.success,
            info={"url": self.observation.url, "verdict": verdict.reason},
        )

    def _told(self, remark: str | None) -> str:
        """The observation in the words of the paper; a line says what else there is to say.

        What a page says stays within the lines of its tree: it can pass neither for these headings nor for an action.
        """
        seen, problem = self.observation, self.problem
        parts = [f"OBSERVATION:\n{seen.text}", f"URL: {seen.url}", f"OBJECTIVE: {problem.intent}"]
        parts.append(f"PREVIOUS ACTION: {self._previous}")
        if remark is not None:
            parts.append(f"REMARK: {remark}")
        return "\n".join(parts)

    async def admissible_commands(self) -> Sequence[str]:
        """Actions on what is shown, at most `max_commands`; see `commands.listed`."""
        if self._state is not _State.LIVE:
            return ()
        return listed(self.observation, self.problem.intent, offered_texts(self.problem), self._max_commands)

    async def close(self) -> None:
        """Close the browser and drop the sites."""
        self._state = _State.CLOSED
        browser, self._browser = self._browser, None
        world, self._world = self._world, None
        if browser is not None:
            await browser.close()
        if world is not None:
            world.close()


def _shown(action: Action) -> str:
    """The action on one line of bounded length."""
    line = " ".join(render(action).split())
    return line if len(line) <= _MAX_SHOWN_ACTION else f"{line[:_MAX_SHOWN_ACTION]}..."


class WebOracle:
    """Follows the plan of the episode's problem."""

    def __init__(self, env: WebEnv) -> None:
        plan = env.problem.plan
        self._plan: AsyncIterator[str] | None = None if plan is None else plan(View(lambda: env.observation))

    async def next_action(self) -> str | None:
        """The next action of the plan; None without a plan or after its end."""
        return None if self._plan is None else await anext(self._plan, None)
