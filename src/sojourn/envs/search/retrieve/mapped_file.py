"""A file read through mmap: no memory of its own, and pages shared by all processes that have it open."""

from __future__ import annotations

import mmap
from pathlib import Path


class MappedFile:
    """The bytes of the file at `path`; an empty one, which cannot be mapped, has none. Raises `OSError`."""

    def __init__(self, path: Path) -> None:
        with path.open("rb") as file:
            self.size = file.seek(0, 2)
            self._data: mmap.mmap | bytes = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) if self.size else b""

    def between(self, first: int, end: int) -> bytes:
        """The bytes from `first` to `end` - 1, as far as there are any."""
        return self._data[first:end]

    def close(self) -> None:
        """Unmap the file; may be called twice."""
        if isinstance(self._data, mmap.mmap):
            self._data.close()
