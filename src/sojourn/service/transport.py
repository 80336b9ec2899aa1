"""How calls reach a service: one HTTP client an event loop, calls of one tick in one request, retries of what is safe.

Every call of the protocol about an episode is safe to say again: the id is the client's, a step has its index.
"""

from __future__ import annotations

import asyncio
import json
import random
import time
import urllib.error
import urllib.request
import weakref
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import suppress
from http.client import HTTPException
from typing import Any, NamedTuple
from urllib.parse import urlencode

import aiohttp

from sojourn.errors import EnvError
from sojourn.service.wire import STATUS_RUNNING, to_json

Call = Mapping[str, Any]
"""A call as a batch holds it: ``call``, and the fields of its kind."""

_MAX_CONNECTIONS = 64
_MAX_CALLS = 256
_MAX_ATTEMPTS = 6
_FIRST_PAUSE_S = 0.05
_MAX_PAUSE_S = 2.0
_CONNECT_S = 10.0
_KEEP_ALIVE_S = 60.0
_JSON_HEADERS = {"Content-Type": "application/json"}
_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))
"""Asks no proxy: one for the outside world would be asked for 127.0.0.1, too."""
_JITTER = random.Random()
"""Of its own: an environment leaves the global random state alone."""


class Said(NamedTuple):
    """What the service said to one call."""

    status: int
    body: Any
    retry_after_s: float | None = None


class RefusedError(EnvError):
    """The service answered with an error."""

    def __init__(self, said: Said) -> None:
        body = said.body if isinstance(said.body, Mapping) else {}
        self.code = str(body.get("code", said.status))
        self.message = str(body.get("message", "no message"))
        super().__init__(f"{self.code}: {self.message}")


class _Link:
    """What belongs to one event loop: the connections, and the calls that wait for the next batch."""

    def __init__(self, base_url: str, headers: Mapping[str, str], timeout_s: float) -> None:
        self.session = aiohttp.ClientSession(
            base_url,
            headers=headers,
            connector=aiohttp.TCPConnector(limit=_MAX_CONNECTIONS, keepalive_timeout=_KEEP_ALIVE_S),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_S, sock_read=timeout_s),
            cookie_jar=aiohttp.DummyCookieJar(),
        )
        self.pending: list[tuple[Call, asyncio.Future[Said]]] = []
        self.sending: set[asyncio.Task[None]] = set()
        self._guard = _closed_with_the_loop(self.session)
        with suppress(StopIteration):  # to its yield, without waiting
            self._guard.__anext__().send(None)
        # not ours to drop: a generator that nobody holds is closed too late when the loop is about to end
        _GUARDS.setdefault(asyncio.get_running_loop(), []).append(self._guard)

    async def close(self) -> None:
        """Close the connections before the loop ends."""
        await self._guard.aclose()


_GUARDS: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, list[AsyncGenerator[None, None]]] = (
    weakref.WeakKeyDictionary()
)


async def _closed_with_the_loop(session: aiohttp.ClientSession) -> AsyncGenerator[None, None]:
    """Suspended as long as the loop lives: ``asyncio.run`` ends every generator, and so closes the session."""
    try:
        yield
    finally:
        await session.close()
        await asyncio.sleep(0)  # a connection is closed in the turn of the loop after the one that says so


