"""The lines of a large file by number: found once, kept beside it, and read through mmap."""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sojourn.config import cache_dir
from sojourn.envs.search.retrieve.mapped_file import MappedFile
from sojourn.errors import DataError

_PIECE_BYTES = 1 << 24
_SAMPLE_BYTES = 1 << 20


def fingerprint(path: Path) -> str:
    """Tells files apart without reading tens of gigabytes: a hash of the size, of both ends and of the middle."""
    size = path.stat().st_size
    digest = hashlib.sha256(str(size).encode())
    with path.open("rb") as file:
        for begin in sorted({0, max(size // 2 - _SAMPLE_BYTES // 2, 0), max(size - _SAMPLE_BYTES, 0)}):
            file.seek(begin)
            digest.update(file.read(_SAMPLE_BYTES))
    return digest.hexdigest()


class LineFile:
    """The lines of a file by number. Where they begin is found once and kept beside it, or in the cache directory."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            stat = path.stat()
            self._key = f"{stat.st_size}-{stat.st_mtime_ns}"
            self._file = MappedFile(path)
        except OSError as error:
            raise DataError(f"cannot read {path}: {error.strerror or error}") from error
        self._starts = self._kept_starts()

    def __len__(self) -> int:
        return len(self._starts) - 1

    def __getitem__(self, number: int) -> bytes:
        if not 0 <= number < len(self):
            raise IndexError(number)
        return self._file.between(self._starts[number], self._starts[number + 1])

    def close(self) -> None:
        """Unmap the file; may be called twice."""
        self._file.close()

    def _kept_starts(self) -> NDArray[np.int64]:
        if self._file.size < _PIECE_BYTES:
            return self._found_starts()  # in a few milliseconds: not worth a file
        name = f"{self.path.name}.{self._key}.lines.npy"
        places = (self.path.with_name(f".{name}"), cache_dir() / "search" / "lines" / name)
        for place in places:
            if place.exists():
                kept: NDArray[np.int64] = np.load(place, mmap_mode="r")
                return kept
        starts = self._found_starts()
        for place in places:
            draft = place.with_suffix(f".{os.getpid()}.npy")
            try:
                place.parent.mkdir(parents=True, exist_ok=True)
                np.save(draft, starts)
                draft.replace(place)
            except OSError:
                with suppress(OSError):
                    draft.unlink(missing_ok=True)
                continue  # a folder that is not ours to write: the next place, or the same search next time
            return starts
        return starts

    def _found_starts(self) -> NDArray[np.int64]:
        """Where each line begins, and where the last one ends."""
        ends = [np.zeros(1, dtype=np.int64)]
        for begin in range(0, self._file.size, _PIECE_BYTES):
            piece = np.frombuffer(self._file.between(begin, begin + _PIECE_BYTES), dtype=np.uint8)
            ends.append(np.flatnonzero(piece == ord("\n")).astype(np.int64) + (begin + 1))
        starts = np.concatenate(ends)
        return starts if starts[-1] == self._file.size else np.append(starts, self._file.size)
