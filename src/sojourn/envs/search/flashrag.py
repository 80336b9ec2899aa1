"""The open benchmarks of the paper, from files that the user has: FlashRAG's layout, AgentGym's numbering.

A folder holds ``<dataset>/{train,dev,test}.jsonl`` with ``question`` and ``golden_answers`` a line. Task numbers are
the reference's: the test questions of seven sets are 0 to 51712, the training questions of NQ and HotpotQA 51713 to
221327. Whoever has only some of the sets has only their numbers.
"""

from __future__ import annotations

import bisect
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Final

from sojourn.envs.search.mending import mended
from sojourn.envs.search.records import Question
from sojourn.envs.search.retrieve.line_file import LineFile, fingerprint
from sojourn.envs.task_list import LazyList
from sojourn.errors import DataError, unknown_name

SPLITS: Final = ("train", "validation", "test")
VALIDATION_SHARE: Final = 100
"""One training question in so many is held out for validation, chosen by a hash of its number."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """One file's share of the numbers."""

    category: str
    """The set's name in the paper."""
    file: str
    first: int
    """Number of the file's first question."""
    count: int
    is_train: bool = False

    @property
    def end(self) -> int:
        """One more than the last number."""
        return self.first + self.count


PARTS: Final = (
    Part(category="NQ", file="nq/test.jsonl", first=0, count=3610),
    Part(category="TriviaQA", file="triviaqa/test.jsonl", first=3610, count=11313),
    Part(category="PopQA", file="popqa/test.jsonl", first=14923, count=14267),
    Part(category="HotpotQA", file="hotpotqa/dev.jsonl", first=29190, count=7405),
    Part(category="2Wiki", file="2wikimultihopqa/dev.jsonl", first=36595, count=12576),
    Part(category="MuSiQue", file="musique/dev.jsonl", first=49171, count=2417),
    Part(category="Bamboogle", file="bamboogle/test.jsonl", first=51588, count=125),
    Part(category="NQ", file="nq/train.jsonl", first=51713, count=79168, is_train=True),
    Part(category="HotpotQA", file="hotpotqa/train.jsonl", first=130881, count=90447, is_train=True),
)
"""In the order of their numbers, without gaps."""
_FIRSTS = [part.first for part in PARTS]


