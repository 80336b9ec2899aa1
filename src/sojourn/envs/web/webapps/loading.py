"""Modules of the optional packages, loaded by name when they are needed."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import Any

from sojourn.errors import MissingDependencyError


def module(name: str) -> Any:
    """The module called `name`; untyped, as the packages are."""
    return import_module(name)


def require(*names: str) -> None:
    """Raise `MissingDependencyError` unless all these packages can be imported."""
    for name in names:
        if find_spec(name) is None:
            raise MissingDependencyError(name, "pip install 'sojourn[webapps]'")
