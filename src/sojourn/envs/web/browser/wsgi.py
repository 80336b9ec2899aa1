"""Calling the sites: one request to a WSGI application, with bounds on what comes back."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_to_bytes, urlsplit

from sojourn.errors import EnvError

WsgiApp = Callable[[dict[str, Any], Callable[..., object]], Iterable[bytes]]
"""The sites of an episode, told apart by the ``Host`` header."""

MAX_PAGE_BYTES = 2_000_000
_MAX_CHUNKS = 100_000
_TOO_LARGE = (
    b"<!doctype html><html lang=en><head><title>Page too large</title></head><body>"
    b"<h1>Page too large</h1><p>The page is larger than 2 MB and is not shown.</p></body></html>"
)
_HTML = ("Content-Type", "text/html; charset=utf-8")


@dataclass(frozen=True, kw_only=True, slots=True)
class Reply:
    """What a site answers."""

    status: int
    reason: str
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def header(self, name: str) -> str:
        """The first header of this name (lower case), empty if there is none."""
        return next((value for key, value in self.headers if key.lower() == name), "")


def call(app: WsgiApp, method: str, url: str, headers: Mapping[str, str], body: bytes = b"") -> Reply:
    """Send one request. Raises what the application raises; an answer that is too large becomes a page that says so.

    `headers` has the names of HTTP; ``Host`` is taken from `url`.
    """
    parts = urlsplit(url)
    environ: dict[str, Any] = {
        "REQUEST_METHOD": method,
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(parts.path or "/").decode("latin-1"),
        "QUERY_STRING": parts.query,
        "SERVER_NAME": parts.hostname or "",
        "SERVER_PORT": str(parts.port or 80),
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "HTTP_HOST": parts.netloc,
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(body),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    for name, value in headers.items():
        key = name.upper().replace("-", "_")
        environ[key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{key}"] = value
    return _answer(app, environ)


def site_failure(error: Exception) -> EnvError:
    """What an application raised, as the failure of the episode."""
    if isinstance(error, EnvError):
        return error
    failure = EnvError(f"a site failed: {type(error).__name__}: {error}")
    failure.__cause__ = error
    return failure


def _answer(app: WsgiApp, environ: dict[str, Any]) -> Reply:
    started: list[tuple[str, list[tuple[str, str]]]] = []
    written: list[bytes] = []

    def start(status: str, headers: list[tuple[str, str]], exc_info: object = None) -> Callable[[bytes], object]:
        started[:] = [(status, headers)]
        return written.append

    chunks = app(environ, start)
    try:
        total = 0
        for number, chunk in enumerate(chunks):
            written.append(chunk)
            total += len(chunk)
            if total > MAX_PAGE_BYTES or number > _MAX_CHUNKS:
                return Reply(status=200, reason="OK", headers=(_HTML,), body=_TOO_LARGE)
    finally:
        close = getattr(chunks, "close", None)
        if close is not None:
            close()
    status, headers = started[0]
    code, _, reason = status.partition(" ")
    return Reply(status=int(code), reason=reason, headers=tuple(headers), body=b"".join(written))
