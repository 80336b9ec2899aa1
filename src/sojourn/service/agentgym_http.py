"""HTTP to servers that follow no rules of ours: every way to fail is an `EnvError`, and nothing is said twice."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit
from weakref import WeakKeyDictionary

import aiohttp

from sojourn.errors import ConfigError, EnvError

CLOSE_TIMEOUT_S = 10.0
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_SHOWN_CHARS = 200


def checked_url(url: str) -> str:
    """`url` without a slash at its end; raises `ConfigError` for what is no address of a server."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ConfigError(f"expected a url such as http://127.0.0.1:36001, got {url!r}")
    return url.rstrip("/")


class Connections:
    """Connections to one server, kept per event loop while an episode uses them.

    A client belongs to the loop it was made in. A process may run one loop after another (``asyncio.run`` twice), so
    the last episode of a loop closes the client, and the next loop makes its own.
    """

    def __init__(self, url: str, timeout_s: float) -> None:
        self.url = checked_url(url)
        self._timeout_s = timeout_s
        self._open: WeakKeyDictionary[asyncio.AbstractEventLoop, tuple[aiohttp.ClientSession, int]]
        self._open = WeakKeyDictionary()

    def acquire(self) -> None:
        """Begin to use the running loop's connections."""
        loop = asyncio.get_running_loop()
        session, users = self._open.get(loop) or (self._session(), 0)
        self._open[loop] = (session, users + 1)

    async def release(self) -> None:
        """End what `acquire` began."""
        loop = asyncio.get_running_loop()
        session, users = self._open[loop]
        self._open[loop] = (session, users - 1)
        if users == 1:
            del self._open[loop]
            await session.close()

    def _session(self) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=None),  # `ask` has one deadline for all of it
            # idle connections are dropped before uvicorn drops them (after 5 s): a request on one that is just being
            # closed fails, and must not be said again
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=2.0),
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=urlsplit(self.url).hostname not in _LOOPBACK,
        )

    async def ask(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        *,
        query: Mapping[str, Any] | None = None,
        timeout_s: float | None = None,
    ) -> Any:
        """The JSON that the server answers with, which is not an error; said once, never again.

        Raises `EnvError` for no connection, a deadline, a status that is not 2xx, what is not JSON, and an ``error``
        inside a 200.
        """
        session, _ = self._open[asyncio.get_running_loop()]
        what = f"{method} {self.url}{path}"
        limit_s = self._timeout_s if timeout_s is None else timeout_s
        data = None if body is None else json.dumps(body).encode()
        headers = {} if body is None else {"Content-Type": "application/json"}
        try:
            async with (
                asyncio.timeout(limit_s),
                session.request(method, f"{self.url}{path}", data=data, headers=headers, params=query) as answer,
            ):
                return _read(what, answer.status, await answer.read())
        except TimeoutError as error:
            raise EnvError(f"{what}: no answer within {limit_s:g} s") from error
        except aiohttp.ClientError as error:
            raise EnvError(f"{what}: {type(error).__name__}: {error}") from error


def _read(what: str, status: int, content: bytes) -> Any:
    shown = content.decode(errors="replace")[:_SHOWN_CHARS]
    if not 200 <= status < 300:
        raise EnvError(f"{what}: expected status 200, got {status}: {shown}")
    try:
        value = json.loads(content)
    except ValueError as error:
        raise EnvError(f"{what}: expected JSON, got {shown!r}") from error
    if isinstance(value, dict) and value.get("error"):
        raise EnvError(f"{what}: the server says, with status {status}: {str(value['error'])[:_SHOWN_CHARS]}")
    return value


def field_of(answer: Any, name: str, what: str) -> Any:
    """The field called `name`; raises `EnvError` naming what came instead."""
    if not isinstance(answer, dict) or name not in answer:
        came = sorted(answer) if isinstance(answer, dict) else repr(answer)[:_SHOWN_CHARS]
        raise EnvError(f"{what}: expected an object with {name!r}, got {came}")
    return answer[name]


def text_in(value: Any, what: str) -> str:
    """`value`, which has to be a text that is not empty."""
    if not isinstance(value, str) or not value.strip():
        raise EnvError(f"{what}: expected a text, got {repr(value)[:_SHOWN_CHARS]}")
    return value


def number_in(value: Any, what: str) -> float:
    """`value`, which has to be a finite number."""
    if not isinstance(value, int | float) or not math.isfinite(value):
        raise EnvError(f"{what}: expected a finite number, got {repr(value)[:_SHOWN_CHARS]}")
    return float(value)


def truth_in(value: Any, what: str) -> bool:
    """`value`, which has to be true or false."""
    if not isinstance(value, bool):
        raise EnvError(f"{what}: expected true or false, got {repr(value)[:_SHOWN_CHARS]}")
    return value
