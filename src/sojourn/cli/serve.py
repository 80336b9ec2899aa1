"""``sojourn serve``: environments over HTTP."""

from __future__ import annotations

import argparse
import importlib.util
from collections.abc import Sequence
from typing import Any

from sojourn.config import parse_overrides
from sojourn.errors import ConfigError, MissingDependencyError

_NEEDED = ("fastapi", "uvicorn", "prometheus_client")


def serve(options: argparse.Namespace) -> int:
    """Serve until a signal ends it."""
    missing = [name for name in _NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise MissingDependencyError("the environment service", "pip install 'sojourn[service]'")
    from sojourn.service import agentgym_app, app, server  # an extra, and half a second

    names = list(dict.fromkeys(options.environments))
    environments, wire = environment_options(names, options.options or ()), app.make_app
    if options.wire == "agentgym":
        environments, wire = agentgym_app.agentgym_options(environments), agentgym_app.make_agentgym_app
    config = server.ServeConfig(
        environments=environments,
        host=options.host,
        port=options.port,
        capacity=options.capacity,
        lease_s=options.lease_s,
        step_timeout_s=options.step_timeout_s,
        drain_s=options.drain_s,
        token=server.read_token(options.token_file),
        **({} if options.workers is None else {"num_workers": options.workers}),
    )
    return server.serve(config, lambda address: print(f"serving {', '.join(names)} at {address}", flush=True), wire)


def environment_options(names: Sequence[str], pairs: Sequence[str]) -> dict[str, dict[str, Any]]:
    """The options of every environment, out of ``NAME.KEY=VALUE``; NAME may be left out where there is one.

    Values are read as TOML, else as text. Raises `ConfigError` for a pair that names no environment.
    """
    found: dict[str, dict[str, Any]] = {name: {} for name in names}
    for pair in pairs:
        name, _, key = pair.partition("=")[0].rpartition(".")
        name = names[0] if not name and len(names) == 1 else name
        if "=" not in pair or not key or name not in found:
            raise ConfigError(f"--options: expected NAME.KEY=VALUE with NAME one of {', '.join(names)}, got {pair!r}")
        ((_, found[name][key]),) = parse_overrides([f"--{pair}"])
    return found