class FlashRag:
    """The questions of a FlashRAG folder, read by number when they are asked for.

    Raises `DataError` for a folder without any of the files, and for a file with another number of questions than the
    reference's numbering rests on; `any_count` allows fewer (a subset of one's own), which keep the first numbers.
    """

    name = "flashrag"
    is_numbered = True

    def __init__(self, folder: Path, *, any_count: bool = False) -> None:
        self._folder = folder
        self._any_count = any_count
        self._parts = tuple(part for part in PARTS if (folder / part.file).is_file())
        if not self._parts:
            raise DataError(
                f"{folder} holds none of {', '.join(part.file for part in PARTS)}: expected the folder of FlashRAG's "
                "datasets"
            )
        self._files: dict[str, LineFile] = {}

    @cached_property
    def identity(self) -> str:
        """A hash of the files that are there."""
        told = [f"{part.file}:{fingerprint(self._folder / part.file)}" for part in self._parts]
        return hashlib.sha256("\n".join(told).encode()).hexdigest()

    @property
    def splits(self) -> tuple[str, ...]:
        return SPLITS

    def categories(self, split: str) -> tuple[str, ...]:
        """The sets that a split has, in the paper's order. Raises `DataError` if there is none."""
        found = tuple(part.category for part in self._parts if part.is_train == _is_train(split))
        if not found:
            wanted = ", ".join(part.file for part in PARTS if part.is_train == _is_train(split))
            raise DataError(f"{self._folder} has no questions for {split}: they are in {wanted}")
        return found

    def questions(self, split: str, category: str) -> Sequence[Question]:
        """The questions of one set in a split, by number. Raises `ConfigError` for a name that is unknown."""
        if category not in self.categories(split):
            raise unknown_name(f"set of questions for {split}", category, self.categories(split))
        (part,) = (p for p in self._parts if p.category == category and p.is_train == _is_train(split))
        end = part.first + self._num_questions(part)
        if not part.is_train:
            return LazyList(range(part.first, end), self._numbered)
        return LazyList(_numbers(part.first, end, split), self._numbered)

    def question(self, question_id: str) -> Question:
        """The question with this number. Raises `DataError` if it is none of this folder's."""
        number = int(question_id) if question_id.isascii() and question_id.isdecimal() else -1
        if not 0 <= number < PARTS[-1].end or str(number) != question_id:
            raise DataError(f"expected a question's number from 0 to {PARTS[-1].end - 1}, got {question_id!r}")
        part = PARTS[bisect.bisect_right(_FIRSTS, number) - 1]
        if part not in self._parts:
            raise DataError(f"question {number} is of {part.category} and would be in {self._folder / part.file}")
        if number - part.first >= self._num_questions(part):
            raise DataError(f"question {number} is not in {self._folder / part.file}, which holds a part of its set")
        return self._read(part, number)

    def _numbered(self, number: int) -> Question:
        return self.question(str(number))

    def _read(self, part: Part, number: int) -> Question:
        where = f"{self._folder / part.file}:{number - part.first + 1}"
        try:
            row = json.loads(self._file(part)[number - part.first])
            text, answers = question_text(row["question"]), accepted_answers(row["golden_answers"])
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise DataError(f"{where}: expected a line with 'question' and 'golden_answers': {error!r}") from error
        if part.category == "Bamboogle":
            answers = tuple(dict.fromkeys(alias for answer in answers for alias in mended(answer)))
        split = split_of(number) if part.is_train else "test"
        return Question(question_id=str(number), text=text, answers=answers, split=split, category=part.category)

    def _file(self, part: Part) -> LineFile:
        if part.file not in self._files:
            self._files[part.file] = LineFile(self._folder / part.file)
        return self._files[part.file]

    def _num_questions(self, part: Part) -> int:
        lines = self._file(part)
        count = len(lines)
        while count and not lines[count - 1].strip():
            count -= 1
        if count > part.count or (count < part.count and not self._any_count):
            raise DataError(
                f"{self._folder / part.file} has {count} questions, and the reference's numbers rest on {part.count}: "
                "another version of the set, or a part of it"
            )
        return count


def _is_train(split: str) -> bool:
    if split not in SPLITS:
        raise unknown_name("split of the questions", split, SPLITS)
    return split != "test"


def split_of(number: int) -> str:
    """``validation`` for one training question in a hundred, ``train`` for the others, whatever else is there."""
    digest = hashlib.blake2b(f"flashrag {number}".encode(), digest_size=4).digest()
    return "validation" if int.from_bytes(digest, "little") % VALIDATION_SHARE == 0 else "train"


@cache
def _numbers(first: int, end: int, split: str) -> tuple[int, ...]:
    return tuple(number for number in range(first, end) if split_of(number) == split)


def question_text(text: object) -> str:
    """The question as the reference asks it: with a question mark, which some sets leave out."""
    if not isinstance(text, str) or not text.strip():
        raise ValueError(f"expected a question, got {text!r}")
    text = text.strip()
    return text if text.endswith("?") else text + "?"


def accepted_answers(golden: object) -> tuple[str, ...]:
    """The accepted answers in their order, each once. Raises `ValueError` if there is none."""
    rows = [golden] if isinstance(golden, str | int | float) else golden
    if not isinstance(rows, list) or not all(isinstance(row, str | int | float) for row in rows):
        raise ValueError(f"expected a list of answers, got {golden!r}")
    found = tuple(dict.fromkeys(str(row) for row in rows if str(row).strip()))
    if not found:
        raise ValueError("expected at least one answer, got none")
    return found
