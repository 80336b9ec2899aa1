"""Shipped environments in tests: made small, or skipped for what this machine lacks."""

from __future__ import annotations

import pytest

from sojourn.envs.catalog import load_scenario
from sojourn.envs.protocol import Scenario
from sojourn.errors import ConfigError, MissingDependencyError

SMALL = {"search": {"retriever": "atlas-mini", "retriever_options": {"cache": 0}}, "miniwob": {"names": ["click-test"]}}
"""Options of an environment that would take minutes otherwise; and what is remembered on purpose is no leak."""

OPTIONAL = {
    "webapps": MissingDependencyError,  # Oscar, Spirit and Trac
    "webarena": ConfigError,  # the addresses of its sites
    "miniwob": MissingDependencyError,  # its pages, a driver, a Chromium
}
"""Environments that a machine may lack -> the error that says what it lacks. All others have to be there."""


def shipped(name: str) -> Scenario:
    """The environment of this name; the test is skipped with the environment's own words where it cannot be."""
    try:
        return load_scenario(name, SMALL.get(name))
    except tuple(OPTIONAL.values()) as error:
        if not isinstance(error, OPTIONAL.get(name, ())):
            raise
        pytest.skip(f"{name}: {error}")
