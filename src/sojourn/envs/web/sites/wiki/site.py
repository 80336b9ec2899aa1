"""The wiki as a site."""

from __future__ import annotations

from pathlib import Path

from sojourn.envs.web.sites.framework import Site
from sojourn.envs.web.sites.wiki import pages
from sojourn.envs.web.sites.wiki.generate import generate

SITE = Site("wiki", title="Wikipedia", folder=Path(__file__).parent, generate=generate, parts=(pages.routes,))
