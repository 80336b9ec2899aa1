"""``--options KEY=VALUE …``: the options of an environment or a retriever on the command line."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sojourn.config import parse_overrides
from sojourn.errors import ConfigError


def read_options(pairs: Sequence[str]) -> dict[str, Any]:
    """The options in ``KEY=VALUE`` pairs; values are read as TOML, else as text.

    Raises `ConfigError` for what is no such pair, and for a key that is given twice.
    """
    found: dict[str, Any] = {}
    for pair in pairs:
        key, equals, _ = pair.partition("=")
        if not equals or not key.isidentifier():
            raise ConfigError(f"--options: expected KEY=VALUE, got {pair!r}")
        if key in found:
            raise ConfigError(f"--options: {key} is given twice")
        ((_, found[key]),) = parse_overrides([f"--{pair}"])
    return found
