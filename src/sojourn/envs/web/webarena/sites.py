"""Where the official sites are, by WebArena's own environment variables, and what agents see in their place."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from urllib.parse import urlsplit

from sojourn.errors import ConfigError

SHOWN: Mapping[str, str] = {
    "SHOPPING": "http://onestopmarket.com",
    "SHOPPING_ADMIN": "http://luma.com",
    "REDDIT": "http://reddit.com",
    "GITLAB": "http://gitlab.com",
    "MAP": "http://openstreetmap.org",
    "WIKIPEDIA": "http://wikipedia.org",
    "HOMEPAGE": "http://homepage.com",
}
"""Environment variable -> the origin that agents see; paths stay as they are (``luma.com/admin``)."""


@dataclass(frozen=True, kw_only=True)
class Sites:
    """The sites' addresses; all that crosses to or from an agent is translated."""

    addresses: Mapping[str, str]
    """Environment variable -> the real address, without a slash at the end."""

    @cached_property
    def real_origins(self) -> Mapping[str, str]:
        """Shown host -> the real origin (``http://10.0.0.7:7770``)."""
        return {host_of(SHOWN[name]): _origin(address) for name, address in self.addresses.items()}

    @cached_property
    def _shown_of(self) -> Mapping[str, str]:
        return {_origin(address): SHOWN[name] for name, address in self.addresses.items()}

    def filled(self, url: str) -> str:
        """`url` with the data set's placeholders (``__SHOPPING__``) replaced by real addresses."""
        for name, address in self.addresses.items():
            url = url.replace(f"__{name}__", address)
        return url

    def real(self, url: str) -> str:
        """The real address of a shown one; one of no site's stays as it is."""
        origin = self.real_origins.get(host_of(url))
        return url if origin is None else origin + url[len(_origin(url)) :]

    def shown(self, url: str) -> str:
        """What an agent sees of a real address."""
        shown = self._shown_of.get(_origin(url))
        return url if shown is None else shown + url[len(_origin(url)) :]

    @property
    def hosts(self) -> frozenset[str]:
        """The hosts that agents see."""
        return frozenset(self.real_origins)


def host_of(url: str) -> str:
    """The host of an address, empty where it has none."""
    return urlsplit(url).hostname or ""


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def sites_from(environ: Mapping[str, str] = os.environ) -> Sites:
    """The sites that `environ` names. Raises `ConfigError` listing what is missing, no address, or named twice."""
    missing = [name for name in SHOWN if not environ.get(name)]
    if missing:
        raise ConfigError(
            f"expected the addresses of WebArena's sites in {', '.join(SHOWN)}; not set: {', '.join(missing)}"
        )
    wrong = [name for name in SHOWN if not environ[name].startswith(("http://", "https://"))]
    if wrong:
        raise ConfigError(f"expected http:// or https:// addresses in {', '.join(SHOWN)}; not so: {', '.join(wrong)}")
    owners: dict[str, str] = {}
    for name in SHOWN:
        other = owners.setdefault(_origin(environ[name]), name)
        if other != name:
            raise ConfigError(f"expected a host and port of its own for each site; {other} and {name} share one")
    return Sites(addresses={name: environ[name].rstrip("/") for name in SHOWN})
