"""The application's registration."""

from __future__ import annotations

from typing import Any

from sojourn.envs.web.webapps.loading import module

_OscarsConfig: type[Any] = module("oscar.apps.search.apps").SearchConfig


class SearchConfig(_OscarsConfig):  # type: ignore[misc]  # Oscar has no types
    """Oscar's search under its own label; Oscar looks for the views beside this module."""

    name = "sojourn.envs.web.webapps.shop_search"
