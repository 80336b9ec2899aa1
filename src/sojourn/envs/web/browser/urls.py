"""Addresses, written as Chromium writes them."""

from __future__ import annotations

import re
from functools import lru_cache
from urllib.parse import quote, urljoin, urlsplit, urlunsplit

from sojourn.envs.web.actions import ActionError

BLANK = "about:blank"
MAX_URL_CHARS = 4_000

_PATH_SAFE = "%/:@!$&'()*+,;=~-._[]|\\"
_QUERY_SAFE = "%/:@!$&()*+,;=~-._[]|\\?^`{}"
_FRAGMENT_SAFE = "%/:@!$&'()*+,;=~-._[]|\\?^{}"
_SCHEME = re.compile(r"([a-zA-Z][a-zA-Z0-9+.-]*):(?![0-9])")


@lru_cache(maxsize=4096)  # the same links are followed again and again
def canonical(url: str) -> str | None:
    """An http address with what is special percent-encoded and the host in lower case; None if it is none."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        return None
    if parts.scheme not in ("http", "https") or not host or re.search(r"[\s<>\"\\^`{|}%/#?@\x00-\x20]", host):
        return None
    default = {"http": 80, "https": 443}[parts.scheme]
    netloc = host if port is None or port == default else f"{host}:{port}"
    path = _without_dots(quote(parts.path.replace("\\", "/"), safe=_PATH_SAFE)) or "/"
    query = quote(parts.query, safe=_QUERY_SAFE)
    if not query and "?" in url.partition("#")[0]:
        path += "?"  # kept, though nothing follows
    return urlunsplit((parts.scheme, netloc, path, query, quote(parts.fragment, safe=_FRAGMENT_SAFE)))


def _without_dots(path: str) -> str:
    if "/." not in path:
        return path
    kept: list[str] = []
    parts = path.split("/")
    for part in parts:
        if part == "..":
            if len(kept) > 1:
                kept.pop()
        elif part != ".":
            kept.append(part)
    if parts[-1] in (".", ".."):
        kept.append("")
    return "/".join(kept)


def joined(base: str, reference: str) -> str | None:
    """The address that a link of the page `base` leads to; None if it is no page (``mailto:``, ``javascript:``)."""
    try:
        target = urljoin(base, reference.strip())
        if reference.strip().endswith("?"):
            target += "?"  # which urljoin drops
        return canonical(target)
    except ValueError:
        return None


def typed(url: str) -> str:
    """The address that an agent asked for; ``http://`` may be left out. Raises `ActionError`."""
    text = url.strip()
    scheme = _SCHEME.match(text)
    found = canonical(text if scheme else f"http://{text.removeprefix('//')}") if len(text) <= MAX_URL_CHARS else None
    if found is None:
        raise ActionError(f"Expected an http address of at most {MAX_URL_CHARS} characters, got {url[:100]!r}.")
    return "http" + found.removeprefix("https") if found.startswith("https:") else found


def host_of(url: str) -> str:
    """The host of an address, empty if it has none."""
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def without_fragment(url: str) -> str:
    """An address without what follows ``#``."""
    return url.partition("#")[0]
