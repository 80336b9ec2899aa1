"""The questions of an atlas in one SQLite file, of which only what is asked for is read.

Rows stand in the order of split and hop count, so that a split is a range of numbers: a question by its place costs
one look-up, and so does one by its id.
"""

from __future__ import annotations

import json
import os
import sqlite3
import threading
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any, overload

from sojourn.envs.search.questions.generate import Made
from sojourn.envs.search.questions.report import QuestionChecks
from sojourn.envs.search.questions.splits import HOPS, SPLITS
from sojourn.envs.search.records import Hop, Question
from sojourn.errors import ConfigError, DataError, unknown_name

_SCHEMA = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE hops (number INTEGER PRIMARY KEY, query TEXT NOT NULL, passage TEXT NOT NULL, reached TEXT NOT NULL);
CREATE TABLE questions (
    number INTEGER PRIMARY KEY, id TEXT NOT NULL, text TEXT NOT NULL, answers TEXT NOT NULL, hops TEXT NOT NULL,
    path TEXT NOT NULL
);
"""
_PAGE = 500
"""So many questions are read at a time by whoever reads all of them."""


def write_questions(path: Path, rows: Sequence[Made], checks: QuestionChecks) -> None:
    """Put questions, in the order of `SPLITS` and `HOPS`, into a new file at `path`, which is complete or absent.

    One writer at a time. Raises `DataError` if the folder cannot be written to, or the disk is full.
    """
    draft = path.with_name(f".{path.name}.tmp")
    try:
        draft.unlink(missing_ok=True)  # of a writer that was killed
        with closing(sqlite3.connect(draft)) as database, database:
            _fill(database, rows, checks)
        draft.replace(path)
    except (OSError, sqlite3.OperationalError) as error:
        raise DataError(f"the questions cannot be written to {path.parent} ({error}): they take up to 50 MB") from error
    finally:
        draft.unlink(missing_ok=True)


def _fill(database: sqlite3.Connection, rows: Sequence[Made], checks: QuestionChecks) -> None:
    database.executescript(_SCHEMA)
    numbers: dict[Hop, int] = {}
    for made in rows:
        for hop in made.question.hops:
            numbers.setdefault(hop, len(numbers))
    hops = ((number, hop.query, hop.passage_id, hop.reached) for hop, number in numbers.items())
    database.executemany("INSERT INTO hops VALUES (?, ?, ?, ?)", hops)
    database.executemany(
        "INSERT INTO questions VALUES (?, ?, ?, ?, ?, ?)",
        (_packed(number, made, numbers) for number, made in enumerate(rows)),
    )
    database.execute("CREATE UNIQUE INDEX by_id ON questions (id)")
    database.execute("INSERT INTO meta VALUES ('checks', ?)", (json.dumps(checks.as_json()),))


def _packed(number: int, made: Made, numbers: dict[Hop, int]) -> tuple[object, ...]:
    question = made.question
    hops = " ".join(str(numbers[hop]) for hop in question.hops)
    answers = json.dumps(question.answers, ensure_ascii=False)
    return number, question.question_id, question.text, answers, hops, made.path.key


@dataclass(frozen=True, slots=True)
class _Cell:
    """Where the questions of one split and hop count stand."""

    split: str
    hops: int
    numbers: range


class QuestionFile:
    """The questions of one atlas. Any number of threads and processes may read one file; it may be pickled."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._local = threading.local()
        try:
            found = self._rows("SELECT value FROM meta WHERE key = 'checks'", ())
            self.checks = QuestionChecks.from_json(json.loads(found[0][0]))
        except (sqlite3.Error, LookupError, ValueError, TypeError) as error:
            raise DataError(f"{path} holds no questions ({error}): remove it, and it is made again") from error
        ends = list(accumulate(tally.kept for tally in self.checks.tallies))
        self._cells = tuple(
            _Cell(tally.split, tally.hops, range(end - tally.kept, end))
            for tally, end in zip(self.checks.tallies, ends, strict=True)
        )
        self._ends = ends

    def __reduce__(self) -> tuple[Any, ...]:
        return QuestionFile, (self.path,)

    def __len__(self) -> int:
        return self.checks.num_kept

    def questions(self, split: str, hops: Sequence[int] | None = None) -> QuestionList:
        """The questions of a split by hops, all of them or those with so many; raises `ConfigError` otherwise."""
        if split not in SPLITS:
            raise unknown_name("split", split, SPLITS)
        if hops is not None and (not hops or not set(hops) <= set(HOPS)):
            raise ConfigError(f"hops must be some of {list(HOPS)}, got {list(hops)}")
        wanted = HOPS if hops is None else hops
        return QuestionList(self, tuple(c.numbers for c in self._cells if c.split == split and c.hops in wanted))

    def question(self, question_id: str) -> Question:
        """The question with this id; raises `DataError` if there is none."""
        found = self._read("WHERE id = ?", (question_id,))
        if not found:
            raise DataError(f"no question {question_id!r} in {self.path.name}; an id is such as 2/0123456789abcdef")
        return found[0]

    def path_of(self, question_id: str) -> str:
        """The path of a question as text, such as ``capital? country/fr > largest_import_partner > anthem``."""
        found = self._rows("SELECT path FROM questions WHERE id = ?", (question_id,))
        if not found:
            raise DataError(f"no question {question_id!r} in {self.path.name}")
        return str(found[0][0])

    def between(self, first: int, end: int) -> list[Question]:
        """The questions with the numbers from `first` to `end` - 1."""
        return self._read("WHERE number >= ? AND number < ? ORDER BY number", (first, end))

    def _read(self, where: str, values: tuple[object, ...]) -> list[Question]:
        rows = self._rows(f"SELECT number, id, text, answers, hops FROM questions {where}", values)
        numbers = sorted({int(number) for row in rows for number in row[4].split()})
        hops: dict[int, Hop] = {}
        for first in range(0, len(numbers), _PAGE):
            some = numbers[first : first + _PAGE]
            marks = ",".join("?" * len(some))
            found = self._rows(
                f"SELECT number, query, passage, reached FROM hops WHERE number IN ({marks})", tuple(some)
            )
            hops |= {number: Hop(query=query, passage_id=p, reached=r) for number, query, p, r in found}
        return [self._question(row, hops) for row in rows]

    def _question(self, row: Sequence[Any], hops: dict[int, Hop]) -> Question:
        number, question_id, text, answers, path = row
        cell = self._cells[bisect_right(self._ends, number)]
        return Question(
            question_id=question_id,
            text=text,
            answers=tuple(json.loads(answers)),
            hops=tuple(hops[int(hop)] for hop in path.split()),
            split=cell.split,
            category=f"{cell.hops} hops",
        )

    def _rows(self, query: str, values: tuple[object, ...]) -> list[Any]:
        # one connection for each thread and process: SQLite's must not be carried over a fork
        reader: _Reader | None = getattr(self._local, "reader", None)
        if reader is None or reader.process != os.getpid():
            reader = self._local.reader = _Reader(self.path)
        return reader.database.execute(query, values).fetchall()


