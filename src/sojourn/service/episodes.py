"""Open episodes: leases, capacity, one answer per index, and the way out.

The table knows nothing of HTTP; `service.app` and the foreign wires are thin layers over it.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections import OrderedDict
from collections.abc import Mapping
from contextlib import suppress
from typing import NamedTuple, Protocol

from sojourn.service.room import Host, Place, Reply, Request, Room
from sojourn.service.wire import MAX_ACTION_CHARS, Code, ServiceError, StepAnswer
from sojourn.types import Task

_REMEMBERED = 10_000
_RETRY_AFTER_S = 1
_OUTCOMES = frozenset({Code.ENV_FAILED, Code.ENV_TIMEOUT, Code.BAD_TASK})


class Observer(Protocol):
    """Is told what happens; counts it."""

    def started(self, env: str) -> None:
        """An episode has begun."""

    def stepped(self, env: str, seconds: float) -> None:
        """A step was answered."""

    def failed(self, env: str, code: Code) -> None:
        """An environment failed, or a lease expired."""


class Unobserved:
    """Counts nothing."""

    def started(self, env: str) -> None:
        """Nobody is told."""

    def stepped(self, env: str, seconds: float) -> None:
        """Nobody is told."""

    def failed(self, env: str, code: Code) -> None:
        """Nobody is told."""


class Answer(NamedTuple):
    """What a call about an episode came to."""

    episode_id: str
    body: bytes
    """JSON: of a `StepAnswer` for `start` and `step`, of the call's own model for the others."""

    def step(self) -> StepAnswer:
        """The answer to `start` or `step`, read."""
        return StepAnswer.model_validate_json(self.body)


class _Episode:
    """One open episode."""

    __slots__ = ("action", "busy", "env", "episode_id", "expires", "index", "is_over", "last", "place", "plan", "task")

    def __init__(self, episode_id: str, env: str, task: Task, place: Place, last: asyncio.Future[Reply]) -> None:
        self.episode_id = episode_id
        self.env = env
        self.task = task
        self.place = place
        self.index = 0
        self.action = ""
        self.last = last
        """The reply to step `index` (0: the start), so that a call said again gets the same one."""
        self.plan: Reply | None = None
        """The expert's word on the current state, once asked for."""
        self.busy: asyncio.Future[None] | None = None
        """Done when the call that runs now is; calls of one episode never run side by side."""
        self.is_over = False
        self.expires = 0.0


