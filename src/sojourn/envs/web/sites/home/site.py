"""The home page as a site."""

from __future__ import annotations

from pathlib import Path

from sojourn.envs.web.sites.framework import Site
from sojourn.envs.web.sites.home import pages
from sojourn.envs.web.sites.home.generate import generate

SITE = Site("home", title="Homepage", folder=Path(__file__).parent, generate=generate, parts=(pages.routes,))
