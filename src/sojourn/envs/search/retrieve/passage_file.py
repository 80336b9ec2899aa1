"""Passages on disk, as lines of JSON that anyone can read: by number or id in microseconds, shared through mmap.

``passages.jsonl`` has the passages, ``offsets.npy`` where each line begins (uint64, one more than there are lines),
``ids.npy`` the hashes of the ids in ascending order and ``numbers.npy`` the passage that each belongs to.
"""

from __future__ import annotations

import hashlib
import json
from array import array
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sojourn.envs.search.records import Passage
from sojourn.envs.search.retrieve.mapped_file import MappedFile
from sojourn.envs.search.retrieve.words import storable
from sojourn.errors import DataError

PASSAGES, OFFSETS, IDS, NUMBERS = "passages.jsonl", "offsets.npy", "ids.npy", "numbers.npy"


def _id_hash(passage_id: str) -> int:
    return int.from_bytes(hashlib.blake2b(passage_id.encode(), digest_size=8).digest(), "little")


def _save(path: Path, table: NDArray[Any]) -> None:
    with path.open("wb") as file:
        # not the file itself: NumPy would write past Python, and a full disk would be an error without a number
        np.save(SimpleNamespace(write=file.write), table)


class PassageWriter:
    """Writes passages one after another; memory is 16 bytes a passage."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._file = (folder / PASSAGES).open("wb")
        self._offsets = array("Q", [0])
        self._hashes = array("Q")
        self._digest = hashlib.sha256()

    def __len__(self) -> int:
        return len(self._hashes)

    def add(self, passage: Passage) -> Passage:
        """Write `passage`; returns it as it will be read (without NUL and halves of surrogate pairs)."""
        kept = Passage(
            passage_id=storable(passage.passage_id), title=storable(passage.title), text=storable(passage.text)
        )
        if not kept.passage_id:
            raise DataError(f"passage {len(self)} has no id (title {kept.title[:60]!r})")
        line = json.dumps([kept.passage_id, kept.title, kept.text], ensure_ascii=False).encode() + b"\n"
        self._file.write(line)
        self._digest.update(line)
        self._offsets.append(self._offsets[-1] + len(line))
        self._hashes.append(_id_hash(kept.passage_id))
        return kept

    def finish(self) -> str:
        """Write the tables beside the passages; returns the SHA-256 of ``passages.jsonl``.

        Raises `DataError` if two passages have one id.
        """
        self._file.close()
        hashes = np.frombuffer(self._hashes, dtype=np.uint64) if self._hashes else np.empty(0, dtype=np.uint64)
        numbers = np.argsort(hashes, kind="stable").astype(np.uint32)
        ids = hashes[numbers]
        _save(self._folder / OFFSETS, np.frombuffer(self._offsets, dtype=np.uint64))
        _save(self._folder / IDS, ids)
        _save(self._folder / NUMBERS, numbers)
        self._refuse_twins(ids, numbers)
        return self._digest.hexdigest()

    def close(self) -> None:
        """Close the file, whether finished or not."""
        self._file.close()

    def _refuse_twins(self, ids: NDArray[np.uint64], numbers: NDArray[np.uint32]) -> None:
        twins = np.flatnonzero(ids[1:] == ids[:-1])
        if not len(twins):
            return
        with PassageFile(self._folder) as passages:
            for at in twins:
                first, second = int(numbers[at]), int(numbers[at + 1])
                if passages[first].passage_id == passages[second].passage_id:
                    raise DataError(
                        f"an id belongs to one passage, but {passages[first].passage_id!r} is that of passages "
                        f"{first} and {second} (counted from 0)"
                    )


class PassageFile:
    """Reads what a `PassageWriter` wrote; costs no memory of its own."""

    def __init__(self, folder: Path) -> None:
        try:
            self._offsets: NDArray[np.uint64] = np.load(folder / OFFSETS, mmap_mode="r")
            self._ids: NDArray[np.uint64] = np.load(folder / IDS, mmap_mode="r")
            self._numbers: NDArray[np.uint32] = np.load(folder / NUMBERS, mmap_mode="r")
            self._lines = MappedFile(folder / PASSAGES)
        except (OSError, ValueError, EOFError) as error:
            raise DataError(f"{folder} holds no passages that can be read: {error}") from error
        if len(self._ids) != len(self) or len(self._numbers) != len(self) or int(self._offsets[-1]) != self._lines.size:
            raise DataError(f"{folder}: the passages and their tables do not belong together; build the index again")

    def __len__(self) -> int:
        return len(self._offsets) - 1

    def __getitem__(self, number: int) -> Passage:
        if not 0 <= number < len(self):
            raise IndexError(number)
        passage_id, title, text = json.loads(self._lines.between(self._offsets[number], self._offsets[number + 1]))
        return Passage(passage_id=passage_id, title=title, text=text)

    def __iter__(self) -> Iterator[Passage]:
        return (self[number] for number in range(len(self)))

    def number(self, passage_id: str) -> int:
        """Which passage has this id. Raises `DataError` if none has."""
        wanted = np.uint64(_id_hash(storable(passage_id)))
        at = int(np.searchsorted(self._ids, wanted))
        while at < len(self._ids) and self._ids[at] == wanted:
            number = int(self._numbers[at])
            if self[number].passage_id == passage_id:
                return number
            at += 1
        raise DataError(f"the corpus has no passage {passage_id!r}")

    def close(self) -> None:
        """Unmap the passages; may be called twice."""
        self._lines.close()

    def __enter__(self) -> PassageFile:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