class EpisodeTable:
    """The open episodes of some environments, at most `capacity`.

    `hosts` maps the name of each environment to where it runs. An episode without a call for `lease_s` is closed by
    the reaper (`run_reaper`). Every method raises `ServiceError` for what the wire answers with an error.
    """

    def __init__(
        self, hosts: Mapping[str, Host], *, capacity: int, lease_s: float, observer: Observer | None = None
    ) -> None:
        self._hosts = hosts
        self._episodes: dict[str, _Episode] = {}
        self._gone: OrderedDict[str, tuple[Code, str]] = OrderedDict()
        self._observer = Unobserved() if observer is None else observer
        self._closing: set[asyncio.Task[None]] = set()
        self.capacity = capacity
        self.lease_s = lease_s
        self.is_draining = False

    def __len__(self) -> int:
        return len(self._episodes)

    @property
    def names(self) -> tuple[str, ...]:
        """The environments."""
        return tuple(self._hosts)

    def open_episodes(self, env: str) -> int:
        """How many are open in one environment."""
        return sum(episode.env == env for episode in self._episodes.values())

    def idle_s(self) -> list[float]:
        """Seconds since the last call, of every open episode."""
        begun = time.monotonic() + self.lease_s
        return [begun - episode.expires for episode in self._episodes.values()]

    def is_light(self, episode_id: str) -> bool:
        """Whether a step of the episode is answered without waiting for anything; also for unknown ids."""
        episode = self._episodes.get(episode_id)
        return episode is None or (isinstance(episode.place, Room) and episode.busy is None)

    def num_steps(self, episode_id: str) -> int:
        """Steps taken so far."""
        return self._find(episode_id).index

    def task(self, episode_id: str) -> Task:
        """The task that is being played."""
        return self._find(episode_id).task

    async def start(self, env: str, task: Task, *, episode_id: str | None = None, commands: bool = False) -> Answer:
        """Open an episode. The same `episode_id` with the same task again, before any step, gives the same answer."""
        known = self._episodes.get(episode_id) if episode_id is not None else None
        if known is not None:
            if known.index or (known.env, known.task) != (env, task):
                raise ServiceError(
                    Code.EPISODE_EXISTS, f"an episode {episode_id} is open already", episode_id=episode_id
                )
            return self._told(known, await asyncio.shield(known.last))
        host = self._host(env)
        if self.is_draining:
            raise ServiceError(
                Code.DRAINING, "the service is stopping: it starts no more episodes", retry_after_s=_RETRY_AFTER_S
            )
        if len(self._episodes) >= self.capacity:
            raise ServiceError(
                Code.FULL, f"{self.capacity} episodes are open, which is all", retry_after_s=_RETRY_AFTER_S
            )
        name = episode_id or uuid.uuid4().hex
        self._gone.pop(name, None)
        last: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        episode = self._episodes[name] = _Episode(name, env, task, host.place(), last)
        self._renew(episode)
        self._observer.started(env)
        request = Request("start", name, commands=commands, task=task)
        return self._told(episode, await self._settled(episode, last, request))

    async def step(self, episode_id: str, index: int | None, action: str, *, commands: bool = False) -> Answer:
        """Act as step number `index`, from 1; None: whatever comes next (such a call cannot be said again)."""
        episode = self._find(episode_id)
        if index is None:
            index = episode.index + 1
        if len(action) > MAX_ACTION_CHARS:
            raise ServiceError(
                Code.ACTION_TOO_LONG,
                f"expected an action of at most {MAX_ACTION_CHARS} characters, got {len(action)}",
                episode_id=episode_id,
            )
        if index == episode.index and index > 0 and action == episode.action:
            return self._told(episode, await asyncio.shield(episode.last))
        if index != episode.index + 1:
            raise self._wrong_index(episode, index)
        if episode.is_over:
            raise ServiceError(Code.EPISODE_OVER, f"the episode ended with step {episode.index}", episode_id=episode_id)
        episode.index, episode.action = index, action
        episode.last = last = asyncio.get_running_loop().create_future()
        begun = time.perf_counter()
        reply = await self._settled(episode, last, Request("step", episode_id, action, commands))
        self._observer.stepped(episode.env, time.perf_counter() - begun)
        return self._told(episode, reply)

    async def commands(self, episode_id: str) -> Answer:
        """The admissible commands, as the JSON of a `CommandsAnswer`."""
        episode = self._find(episode_id)
        return self._told(episode, await self._ask(episode, Request("commands", episode_id)))

    async def oracle(self, episode_id: str) -> Answer:
        """The expert's next action, as the JSON of an `OracleAnswer`; asked twice it gives the same one."""
        episode = self._find(episode_id)
        if episode.is_over:
            raise ServiceError(Code.EPISODE_OVER, f"the episode ended with step {episode.index}", episode_id=episode_id)
        return self._told(episode, await self._ask(episode, Request("oracle", episode_id)))

    def close(self, episode_id: str) -> None:
        """Close an episode once what runs in it is done; unknown ids are fine."""
        episode = self._episodes.pop(episode_id, None)
        if episode is not None:
            self._let_go(episode)

    async def run_reaper(self) -> None:
        """Close episodes whose lease has expired, until cancelled."""
        pause_s = min(max(self.lease_s / 10, 0.02), 5.0)
        while True:
            await asyncio.sleep(pause_s)
            now = time.monotonic()
            for episode in [e for e in self._episodes.values() if e.expires < now and e.busy is None]:
                self._remember(episode, Code.LEASE_EXPIRED, f"no call for {self.lease_s:g} s: the episode was closed")
                self._observer.failed(episode.env, Code.LEASE_EXPIRED)
                self._let_go(episode)

    async def drain(self, timeout_s: float) -> int:
        """Start no more episodes and wait for the open ones; returns how many were left after `timeout_s`."""
        self.is_draining = True
        deadline = time.monotonic() + timeout_s
        while self._episodes and time.monotonic() < deadline:
            await asyncio.sleep(0.02)
        return len(self._episodes)

    async def close_all(self) -> None:
        """Close every episode, and wait until they are."""
        for episode_id in list(self._episodes):
            self.close(episode_id)
        if self._closing:
            await asyncio.wait(self._closing, timeout=5.0)

    def _host(self, env: str) -> Host:
        host = self._hosts.get(env)
        if host is None:
            raise ServiceError(Code.UNKNOWN_ENV, f"expected one of {', '.join(self._hosts)}, got {env!r}")
        return host

    def _find(self, episode_id: str) -> _Episode:
        episode = self._episodes.get(episode_id)
        if episode is None:
            code, message = self._gone.get(episode_id, (Code.UNKNOWN_EPISODE, "no such episode is open"))
            raise ServiceError(code, message, episode_id=episode_id)
        return episode

    async def _settled(self, episode: _Episode, last: asyncio.Future[Reply], request: Request) -> Reply:
        """The reply, which is kept in `last` for those who say the same again."""
        try:
            reply = await self._ask(episode, request)
        except BaseException:
            last.cancel()
            raise
        last.set_result(reply)
        return reply

    async def _ask(self, episode: _Episode, request: Request) -> Reply:
        """The place's reply, after whatever runs in the episode now; the lease is renewed at the end."""
        while episode.busy is not None:
            await asyncio.shield(episode.busy)
        episode.busy = asyncio.get_running_loop().create_future()
        try:
            return await self._answered(episode, request)
        finally:
            episode.busy.set_result(None)
            episode.busy = None
            self._renew(episode)

    async def _answered(self, episode: _Episode, request: Request) -> Reply:
        if request.verb == "oracle" and episode.plan is not None:
            return episode.plan
        if request.verb == "step" and episode.is_over:  # said before the answer that ended the episode
            return Reply(b"", code=Code.EPISODE_OVER, message="the episode ended with the step before")
        reply = await episode.place.ask(request)
        if request.verb == "oracle":
            episode.plan = reply
        elif request.verb == "step":
            episode.plan = None
            episode.is_over = reply.is_over
        return reply

    def _told(self, episode: _Episode, reply: Reply) -> Answer:
        """The answer in `reply`, or the error; an episode that failed is over and gone."""
        if reply.code is None:
            return Answer(episode.episode_id, reply.body)
        if reply.code in _OUTCOMES and self._episodes.get(episode.episode_id) is episode:
            self._remember(episode, reply.code, reply.message)
            self._observer.failed(episode.env, reply.code)
            self._let_go(episode)
        raise ServiceError(reply.code, reply.message, episode_id=episode.episode_id)

    def _remember(self, episode: _Episode, code: Code, message: str) -> None:
        """Forget the episode but for why it ended."""
        self._episodes.pop(episode.episode_id, None)
        self._gone[episode.episode_id] = (code, message)
        if len(self._gone) > _REMEMBERED:
            self._gone.popitem(last=False)

    def _let_go(self, episode: _Episode) -> None:
        """Close the environment behind the caller's back: nobody has to wait for it."""
        task = asyncio.get_running_loop().create_task(self._closed(episode))
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    async def _closed(self, episode: _Episode) -> None:
        with suppress(Exception):  # whatever ran in it has told its caller
            await self._ask(episode, Request("close", episode.episode_id))

    def _renew(self, episode: _Episode) -> None:
        episode.expires = time.monotonic() + self.lease_s

    def _wrong_index(self, episode: _Episode, index: int) -> ServiceError:
        said = "another action was said under it" if index == episode.index else f"step {episode.index} is the last"
        return ServiceError(
            Code.WRONG_INDEX,
            f"expected step {episode.index + 1}, got {index}: {said}",
            episode_id=episode.episode_id,
        )
