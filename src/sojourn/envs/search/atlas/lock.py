"""One builder at a time, among all processes of a machine; a builder that is killed leaves no lock behind."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

if sys.platform == "win32":
    import msvcrt

    def _acquire(descriptor: int, *, wait: bool) -> None:
        msvcrt.locking(descriptor, msvcrt.LK_LOCK if wait else msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def _acquire(descriptor: int, *, wait: bool) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)


@contextmanager
def file_lock(path: Path) -> Iterator[bool]:
    """Hold the lock file `path`, waiting for whoever holds it; yields whether there was a wait.

    The operating system frees it when its holder ends, in whatever way. The empty file stays: removing it would let two
    processes hold two files of one name.
    """
    with path.open("a+b") as file:
        try:
            _acquire(file.fileno(), wait=False)
            has_waited = False
        except OSError:
            _acquire(file.fileno(), wait=True)
            has_waited = True
        yield has_waited  # closing the file frees the lock
