"""Routes: which function answers which path and method."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from sojourn.envs.web.sites.request import MethodNotAllowed, NotFound

_PART = re.compile(r"<(?:(int|path):)?([a-z_]+)>")
_PATTERNS = {"": r"[^/]+", "int": r"[0-9]{1,15}", "path": r".+"}
_HTML = (("Content-Type", "text/html; charset=utf-8"), ("Cache-Control", "no-store"))


@dataclass(frozen=True, kw_only=True, slots=True)
class Reply:
    """What a handler gives back."""

    status: int = 200
    body: str = ""
    headers: tuple[tuple[str, str], ...] = _HTML


Handler = Callable[..., Reply]
"""Takes a `Context` and the parts of its path by name."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Pattern:
    regex: re.Pattern[str]
    integers: frozenset[str]
    handlers: dict[str, Handler] = field(default_factory=dict)


class Routes:
    """A table of handlers; the parts of a site each fill one."""

    def __init__(self) -> None:
        self._fixed: dict[str, dict[str, Handler]] = {}
        self._patterns: dict[str, _Pattern] = {}

    def get(self, path: str) -> Callable[[Handler], Handler]:
        """Register a handler for GET; `path` may hold ``<name>``, ``<int:name>`` and ``<path:name>`` (with slashes)."""
        return self._register("GET", path)

    def post(self, path: str) -> Callable[[Handler], Handler]:
        """Register a handler for POST; its writes are kept only if it answers below 400."""
        return self._register("POST", path)

    def include(self, other: Routes) -> None:
        """Add the routes of another table; of two patterns that match, the one registered first answers."""
        for table in (other._fixed, {path: pattern.handlers for path, pattern in other._patterns.items()}):
            for path, handlers in table.items():
                for method, handler in handlers.items():
                    self._register(method, path)(handler)

    def paths(self) -> list[tuple[str, str]]:
        """Method and path of every route, sorted by path."""
        tables = [*self._fixed.items(), *((path, pattern.handlers) for path, pattern in self._patterns.items())]
        return sorted(((method, path) for path, handlers in tables for method in handlers), key=lambda row: row[::-1])

    def find(self, method: str, path: str) -> tuple[Handler, dict[str, Any]]:
        """The handler for a request and the parts of its path; raises `NotFound` or `MethodNotAllowed`."""
        handlers, parts = self._found(path)
        wanted = "GET" if method == "HEAD" else method
        if wanted not in handlers:
            raise MethodNotAllowed(sorted({*handlers, *(["HEAD"] if "GET" in handlers else [])}))
        return handlers[wanted], parts

    def _found(self, path: str) -> tuple[dict[str, Handler], dict[str, Any]]:
        if (fixed := self._fixed.get(path)) is not None:
            return fixed, {}
        for pattern in self._patterns.values():
            if match := pattern.regex.fullmatch(path):
                return pattern.handlers, {
                    name: int(part) if name in pattern.integers else part for name, part in match.groupdict().items()
                }
        raise NotFound("There is no such page.")

    def _register(self, method: str, path: str) -> Callable[[Handler], Handler]:
        def register(handler: Handler) -> Handler:
            handlers = self._handlers_of(path)
            assert method not in handlers, f"{method} {path} is registered twice"
            handlers[method] = handler
            return handler

        return register

    def _handlers_of(self, path: str) -> dict[str, Handler]:
        if "<" not in path:
            return self._fixed.setdefault(path, {})
        if path not in self._patterns:
            pieces = _PART.split(path)  # text, kind, name, text, kind, name, ..., text
            regex = re.escape(pieces[0])
            for kind, name, text in zip(pieces[1::3], pieces[2::3], pieces[3::3], strict=True):
                regex += f"(?P<{name}>{_PATTERNS[kind or '']}){re.escape(text)}"
            integers = frozenset(name for kind, name in zip(pieces[1::3], pieces[2::3], strict=True) if kind == "int")
            self._patterns[path] = _Pattern(regex=re.compile(regex, re.DOTALL), integers=integers)
        return self._patterns[path].handlers
