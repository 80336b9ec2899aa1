"""What the end-to-end tests share: configurations, one cache, and the runs that others are compared with."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.e2e.runs import Runs


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``SOJOURN_CACHE`` of every run: the base policies are made once."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def runs(tmp_path: Path, cache: Path) -> Runs:
    """Runs under a folder of the test's own."""
    return Runs(tmp_path, cache)


@pytest.fixture(scope="session")
def straight(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> Runs:
    """Runs that nothing disturbed, by the name of their configuration."""
    return Runs(tmp_path_factory.mktemp("straight"), cache)
