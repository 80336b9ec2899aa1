"""Addresses of pages, compared by what they mean: host, path and the fields of the query that are not empty."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from urllib.parse import parse_qsl, unquote, urlsplit

Query = Mapping[str, str]
NO_FIELDS: Query = MappingProxyType({})


def _parts(url: str) -> tuple[str, str, tuple[tuple[str, str], ...]]:
    """Host, path and fields; a port, ``www.``, a slash at the end, and fields without a value do not count."""
    split = urlsplit(url)
    host = (split.hostname or "").lower().removeprefix("www.")
    path = unquote(split.path).rstrip("/") or "/"
    fields = ((name, " ".join(value.split())) for name, value in parse_qsl(split.query, keep_blank_values=True))
    return host, path, tuple(sorted((name, value) for name, value in fields if value))


def same_address(one: str, other: str) -> bool:
    """Whether two addresses lead to the same page."""
    try:
        return _parts(one) == _parts(other)
    except ValueError:  # urlsplit refuses some brackets and ports
        return False


@dataclass(frozen=True, kw_only=True)
class Target:
    """The page that a task asks for."""

    url: str
    """Its address, without the fields that have their usual values."""
    usual: Query = field(default_factory=lambda: NO_FIELDS)
    """Field -> the value that it has where it is left out."""
    ignored: tuple[str, ...] = ()
    """Fields that do not matter."""
    others: tuple[str, ...] = ()
    """Other addresses of the same page."""

    def is_shown_at(self, url: str) -> bool:
        """Whether `url` is the page."""
        try:
            found = self._meaning(url)
        except ValueError:
            return False
        return any(found == self._meaning(wanted) for wanted in (self.url, *self.others))

    def _meaning(self, url: str) -> tuple[str, str, tuple[tuple[str, str], ...]]:
        host, path, fields = _parts(url)
        matter = ((n, v) for n, v in fields if n not in self.ignored and self.usual.get(n) != v)
        return host, path, tuple(matter)
