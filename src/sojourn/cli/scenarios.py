"""Every way to name an environment: shipped, anyone's ``module:Factory``, a service's URL, a foreign service."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sojourn.envs.catalog import SHIPPED, load_scenario
from sojourn.envs.protocol import Scenario
from sojourn.errors import ConfigError, MissingDependencyError, unknown_name

FOREIGN: Mapping[str, str] = {
    "agentgym": "sojourn.service.agentgym:AgentGymScenario",
    "openenv": "sojourn.service.openenv:OpenEnvScenario",
}
"""Services that speak a protocol of their own: name -> ``module:Factory``; where they are is one of the options."""

_REMOTE = "sojourn.service.client:RemoteScenario"


def open_scenario(name: str, options: Mapping[str, Any] | None = None) -> Scenario:
    """The scenario called `name`, made with `options`; a URL is that of a service of ``sojourn serve``.

    Raises `ConfigError` for an unknown name or option, `MissingDependencyError` for a missing extra.
    """
    if name.startswith(("http://", "https://")):
        return _over_the_wire(_REMOTE, {"url": name, **(options or {})}, name)
    if name in FOREIGN:
        return _over_the_wire(FOREIGN[name], options or {}, name)
    if ":" not in name and name not in SHIPPED:
        raise unknown_name("environment", name, [*SHIPPED, *FOREIGN])
    return load_scenario(name, options)


def _over_the_wire(target: str, options: Mapping[str, Any], name: str) -> Scenario:
    try:
        return load_scenario(target, options)
    except ConfigError as error:  # it names the class, which nobody has asked for
        raise ConfigError(str(error).replace(repr(target), repr(name))) from error
    except ModuleNotFoundError as error:
        if error.name not in ("aiohttp", "httpx"):
            raise
        raise MissingDependencyError("the client of environment services", "pip install 'sojourn[service]'") from error
