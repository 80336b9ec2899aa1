"""Where the official sites are, by WebArena's own environment variables, and what agents see in their place."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

from sojourn.errors import ConfigError

SHOWN: Mapping[str, str] = {
    "SHOPPING": "http://onestopmarket.com",
    "SHOPPING_ADMIN": "http://luma.com/admin",
    "REDDIT": "http://reddit.com",
    "GITLAB": "http://gitlab.com",
    "MAP": "http://openstreetmap.org",
    "WIKIPEDIA": "http://wikipedia.org",
    "HOMEPAGE": "http://homepage.com",
}
"""Environment variable -> the address that agents see."""


@dataclass(frozen=True, kw_only=True)
class Sites:
    """The sites' addresses; all texts that cross to or from an agent are translated."""

    addresses: Mapping[str, str]
    """Environment variable -> the real address, without a slash at the end."""

    def filled(self, url: str) -> str:
        """`url` with the data set's placeholders (``__SHOPPING__``) replaced by real addresses."""
        for name, address in self.addresses.items():
            url = url.replace(f"__{name}__", address)
        return url

    def real(self, url: str) -> str:
        """The real address of a shown one; one of no site's stays as it is."""
        return _translated(url, {SHOWN[name]: address for name, address in self.addresses.items()})

    def shown(self, url: str) -> str:
        """What an agent sees of a real address."""
        return _translated(url, {address: SHOWN[name] for name, address in self.addresses.items()})

    def shown_in(self, text: str) -> str:
        """`text` with every real address in it shown as an agent sees it; the longest first."""
        for name, address in sorted(self.addresses.items(), key=lambda pair: -len(pair[1])):
            text = text.replace(address, SHOWN[name])
        return text


def _translated(url: str, table: Mapping[str, str]) -> str:
    for prefix, other in sorted(table.items(), key=lambda pair: -len(pair[0])):
        if url == prefix or url.startswith((f"{prefix}/", f"{prefix}?", f"{prefix}#")):
            return other + url[len(prefix) :]
    return url


def sites_from(environ: Mapping[str, str] = os.environ) -> Sites:
    """The sites that `environ` names. Raises `ConfigError` listing the variables that are missing or no addresses."""
    missing = [name for name in SHOWN if not environ.get(name)]
    if missing:
        raise ConfigError(
            f"expected the addresses of WebArena's sites in {', '.join(SHOWN)}; not set: {', '.join(missing)}"
        )
    wrong = [name for name in SHOWN if not environ[name].startswith(("http://", "https://"))]
    if wrong:
        raise ConfigError(f"expected http:// or https:// addresses in {', '.join(SHOWN)}; not so: {', '.join(wrong)}")
    return Sites(addresses={name: environ[name].rstrip("/") for name in SHOWN})
