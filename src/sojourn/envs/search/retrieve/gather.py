"""Queries of many episodes, asked together: one request for what is asked within a moment, one for the same query.

`Batched` joins different queries, `Cached` remembers answers and lets the same query out once at a time (the members
of a group often begin alike).
"""

from __future__ import annotations

import asyncio
import threading
import weakref
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from sojourn.envs.search.records import Hit, Retriever
from sojourn.envs.search.retrieve.words import plain_query
from sojourn.errors import ConfigError, EnvError

MAX_K = 20
MAX_BATCH = 1024

Ask = Callable[[Sequence[str], int], Awaitable[list[list[Hit]]]]
"""Answers plain queries (one line each, with a word in it), one list of hits a query."""


@dataclass
class _Lane:
    """What waits in one event loop."""

    slots: asyncio.Semaphore
    pending: dict[int, list[tuple[str, asyncio.Future[list[Hit]]]]] = field(default_factory=dict)
    """By k: requests have one."""
    tasks: set[asyncio.Task[None]] = field(default_factory=set)


class Batched:
    """A `Retriever` over a function that answers many queries at once.

    Queries that come within `window_s`, or while all `max_in_flight` requests are under way, leave as one request of
    at most `max_batch`. A query is made plain before; one without a word finds nothing and is not sent.
    """

    def __init__(
        self,
        ask: Ask,
        identity: str,
        *,
        close: Callable[[], Awaitable[None]] | None = None,
        window_s: float = 0.003,
        max_batch: int = 256,
        max_in_flight: int = 8,
    ) -> None:
        if not 1 <= max_batch <= MAX_BATCH:
            raise ConfigError(f"max_batch must be 1 to {MAX_BATCH}, got {max_batch}")
        if window_s < 0 or max_in_flight < 1:
            raise ConfigError(f"expected window_s >= 0 and max_in_flight >= 1, got {window_s} and {max_in_flight}")
        self._ask = ask
        self._identity = identity
        self._close = close
        self._window_s = window_s
        self._max_batch = max_batch
        self._max_in_flight = max_in_flight
        self._lanes: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, _Lane] = weakref.WeakKeyDictionary()

    @property
    def identity(self) -> str:
        return self._identity

    async def search(self, queries: Sequence[str], k: int) -> list[list[Hit]]:
        if k > MAX_K:
            raise ConfigError(f"k must be 1 to {MAX_K}, got {k}")
        if k < 1:
            return [[] for _ in queries]
        return list(await asyncio.gather(*(self._one(plain_query(query), k) for query in queries)))

    async def close(self) -> None:
        if self._close is not None:
            await self._close()

    async def _one(self, query: str, k: int) -> list[Hit]:
        if not query:
            return []
        loop = asyncio.get_running_loop()
        lane = self._lanes.get(loop)
        if lane is None:
            lane = self._lanes[loop] = _Lane(slots=asyncio.Semaphore(self._max_in_flight))
        future: asyncio.Future[list[Hit]] = loop.create_future()
        if k not in lane.pending:
            lane.pending[k] = []
            self._start(lane, self._drain(lane, k))
        lane.pending[k].append((query, future))
        return await future

    @staticmethod
    def _start(lane: _Lane, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        lane.tasks.add(task)
        task.add_done_callback(lane.tasks.discard)

    async def _drain(self, lane: _Lane, k: int) -> None:
        """Send what is pending for `k`, as slots come free, until nothing is."""
        await asyncio.sleep(self._window_s)
        while lane.pending[k]:
            await lane.slots.acquire()
            taken, lane.pending[k] = lane.pending[k][: self._max_batch], lane.pending[k][self._max_batch :]
            self._start(lane, self._send(lane, k, [(query, future) for query, future in taken if not future.done()]))
        del lane.pending[k]

    async def _send(self, lane: _Lane, k: int, waiting: Sequence[tuple[str, asyncio.Future[list[Hit]]]]) -> None:
        try:
            answers = await self._ask([query for query, _ in waiting], k) if waiting else []
            if len(answers) != len(waiting):
                raise EnvError(f"{self._identity}: {len(answers)} answers to {len(waiting)} queries")
        except asyncio.CancelledError:
            for _, future in waiting:
                future.cancel()
            raise
        except Exception as error:  # whatever it is, each caller hears it
            for _, future in waiting:
                if not future.done():
                    future.set_exception(EnvError(str(error)) if isinstance(error, EnvError) else error)
        else:
            for (_, future), hits in zip(waiting, answers, strict=True):
                if not future.done():
                    future.set_result(hits[:k])
        finally:
            lane.slots.release()


_Key = tuple[str, str, int]


class Cached:
    """A `Retriever` that remembers the last `size` answers of another, by its identity, the plain query and k.

    A failure is not remembered. What is being asked already is waited for, not asked again.
    """

    def __init__(self, inner: Retriever, size: int) -> None:
        if size < 1:
            raise ConfigError(f"a cache holds at least one answer, got {size}")
        self.inner = inner
        self._size = size
        self._known: OrderedDict[_Key, tuple[Hit, ...]] = OrderedDict()
        self._lock = threading.Lock()
        self._flying: weakref.WeakKeyDictionary[
            asyncio.AbstractEventLoop, dict[_Key, asyncio.Task[dict[_Key, tuple[Hit, ...]]]]
        ] = weakref.WeakKeyDictionary()

    @property
    def identity(self) -> str:
        return self.inner.identity

    async def search(self, queries: Sequence[str], k: int) -> list[list[Hit]]:
        identity = self.inner.identity
        keys = [(identity, plain_query(query), k) for query in queries]
        found = self._recalled(keys)
        missing = list(dict.fromkeys(key for key in keys if key not in found))
        if missing:
            flying = self._flying.setdefault(asyncio.get_running_loop(), {})
            new = [key for key in missing if key not in flying]
            if new:
                task = asyncio.ensure_future(self._fetch(new, k))
                flying.update(dict.fromkeys(new, task))
                task.add_done_callback(lambda done: _landed(flying, new, done))
            for flight in list(dict.fromkeys(flying[key] for key in missing)):
                # shielded: an episode that is cancelled must not take the answer from the others of its group
                found.update(await asyncio.shield(flight))
        return [list(found[key]) for key in keys]

    async def close(self) -> None:
        await self.inner.close()

    def _recalled(self, keys: Sequence[_Key]) -> dict[_Key, tuple[Hit, ...]]:
        found = {}
        with self._lock:
            for key in keys:
                if key in self._known:
                    self._known.move_to_end(key)
                    found[key] = self._known[key]
        return found

    async def _fetch(self, keys: Sequence[_Key], k: int) -> dict[_Key, tuple[Hit, ...]]:
        answers = await self.inner.search([query for _, query, _ in keys], k)
        found = {key: tuple(hits) for key, hits in zip(keys, answers, strict=True)}
        with self._lock:
            self._known.update(found)
            while len(self._known) > self._size:
                self._known.popitem(last=False)
        return found


def _landed(
    flying: dict[_Key, asyncio.Task[dict[_Key, tuple[Hit, ...]]]],
    keys: Sequence[_Key],
    done: asyncio.Task[dict[_Key, tuple[Hit, ...]]],
) -> None:
    for key in keys:
        flying.pop(key, None)
    if not done.cancelled():
        done.exception()  # read, since all who wait may have been cancelled
