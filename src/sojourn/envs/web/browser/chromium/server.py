"""The sites of all episodes behind one port of the loopback interface, for a browser that speaks HTTP.

A header, set for each of the browser's contexts, says which episode a request belongs to. Requests of one episode are
answered one at a time, those of different episodes side by side.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial

from sojourn.envs.web.browser.chromium.aliases import Aliases, inner_host
from sojourn.envs.web.browser.wsgi import Reply, WsgiApp, call

EPISODE_HEADER = "X-Episode"
MAX_BODY_BYTES = 1_000_000
_MAX_HEAD_BYTES = 64_000
_THREADS = 16
_TLS_HELLO = b"\x16"
"""First byte of a connection that wants TLS, which no site has: it is refused at once, in words that are no TLS."""
_OWN_HEADERS = frozenset({"content-length", "connection", "transfer-encoding", "keep-alive"})


@dataclass(kw_only=True)
class Served:
    """The sites of one episode."""

    app: WsgiApp
    failure: Exception | None = None
    """What the sites raised, if they did; the episode has failed then."""
    lock: threading.Lock = field(default_factory=threading.Lock)

    def answer(self, method: str, url: str, headers: Mapping[str, str], body: bytes) -> Reply:
        """The sites' answer, or an error page after a failure."""
        with self.lock:
            try:
                return call(self.app, method, url, headers, body)
            except Exception as error:
                self.failure = error
                return _plain(500, "Internal Server Error")


@dataclass(kw_only=True)
class _Request:
    method: str
    target: str
    headers: dict[str, str]
    body: bytes


class LoopbackServer:
    """Listens on a free port of 127.0.0.1 from `start` to `close`; both run on one event loop."""

    def __init__(self, aliases: Aliases) -> None:
        self._aliases = aliases
        self._served: dict[str, Served] = {}
        self._counter = 0
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="web-sites")
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()

    async def start(self) -> int:
        """Listen; returns the port."""
        self._server = await asyncio.start_server(self._connection, "127.0.0.1", 0, limit=_MAX_HEAD_BYTES)
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def close(self) -> None:
        """Stop listening and end all connections."""
        if self._server is not None:
            self._server.close()
            for writer in list(self._writers):
                writer.close()
        self._pool.shutdown(wait=False, cancel_futures=True)

    def add(self, app: WsgiApp) -> tuple[str, Served]:
        """Serve the sites of an episode; returns the value of its header."""
        self._counter += 1
        key = f"episode-{self._counter}"
        self._served[key] = served = Served(app=app)
        return key, served

    def remove(self, key: str) -> None:
        """Stop serving an episode."""
        self._served.pop(key, None)

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            while True:
                request = await _read(reader)
                if request is None:
                    writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
                    break
                reply = await self._reply(request)
                writer.write(_bytes_of(reply, is_head=request.method == "HEAD"))
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, asyncio.CancelledError):
            pass  # the browser went away, or what came is no request
        finally:
            self._writers.discard(writer)
            writer.close()

    async def _reply(self, request: _Request) -> Reply:
        served = self._served.get(request.headers.pop(EPISODE_HEADER.lower(), ""))
        if served is None:
            return _plain(403, "Forbidden")
        url = f"http://{inner_host(request.headers.pop('host', ''))}{request.target}"
        for name in ("referer", "origin"):
            if name in request.headers:
                request.headers[name] = self._aliases.inner(request.headers[name])
        loop = asyncio.get_running_loop()
        answer = partial(served.answer, request.method, url, request.headers, request.body)
        return self._outward(await loop.run_in_executor(self._pool, answer))

    def _outward(self, reply: Reply) -> Reply:
        """A reply with the names that the browser knows."""
        names = [name.lower() for name, _ in reply.headers]
        if "location" in names:
            pairs = reply.headers
            headers = tuple((n, self._aliases.outer(v) if n.lower() == "location" else v) for n, v in pairs)
            reply = replace(reply, headers=headers)
        if "html" in reply.header("content-type"):
            reply = replace(reply, body=self._aliases.outer_page(reply.body))
        return reply


async def _read(reader: asyncio.StreamReader) -> _Request | None:
    """The next request of a connection; None where it ends."""
    try:
        begun = await reader.readexactly(1)
        if begun == _TLS_HELLO:
            return None
        head = begun + await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return None
    first, *rest = head.decode("latin-1").rstrip("\r\n").split("\r\n")
    parts = first.split(" ")
    if len(parts) != 3 or not parts[1].startswith("/"):
        return None
    pairs = (line.partition(":") for line in rest)
    headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
    length = headers.get("content-length", "0")
    if not length.isdigit() or int(length) > MAX_BODY_BYTES:
        return None
    body = await reader.readexactly(int(length))
    return _Request(method=parts[0], target=parts[1], headers=headers, body=body)


def _plain(status: int, reason: str) -> Reply:
    return Reply(status=status, reason=reason, headers=(("Content-Type", "text/plain"),), body=reason.encode())


def _bytes_of(reply: Reply, *, is_head: bool) -> bytes:
    lines = [f"HTTP/1.1 {reply.status} {reply.reason}"]
    lines += [f"{name}: {value}" for name, value in reply.headers if name.lower() not in _OWN_HEADERS]
    lines.append(f"Content-Length: {len(reply.body)}")
    head = "\r\n".join(lines).encode("latin-1", errors="replace")
    return head + b"\r\n\r\n" + (b"" if is_head else reply.body)
