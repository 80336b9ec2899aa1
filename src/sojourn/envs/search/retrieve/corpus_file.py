"""The user's corpus as JSON lines: read by line number, and line by line for indexing.

Lines are Search-R1's ``{"id", "contents"}`` or ``{"id", "title", "text"}``.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from sojourn.envs.search.records import Passage
from sojourn.envs.search.retrieve.documents import passage_of
from sojourn.envs.search.retrieve.line_file import LineFile, fingerprint
from sojourn.errors import DataError

_UTF8_MARK = b"\xef\xbb\xbf"


def read_passage(line: bytes, where: str) -> Passage:
    """The passage in a line. Raises `DataError` that says `where` it stands and what was expected."""
    try:
        document = json.loads(line)
        if not isinstance(document, dict):
            raise ValueError(f"expected an object, got {str(document)[:80]!r}")
        return passage_of(document)
    except (ValueError, RecursionError) as error:
        raise DataError(
            f"{where}: expected a JSON object with 'id' and 'contents', or 'id', 'title' and 'text': {error}"
        ) from error


def read_corpus(files: Sequence[Path], on_bytes: Callable[[int], None] | None = None) -> Iterator[Passage]:
    """The passages of JSON-lines files, in order; empty lines are skipped. `on_bytes` is told how far it has read.

    A passage without an id is called by its number. Raises `DataError` with file and line for what is no passage.
    """
    number = done = 0
    for path in files:
        try:
            with path.open("rb") as file:
                for at, line in enumerate(file, start=1):
                    done += len(line)
                    if on_bytes is not None and at % 1000 == 0:
                        on_bytes(done)
                    if at == 1:
                        line = line.removeprefix(_UTF8_MARK)
                    if not line.strip():
                        continue
                    passage = read_passage(line, f"{path}:{at}")
                    if passage.passage_id.startswith("sha-") and b'"id"' not in line:
                        passage = Passage(passage_id=str(number), title=passage.title, text=passage.text)
                    number += 1
                    yield passage
        except OSError as error:
            raise DataError(f"cannot read {path}: {error.strerror or error}") from error
    if on_bytes is not None:
        on_bytes(done)


class CorpusFile:
    """The passages of a JSON-lines corpus by line number, as a FAISS index numbers its vectors."""

    def __init__(self, path: Path) -> None:
        self._lines = LineFile(path)

    @property
    def fingerprint(self) -> str:
        """Tells this corpus from another."""
        return fingerprint(self._lines.path)

    def __len__(self) -> int:
        return len(self._lines)

    def __getitem__(self, number: int) -> Passage:
        return read_passage(self._lines[number], f"{self._lines.path}:{number + 1}")

    def close(self) -> None:
        """Unmap the file."""
        self._lines.close()
