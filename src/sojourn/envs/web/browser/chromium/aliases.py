"""The names that Chromium knows the sites by.

Chromium has a list of hosts (``reddit.com`` is one) that it asks only by TLS, whatever the address says. So it is told
other names, ``reddit.com.test``, and pages, redirects and addresses are translated on their way: an agent sees the
names of the sites. What is no site gets a name that never resolves.
"""

from __future__ import annotations

import re
from collections.abc import Set

_SITE, _NOWHERE = ".test", ".invalid"
_ADDRESS = re.compile(r"(?P<before>(?:https?:)?//)(?P<host>[^/?#:\"'<>\s]+)", re.IGNORECASE)
_ATTRIBUTE = re.compile(
    rb"(\s(?:href|src|action|formaction)\s*=\s*[\"']?\s*(?:https?:)?//)([^/?#:\"'<>\s]+)", re.IGNORECASE
)


class Aliases:
    """Translates between the names that agents see (inner) and those that Chromium is told (outer)."""

    def __init__(self, hosts: Set[str]) -> None:
        self._hosts = frozenset(hosts)

    @property
    def outer_hosts(self) -> frozenset[str]:
        """The names that Chromium finds the sites by."""
        return frozenset(f"{host}{_SITE}" for host in self._hosts)

    def outer_host(self, host: str) -> str:
        """The name for Chromium of a host that agents see."""
        return f"{host}{_SITE if host.lower() in self._hosts else _NOWHERE}"

    def outer(self, url: str) -> str:
        """The address for Chromium of an address that agents see."""
        match = _ADDRESS.match(url)
        if match is None:
            return url
        scheme = "https" if match["before"].lower().startswith("https") else "http"
        return f"{scheme}://{self.outer_host(match['host'])}{url[match.end() :]}"

    def inner(self, url: str) -> str:
        """The address that agents see of an address of Chromium's."""
        match = _ADDRESS.match(url)
        return url if match is None else f"{match['before']}{inner_host(match['host'])}{url[match.end() :]}"

    def outer_page(self, html: bytes) -> bytes:
        """A page whose links to other sites lead to the names that Chromium knows."""
        if b"//" not in html:
            return html
        return _ATTRIBUTE.sub(lambda match: match[1] + self._outer_bytes(match[2]), html)

    def _outer_bytes(self, host: bytes) -> bytes:
        return self.outer_host(host.decode("latin-1")).encode("latin-1")


def inner_host(host: str) -> str:
    """The name that agents see of a host that Chromium knows; a port after it stays."""
    name, colon, port = host.partition(":")
    return name.removesuffix(_SITE).removesuffix(_NOWHERE) + colon + port
