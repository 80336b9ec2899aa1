"""A server in a process of its own, for as long as a test needs it."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_ADDRESS = re.compile(r"http://127\.0\.0\.1:\d+")


@contextmanager
def serving(arguments: Sequence[str], cwd: Path = ROOT) -> Iterator[str]:
    """The address of ``python -m ARGUMENTS``."""
    command = [sys.executable, "-m", *arguments]
    process = subprocess.Popen(command, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    with ended(process):
        yield address(process)


@contextmanager
def ended(process: subprocess.Popen[str]) -> Iterator[subprocess.Popen[str]]:
    """`process`, which has ended on leaving, whatever has become of it."""
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.communicate(timeout=15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()


def address(process: subprocess.Popen[str]) -> str:
    """The address that it prints once it listens."""
    assert process.stdout is not None
    said = []
    for line in process.stdout:
        said.append(line)
        found = _ADDRESS.search(line)
        if found:
            return found[0]
    raise AssertionError(f"the server ended without saying its address:\n{''.join(said)}")
