"""The map as a site."""

from __future__ import annotations

from pathlib import Path

from sojourn.envs.web.sites.framework import Site
from sojourn.envs.web.sites.map import browse, saving
from sojourn.envs.web.sites.map.generate import generate

SITE = Site(
    "map",
    title="OpenStreetMap",
    folder=Path(__file__).parent,
    generate=generate,
    parts=(browse.routes, saving.routes),
)
