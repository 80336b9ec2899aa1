"""What contract tests share: a cache in which every atlas is made once for all tests of a session."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest


class Making(NamedTuple):
    """What making the whole atlas took."""

    counts: dict[str, int]
    cpu_s: float
    peak_mib: float


@pytest.fixture(scope="session")
def session_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Empty when the session begins, for what an earlier version of the code made is not what is tested.

    The processes of one session have it in common; whoever needs an atlas first makes it, and the others wait.
    """
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "session-cache"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture(scope="module")
def search_cache(session_cache: Path) -> Iterator[Path]:
    """The session's cache, as the one that all of a module's tests use."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SOJOURN_CACHE", str(session_cache))
        yield session_cache


MAKE = """
import json, resource, time
from sojourn.envs.search.atlas import open_atlas
atlas = open_atlas("atlas")
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(json.dumps([atlas.manifest.counts, time.process_time(), peak / 1024]))
"""


@pytest.fixture(scope="session")
def whole_atlas(session_cache: Path) -> Making:
    """The whole atlas is in the session's cache, made by a process that did nothing else."""
    from sojourn.envs.search.atlas.lock import file_lock  # NumPy and more, for the tests that want it

    note = session_cache / "whole-atlas.json"
    with file_lock(session_cache / ".whole-atlas.lock"):
        if not note.exists():
            env = {**os.environ, "SOJOURN_CACHE": str(session_cache)}
            made = subprocess.run([sys.executable, "-c", MAKE], env=env, stdout=subprocess.PIPE, text=True, check=True)
            note.write_text(made.stdout, encoding="utf-8")
    return Making(*json.loads(note.read_text(encoding="utf-8")))
