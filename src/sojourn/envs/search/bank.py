"""Where a scenario's questions come from: by split, by category, and by id."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Protocol

from sojourn.envs.search.records import Question
from sojourn.errors import DataError, unknown_name


class Bank(Protocol):
    """A set of questions in splits; no id is in two of them."""

    @property
    def name(self) -> str:
        """What stands for it in an environment's id; empty for the questions that a corpus comes with."""

    @property
    def identity(self) -> str:
        """What decides its questions: their content, or what they are made from."""

    @property
    def is_numbered(self) -> bool:
        """Whether an id is the number that the reference has for the question."""

    @property
    def splits(self) -> tuple[str, ...]:
        """Its splits, at least ``train``, ``validation`` and ``test``."""

    def categories(self, split: str) -> tuple[str, ...]:
        """The categories of a split, in their order."""

    def questions(self, split: str, category: str) -> Sequence[Question]:
        """The questions of a category in a fixed order."""

    def question(self, question_id: str) -> Question:
        """The question with this id. Raises `DataError` if there is none."""


class ListedQuestions:
    """A bank of questions that are all at hand: split -> questions."""

    is_numbered = False

    def __init__(self, questions: Mapping[str, Sequence[Question]], *, name: str = "") -> None:
        for split in ("train", "validation", "test"):
            if not questions.get(split):
                raise DataError(f"expected questions for train, validation and test, got none for {split}")
        self.name = name
        self._questions = questions

    @cached_property
    def identity(self) -> str:
        """A hash of texts, accepted answers and gold paths."""
        rows = (f"{q.question_id}|{q.text}|{q.answers}|{q.hops}" for q in self._by_id.values())
        return hashlib.sha256("\n".join(rows).encode(errors="replace")).hexdigest()

    @property
    def splits(self) -> tuple[str, ...]:
        return tuple(self._questions)

    def categories(self, split: str) -> tuple[str, ...]:
        return tuple(self._by_category[_known(split, self._questions)])

    def questions(self, split: str, category: str) -> Sequence[Question]:
        return self._by_category[_known(split, self._questions)][category]

    def question(self, question_id: str) -> Question:
        if question_id not in self._by_id:
            raise DataError(f"there is no question {question_id!r}")
        return self._by_id[question_id]

    @cached_property
    def _by_id(self) -> dict[str, Question]:
        found: dict[str, Question] = {}
        for split, questions in self._questions.items():
            for question in questions:
                if question.question_id in found:
                    raise DataError(f"question {question.question_id!r} is there twice")
                if question.split != split or not question.answers or not any(map(str.isalnum, question.text)):
                    raise DataError(f"expected a question of {split} with a text and an answer, got {question}")
                found[question.question_id] = question
        return found

    @cached_property
    def _by_category(self) -> dict[str, dict[str, list[Question]]]:
        found: dict[str, dict[str, list[Question]]] = {split: {} for split in self._questions}
        for question in self._by_id.values():
            found[question.split].setdefault(question.category, []).append(question)
        return {split: dict(sorted(groups.items())) for split, groups in found.items()}


def _known(split: str, known: Mapping[str, object]) -> str:
    if split not in known:
        raise unknown_name("split of the questions", split, known)
    return split
