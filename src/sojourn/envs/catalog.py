"""The environments that Sojourn ships, by name; and anyone's, by ``module:Factory``.

A scenario's module is imported only when its name is asked for, so that a missing extra hurts nobody else.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

from sojourn.envs.protocol import Scenario
from sojourn.errors import ConfigError, unknown_name

SHIPPED: Mapping[str, str] = {
    "textcraft": "sojourn.envs.textcraft:TextCraft",
    "textcraft-procedural": "sojourn.envs.textcraft:ProceduralTextCraft",
    "babyai": "sojourn.envs.babyai:BabyAI",
    "sciworld": "sojourn.envs.sciworld:SciWorld",
    "search": "sojourn.envs.search:Search",
    "web": "sojourn.envs.web.scenario:Web",
    "webapps": "sojourn.envs.web.webapps:WebApps",
    "webarena": "sojourn.envs.web.webarena:WebArena",
    "miniwob": "sojourn.envs.web.miniwob:MiniWob",
}
"""name -> ``module:Factory``; the factory takes the configuration's ``[env.options]`` as keywords."""


def load_scenario(name: str, options: Mapping[str, Any] | None = None) -> Scenario:
    """The scenario called `name` (shipped, or ``module:Factory``), made with `options`.

    Raises `ConfigError` for an unknown name or option, `MissingDependencyError` for a missing extra.
    """
    target = SHIPPED.get(name, name)
    module_name, colon, attribute = target.partition(":")
    if not colon:
        raise unknown_name("environment", name, SHIPPED)
    try:
        factory = getattr(importlib.import_module(module_name), attribute)
    except ModuleNotFoundError as error:
        if error.name is not None and not module_name.startswith(error.name):
            raise  # something the module itself needs is missing: its own error says it best
        raise ConfigError(f"environment {name!r}: cannot import module {module_name!r}") from error
    except AttributeError as error:
        raise ConfigError(f"environment {name!r}: {module_name!r} has no {attribute!r}") from error
    try:
        scenario: Scenario = factory(**(options or {}))
    except TypeError as error:
        raise ConfigError(f"environment {name!r} refused options {dict(options or {})!r}: {error}") from error
    return scenario
