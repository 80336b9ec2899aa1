"""Whether an answer is the right one: compared by what it is, not letter by letter."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

IMPOSSIBLE = "N/A"

_NUMBER = re.compile(r"-?\d[\d,]*(?:\.\d+)?")


class AnswerKind(StrEnum):
    """What an answer is."""

    TEXT = "text"  # the same words, whatever the case and the marks around them
    NUMBER = "number"  # the only number in the answer
    MONEY = "money"  # the same amount, with or without a currency
    IMPOSSIBLE = "impossible"  # N/A


@dataclass(frozen=True, kw_only=True)
class RightAnswer:
    """The answer to a question."""

    kind: AnswerKind
    value: str

    def is_given_by(self, answer: str) -> bool:
        """Whether `answer` says it."""
        text = answer.strip()
        if self.kind is AnswerKind.IMPOSSIBLE:
            return text.casefold() in ("n/a", "na")
        if self.kind is AnswerKind.TEXT:
            return _words(text) == _words(self.value)
        numbers = _NUMBER.findall(text)
        if self.kind is AnswerKind.MONEY:
            text = re.sub(r"usd|us\$|\$|dollars?", "", text, flags=re.IGNORECASE)
        is_bare = _NUMBER.sub("", text).strip(" .") == "" if self.kind is AnswerKind.MONEY else True
        return is_bare and len(numbers) == 1 and abs(_amount(numbers[0]) - _amount(self.value)) < 0.005


def _words(text: str) -> list[str]:
    return re.findall(r"[\w./@#+-]*\w", text.casefold())


def _amount(text: str) -> float:
    return float(text.replace(",", ""))


def text(value: object) -> RightAnswer:
    """The answer that is this text."""
    return RightAnswer(kind=AnswerKind.TEXT, value=str(value))


def number(value: float) -> RightAnswer:
    """The answer that is this number."""
    return RightAnswer(kind=AnswerKind.NUMBER, value=str(value))


def money(value: float) -> RightAnswer:
    """The answer that is this amount."""
    return RightAnswer(kind=AnswerKind.MONEY, value=f"{float(value):.2f}")


NOT_AVAILABLE = RightAnswer(kind=AnswerKind.IMPOSSIBLE, value=IMPOSSIBLE)
"""The answer to a task that can't be done."""