class Transport:
    """Calls one service, from any event loop.

    `is_batched`: the calls of one tick of the event loop go as one request. `timeout_s` bounds a call with all its
    retries.
    """

    def __init__(self, base_url: str, *, token: str | None, is_batched: bool, timeout_s: float) -> None:
        self._base_url = base_url
        self._headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        self._is_batched = is_batched
        self._timeout_s = timeout_s
        self._links: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, _Link] = weakref.WeakKeyDictionary()

    async def call(self, call: Call, *, timeout_s: float | None = None) -> Any:
        """The body of the answer.

        Raises `RefusedError` for an answer that is an error, `EnvError` when there was none in time. Lost connections
        and ``Retry-After`` are tried again until then.
        """
        limit_s = self._timeout_s if timeout_s is None else timeout_s
        try:
            async with asyncio.timeout(limit_s) as limit:
                return await self._tried(call, time.monotonic() + limit_s)
        except TimeoutError as error:
            if not limit.expired():
                raise
            raise EnvError(f"{self._base_url}: no answer to {call['call']} within {limit_s:g} s") from error

    async def _tried(self, call: Call, deadline: float) -> Any:
        is_batched, attempt = self._is_batched, 0
        while True:
            attempt += 1
            pause_s = _jittered(min(_FIRST_PAUSE_S * 2**attempt, _MAX_PAUSE_S))
            try:
                said = await (self._batched(call) if is_batched else self._alone(call))
            except (aiohttp.ClientError, TimeoutError) as error:
                if attempt >= _MAX_ATTEMPTS:
                    raise EnvError(f"{self._base_url}: {type(error).__name__}: {error}") from error
            else:
                if said.status == STATUS_RUNNING:
                    is_batched = False  # its batch could not wait for it: alone it will be waited for
                    continue
                if said.status < 300:
                    return said.body
                if said.status not in (429, 503):
                    raise RefusedError(said)
                if said.retry_after_s is not None:
                    pause_s = _jittered(said.retry_after_s)
                if time.monotonic() + pause_s > deadline:
                    raise RefusedError(said)
            await asyncio.sleep(pause_s)

    async def _alone(self, call: Call) -> Said:
        """The answer to one call in a request of its own."""
        method, path, body = _http(call)
        return await self._said(self._link(), method, path, body)

    async def _said(self, link: _Link, method: str, path: str, body: Mapping[str, Any] | None) -> Said:
        content = None if body is None else to_json(body)
        headers = None if body is None else _JSON_HEADERS
        async with link.session.request(method, path, data=content, headers=headers) as answer:
            return _read(answer.status, await answer.read(), answer.headers.get("Retry-After"))

    async def _batched(self, call: Call) -> Said:
        """The answer to one call, asked with all others of this tick."""
        link = self._link()
        loop = asyncio.get_running_loop()
        if not link.pending:
            loop.call_soon(self._flush, link)
        said: asyncio.Future[Said] = loop.create_future()
        link.pending.append((call, said))
        return await said

    def _flush(self, link: _Link) -> None:
        pending, link.pending = link.pending, []
        for start in range(0, len(pending), _MAX_CALLS):
            task = asyncio.get_running_loop().create_task(self._send(link, pending[start : start + _MAX_CALLS]))
            link.sending.add(task)
            task.add_done_callback(link.sending.discard)

    async def _send(self, link: _Link, waiting: Sequence[tuple[Call, asyncio.Future[Said]]]) -> None:
        try:
            answers = await self._answers(link, [call for call, _ in waiting])
        except asyncio.CancelledError:
            for _, said in waiting:
                said.cancel()
            raise
        except Exception as error:  # whatever it is, each caller hears it
            for _, said in waiting:
                if not said.done():
                    said.set_exception(error)
            return
        for (_, said), answer in zip(waiting, answers, strict=True):
            if not said.done():
                said.set_result(answer)

    async def _answers(self, link: _Link, calls: Sequence[Call]) -> list[Said]:
        if len(calls) == 1:
            return [await self._alone(calls[0])]
        said = await self._said(link, "POST", "/v1/batch", {"calls": calls})
        body = said.body
        if said.status != 200:
            return [said] * len(calls)
        try:
            rows = [Said(row["status"], row["body"], row.get("retry_after_s")) for row in body["answers"]]
        except (TypeError, KeyError) as error:
            raise EnvError(f"{self._base_url}: expected the answers of a batch, got {str(body)[:200]}") from error
        if len(rows) != len(calls):
            raise EnvError(f"{self._base_url}: expected {len(calls)} answers, got {len(rows)}")
        return rows

    def _link(self) -> _Link:
        loop = asyncio.get_running_loop()
        link = self._links.get(loop)
        if link is None:
            link = self._links[loop] = _Link(self._base_url, self._headers, self._timeout_s)
        return link

    async def close(self) -> None:
        """Close the connections of this event loop; ``asyncio.run`` does so by itself."""
        link = self._links.pop(asyncio.get_running_loop(), None)
        if link is not None:
            await link.close()

    def read(self, path: str, query: Mapping[str, Any] | None = None) -> Any:
        """The body of a GET outside any event loop's reach: it blocks. Raises as `call` does."""
        address = f"{self._base_url}{path}?{urlencode(query or {})}"
        request = urllib.request.Request(address, headers=self._headers)
        failure: Exception | None = None
        for attempt in range(3):
            try:
                with _DIRECT.open(request, timeout=self._timeout_s) as answer:
                    said = _read(answer.status, answer.read(), None)
            except urllib.error.HTTPError as error:
                with error:
                    said = _read(error.code, error.read(), None)
            except (OSError, HTTPException) as error:
                failure = error
                time.sleep(_FIRST_PAUSE_S * 2**attempt)
                continue
            if said.status != 200:
                raise RefusedError(said)
            return said.body
        raise EnvError(f"{self._base_url}: {type(failure).__name__}: {failure}") from failure


def _jittered(pause_s: float) -> float:
    return pause_s * (0.5 + _JITTER.random())


def _http(call: Call) -> tuple[str, str, Mapping[str, Any] | None]:
    """Method, path and body of a call that goes alone."""
    kind, episode_id = call["call"], call["episode_id"]
    fields = {key: value for key, value in call.items() if key != "call"}
    if kind == "start":
        return "POST", "/v1/episodes", fields
    if kind == "step":
        del fields["episode_id"]
        return "POST", f"/v1/episodes/{episode_id}/steps", fields
    if kind == "close":
        return "DELETE", f"/v1/episodes/{episode_id}", None
    return "GET", f"/v1/episodes/{episode_id}/{kind}", None


def _read(status: int, content: bytes, retry_after: str | None) -> Said:
    body: Any = None
    if content:
        try:
            body = json.loads(content)
        except ValueError:
            body = {"code": "not_json", "message": f"status {status}, {content[:200]!r}"}
    return Said(status, body, float(retry_after) if retry_after is not None and retry_after.isdigit() else None)
