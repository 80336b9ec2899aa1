"""JSON over HTTP to one configured address: no redirects, no cookies, a limit in bytes, and no secret in an error."""

from __future__ import annotations

import asyncio
import json
import weakref
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

from sojourn.envs.search.retrieve.guard import Guard, Limits, RefusedError, TransientError
from sojourn.errors import ConfigError, EnvError, MissingDependencyError

try:
    import aiohttp
except ImportError as missing:
    raise MissingDependencyError("aiohttp, for retrievers over HTTP", "pip install 'sojourn[search]'") from missing

_SHOWN_CHARS = 200
_PIECE_BYTES = 1 << 16
_GUARDS: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, list[AsyncGenerator[None, None]]] = (
    weakref.WeakKeyDictionary()
)


class Address:
    """Where a retriever is; only configuration makes one, never a query or a passage."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        try:
            is_whole = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
        except ValueError:
            is_whole = False
        if not is_whole or parts.query or parts.fragment:
            raise ConfigError(f"expected an address like http://host:port/path, got {url!r}")
        if parts.username or parts.password:
            raise ConfigError(
                f"an address is written to logs and must hold no password (that of {parts.hostname} does): name the "
                "environment variable that has it instead"
            )
        self.origin = f"{parts.scheme}://{parts.netloc}"
        self.path = parts.path.rstrip("/")

    def __str__(self) -> str:
        return self.origin + self.path


class JsonClient:
    """Calls one host from any event loop; connections are closed with their loop at the latest."""

    def __init__(
        self,
        boundary: str,
        address: Address,
        limits: Limits,
        *,
        headers: Mapping[str, str] | None = None,
        secrets: Sequence[str] = (),
        uses_proxy: bool = False,
    ) -> None:
        self.boundary = boundary
        self.address = address
        self._limits = limits
        self._headers = dict(headers or {})
        self._secrets = tuple(secret for secret in secrets if secret)
        self._uses_proxy = uses_proxy
        self._guard = Guard(f"{boundary} at {address.origin}", limits)
        self._sessions: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, aiohttp.ClientSession] = (
            weakref.WeakKeyDictionary()
        )

    async def json(
        self,
        method: str,
        path: str,
        *,
        body: Any = None,
        lines: bytes | None = None,
        params: Mapping[str, str] | None = None,
    ) -> Any:
        """The answer to a request with a JSON `body`, or with `lines` of JSON, read as JSON.

        Raises `EnvError`, which names the boundary and holds no secret.
        """
        content = lines if lines is not None else None if body is None else json.dumps(body).encode()
        kind = {} if content is None else {"Content-Type": "application/x-ndjson" if lines else "application/json"}

        async def attempt() -> Any:
            try:
                async with self._session().request(
                    method, self.address.path + path, data=content, headers=kind, params=params, allow_redirects=False
                ) as answer:
                    return await self._read(answer)
            except (aiohttp.ClientError, OSError) as error:
                raise TransientError(f"{type(error).__name__}: {error}") from None

        try:
            return await self._guard.call(attempt)
        except EnvError as error:
            raise EnvError(self.redacted(str(error))) from None

    def redacted(self, text: str) -> str:
        """`text` without the secrets that this client was given."""
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return text

    async def _read(self, answer: aiohttp.ClientResponse) -> Any:
        content = bytearray()
        async for piece in answer.content.iter_chunked(_PIECE_BYTES):
            content += piece
            if len(content) > self._limits.max_bytes:
                raise RefusedError(f"its answer is longer than {self._limits.max_bytes} bytes")
        shown = " ".join(content[:_SHOWN_CHARS].decode(errors="replace").split())
        if 300 <= answer.status < 400:
            target = answer.headers.get("Location", "")
            raise RefusedError(f"it redirects to {target[:_SHOWN_CHARS]!r}; only the configured address is asked")
        if answer.status == 429 or answer.status >= 500:
            raise TransientError(
                f"status {answer.status}: {shown!r}", _retry_after_s(answer.headers.get("Retry-After"))
            )
        if answer.status >= 400:
            raise RefusedError(f"status {answer.status}: {shown!r}")
        try:
            return json.loads(content)
        except (ValueError, RecursionError):
            raise RefusedError(f"expected JSON, got {shown!r}") from None

    def _session(self) -> aiohttp.ClientSession:
        loop = asyncio.get_running_loop()
        session = self._sessions.get(loop)
        if session is None or session.closed:
            session = self._sessions[loop] = aiohttp.ClientSession(
                self.address.origin,
                headers=self._headers,
                connector=aiohttp.TCPConnector(limit=self._limits.max_in_flight),
                timeout=aiohttp.ClientTimeout(total=None),  # the guard has the time
                cookie_jar=aiohttp.DummyCookieJar(),
                trust_env=self._uses_proxy,
            )
            guard = _closed_with_the_loop(session)
            with suppress(StopIteration):  # to its yield, without waiting
                guard.__anext__().send(None)
            _GUARDS.setdefault(loop, []).append(guard)  # who would drop it earlier would close it too late
        return session

    async def close(self) -> None:
        """Close the connections of this event loop; may be called twice."""
        session = self._sessions.pop(asyncio.get_running_loop(), None)
        if session is not None:
            await session.close()
            await asyncio.sleep(0)


async def _closed_with_the_loop(session: aiohttp.ClientSession) -> AsyncGenerator[None, None]:
    """Suspended as long as the loop lives: ``asyncio.run`` ends every generator, and so closes the session."""
    try:
        yield
    finally:
        await session.close()
        await asyncio.sleep(0)


def _retry_after_s(header: str | None) -> float | None:
    """Seconds that ``Retry-After`` asks for, which is a number of them or a date; None without or for nonsense."""
    if header is None:
        return None
    if header.strip().isdecimal():
        return float(header)
    try:
        until = parsedate_to_datetime(header)
    except (TypeError, ValueError):
        return None
    if until.tzinfo is None:
        until = until.replace(tzinfo=UTC)
    return max((until - datetime.now(UTC)).total_seconds(), 0.0)
