"""Names of the sites, and the one moment at which every episode takes place."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

HOSTS: Mapping[str, str] = MappingProxyType(
    {
        "shop": "onestopmarket.com",
        "admin": "luma.com",
        "forum": "reddit.com",
        "code": "gitlab.com",
        "wiki": "wikipedia.org",
        "map": "openstreetmap.org",
        "home": "homepage.com",
    }
)
"""Site -> host, as WebArena names them; agents see ``http://HOST/PATH``, without a port."""

ORIGINS: Mapping[str, str] = MappingProxyType({site: f"http://{host}" for site, host in HOSTS.items()})
"""Site -> what its absolute addresses begin with, in the world that agents see."""

NOW = "2024-06-15 12:00:00"
"""What every clock in the sites shows: pages and rows must not depend on when an episode is played."""

LOGINS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "shop": ("emma.lopez@gmail.com", "Password.123"),
        "admin": ("admin", "admin1234"),
        "forum": ("MarvelsGrantMan136", "test1234"),
        "code": ("byteblaze", "hello1234"),
    }
)
"""Site -> name and password of whom agents are there, as in WebArena; the other sites have no accounts."""