class _Reader:
    """A connection that closes when nobody holds it any more."""

    def __init__(self, path: Path) -> None:
        self.process = os.getpid()
        uri = f"{path.absolute().as_uri()}?mode=ro&immutable=1"  # never written again: nothing to lock
        self.database = sqlite3.connect(uri, uri=True, check_same_thread=False)  # whichever thread lets go of it last

    def __del__(self) -> None:
        if database := getattr(self, "database", None):
            database.close()


class QuestionList(Sequence[Question]):
    """Questions that are read when they are asked for."""

    def __init__(self, file: QuestionFile, ranges: tuple[range, ...]) -> None:
        self._file = file
        self._ranges = ranges
        self._ends = list(accumulate(len(numbers) for numbers in ranges))

    def __len__(self) -> int:
        return self._ends[-1] if self._ends else 0

    @overload
    def __getitem__(self, index: int) -> Question: ...
    @overload
    def __getitem__(self, index: slice) -> list[Question]: ...
    def __getitem__(self, index: int | slice) -> Question | list[Question]:
        if isinstance(index, slice):
            return [self[place] for place in range(len(self))[index]]
        place = range(len(self))[index]  # negative ones too, and IndexError
        row = bisect_right(self._ends, place)
        number = self._ranges[row][place - (self._ends[row] - len(self._ranges[row]))]
        return self._file.between(number, number + 1)[0]

    def __iter__(self) -> Iterator[Question]:
        for numbers in self._ranges:
            for first in range(numbers.start, numbers.stop, _PAGE):
                yield from self._file.between(first, min(first + _PAGE, numbers.stop))
