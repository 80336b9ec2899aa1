"""Whether an answer is the right one: read as what it should be, then compared as that.

The whole answer has to be readable: an amount of money with a sentence around it is no amount. What may vary is how
people write the same thing: capitals, blanks, quotes around and a full stop behind, ``$1,049.00`` or ``1049 USD``,
``May 29, 2024`` or ``2024-05-29``.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Protocol

from sojourn.envs.web.checks.addresses import same_address

IMPOSSIBLE = "N/A"


class RightAnswer(Protocol):
    """The answer to a question."""

    @property
    def value(self) -> str:
        """The answer as an expert writes it."""

    def is_given_by(self, answer: str) -> bool:
        """Whether `answer` says it."""


# ------------------------------------------------------------------------------------------------------------ text

_QUOTES = str.maketrans(
    {"\u201c": '"', "\u201d": '"', "\u2018": "'", "\u2019": "'", "\u2013": "-", "\u2014": "-", "\u00a0": " "}
)
"""Typographic quotes, dashes and the blank that does not break."""
_PAIRS = ('""', "''", "``")


def plain(text: str) -> str:
    """`text` without what does not matter: capitals, runs of blanks, quotes around it, a full stop at its end."""
    text = " ".join(unicodedata.normalize("NFKC", text).translate(_QUOTES).split()).casefold()
    while len(text) > 1:
        if text[0] + text[-1] in _PAIRS:
            text = text[1:-1].strip()
        elif text.endswith(".") and not text.endswith(".."):
            text = text[:-1].strip()
        else:
            break
    return text


@dataclass(frozen=True, kw_only=True)
class TextAnswer:
    """A name or another text, or one of its other forms."""

    value: str
    others: tuple[str, ...] = ()

    def is_given_by(self, answer: str) -> bool:
        """Whether it is the same text but for what `plain` removes."""
        return plain(answer) in {plain(form) for form in (self.value, *self.others)}


@dataclass(frozen=True, kw_only=True)
class Impossible:
    """What was asked cannot be answered or done."""

    value: str = IMPOSSIBLE

    def is_given_by(self, answer: str) -> bool:
        """Whether it is a form of N/A."""
        return plain(answer) in ("n/a", "na", "n.a", "not applicable", "not available")


@dataclass(frozen=True, kw_only=True)
class Nothing:
    """No answer is asked for."""

    value: str = ""

    def is_given_by(self, answer: str) -> bool:
        """Whether nothing is said."""
        return not answer.strip()


# --------------------------------------------------------------------------------------------------------- numbers

_NUMBER = r"[+-]?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?"
_MONEY = re.compile(rf"(?:us)?\$ ?({_NUMBER})|({_NUMBER}) ?(?:\$|usd|us dollars?|dollars?)?|usd ?({_NUMBER})", re.ASCII)
_MEASURE = re.compile(rf"({_NUMBER}) ?([a-z%°]*(?: [a-z]+)*)", re.ASCII)


def _decimal(text: str) -> Decimal:
    return Decimal(text.replace(",", ""))


@dataclass(frozen=True, kw_only=True)
class MoneyAnswer:
    """An amount of dollars."""

    cents: int

    @property
    def value(self) -> str:
        """Such as ``$1,049.00``."""
        sign = "-" if self.cents < 0 else ""
        return f"{sign}${abs(self.cents) // 100:,}.{abs(self.cents) % 100:02}"

    def is_given_by(self, answer: str) -> bool:
        """Whether it is the same amount, to the cent."""
        text = plain(answer)
        sign, text = (-1, text[1:]) if text.startswith("-$") else (1, text)
        match = _MONEY.fullmatch(text)
        return match is not None and sign * _decimal(next(filter(None, match.groups()))) * 100 == self.cents


@dataclass(frozen=True, kw_only=True)
class NumberAnswer:
    """A number, which may be followed by a name of what is counted or measured."""

    number: Decimal
    units: tuple[str, ...] = ()
    """Names that may follow; no other may."""

    @property
    def value(self) -> str:
        """The number and its first unit."""
        return f"{self.number:f} {self.units[0]}".strip() if self.units else f"{self.number:f}"

    def is_given_by(self, answer: str) -> bool:
        """Whether it is the same number, bare or with one of the units."""
        match = _MEASURE.fullmatch(plain(answer))
        return match is not None and match[2] in ("", *self.units) and _decimal(match[1]) == self.number


_METRES = {"m": 1, "meters": 1, "metres": 1, "meter": 1, "metre": 1}
_METRES |= dict.fromkeys(("km", "kilometers", "kilometres", "kilometer", "kilometre"), 1000)


@dataclass(frozen=True, kw_only=True)
class LengthAnswer:
    """A distance, in metres or kilometres; the unit has to be there."""

    metres: int
    tolerance: int = 0
    """Metres that the answer may be off, for distances that the page shows cut to a place."""

    @property
    def value(self) -> str:
        """Such as ``12.3 km``."""
        return f"{Decimal(self.metres) / 1000:f} km" if self.metres >= 1000 else f"{self.metres} m"

    def is_given_by(self, answer: str) -> bool:
        """Whether it is the same distance."""
        match = _MEASURE.fullmatch(plain(answer))
        factor = _METRES.get(match[2]) if match else None
        if match is None or factor is None:
            return False
        return abs(_decimal(match[1]) * factor - self.metres) <= self.tolerance


_TIME = re.compile(
    r"(?:(\d+) ?(?:h|hrs?|hours?))?(?:,? ?(?:and )?(\d+) ?(?:min|mins|minutes?))?|(\d+):(\d\d)(?: ?h)?", re.ASCII
)


@dataclass(frozen=True, kw_only=True)
class DurationAnswer:
    """A time in hours and minutes."""

    minutes: int

    @property
    def value(self) -> str:
        """Such as ``2 h 5 min``."""
        hours, minutes = divmod(self.minutes, 60)
        return f"{hours} h {minutes} min" if hours else f"{minutes} min"

    def is_given_by(self, answer: str) -> bool:
        """Whether it is the same time: ``125 min``, ``2 h 5 min``, ``2:05``."""
        text = plain(answer)
        match = _TIME.fullmatch(text)
        if match is None or not text:
            return False
        hours, minutes = match[1] or match[3] or "0", match[2] or match[4] or "0"
        return int(hours) * 60 + int(minutes) == self.minutes


# ----------------------------------------------------------------------------------------------------------- others

_DATES = ("%Y-%m-%d", "%b %d, %Y", "%B %d, %Y", "%b %d %Y", "%B %d %Y", "%d %b %Y", "%d %B %Y", "%m/%d/%Y", "%m/%d/%y")
_ORDINAL = re.compile(r"(\d)(?:st|nd|rd|th)\b")


@dataclass(frozen=True, kw_only=True)
class DateAnswer:
    """A day."""

    day: date

    @property
    def value(self) -> str:
        """Such as ``2024-05-29``."""
        return self.day.isoformat()

    def is_given_by(self, answer: str) -> bool:
        """Whether it is the same day, in one of the forms of `_DATES` (numbers with slashes: the month first)."""
        text = _ORDINAL.sub(r"\1", plain(answer))
        return any(_read_date(text, form) == self.day for form in _DATES)


def _read_date(text: str, form: str) -> date | None:
    try:
        return datetime.strptime(text, form).date()
    except ValueError:
        return None


@dataclass(frozen=True, kw_only=True)
class PhoneAnswer:
    """A telephone number: its digits."""

    value: str

    def is_given_by(self, answer: str) -> bool:
        """Whether it has the same digits and nothing but what is usual between them."""
        text = plain(answer)
        return re.fullmatch(r"[0-9 ()+./-]+", text) is not None and _digits(text) == _digits(self.value)


def _digits(text: str) -> str:
    return re.sub(r"[^0-9]", "", text)


@dataclass(frozen=True, kw_only=True)
class AddressAnswer:
    """An address of a page."""

    value: str

    def is_given_by(self, answer: str) -> bool:
        """Whether it leads to the same page; the scheme may be missing."""
        text = answer.strip().strip("\"'<>`").rstrip(".")
        return same_address(text if "://" in text else f"http://{text}", self.value)


_SEPARATORS = re.compile(r"\s*(?:[;\n|]|,(?!\d{3}(?!\d)))\s*(?:and\s+)?|\s+and\s+")


@dataclass(frozen=True, kw_only=True)
class ListAnswer:
    """Several answers, each given once; separated by semicolons, lines, or (where no item holds one) commas."""

    items: tuple[RightAnswer, ...]
    is_ordered: bool = False

    @property
    def value(self) -> str:
        """The items with semicolons."""
        return "; ".join(item.value for item in self.items)

    def is_given_by(self, answer: str) -> bool:
        """Whether exactly these are given, in this order if it matters."""
        return any(self._is_split_right(parts) for parts in _parts(answer))

    def _is_split_right(self, parts: Sequence[str]) -> bool:
        if len(parts) != len(self.items):
            return False
        if self.is_ordered:
            return all(item.is_given_by(part) for item, part in zip(self.items, parts, strict=True))
        left = list(self.items)
        for part in parts:
            match = next((item for item in left if item.is_given_by(part)), None)
            if match is None:
                return False
            left.remove(match)
        return True


def _parts(answer: str) -> list[list[str]]:
    """The ways in which an answer can be cut into items."""
    text = answer.strip()
    text = text[1:-1] if text[:1] + text[-1:] in ("[]", "()") else text
    fine = [part for part in _SEPARATORS.split(text) if part.strip()]
    coarse = [re.sub(r"^[-*•]\s+", "", part.strip()) for part in re.split(r"[;\n|]", text) if part.strip()]
    return [coarse, fine]


# ------------------------------------------------------------------------------------------------- in short


def text(value: object, *others: str) -> RightAnswer:
    """The answer that is this text, or one of the others."""
    return TextAnswer(value=str(value), others=others)


def number(value: float | Decimal, *units: str) -> RightAnswer:
    """The answer that is this number."""
    return NumberAnswer(number=Decimal(str(value)), units=units)


def money(dollars: float | Decimal) -> RightAnswer:
    """The answer that is this amount of dollars."""
    return MoneyAnswer(cents=int((Decimal(str(dollars)) * 100).to_integral_value()))


def cents(amount: int) -> RightAnswer:
    """The answer that is this amount of cents."""
    return MoneyAnswer(cents=amount)


def day(value: str) -> RightAnswer:
    """The answer that is the day on which a time such as ``2024-05-29 10:36:00`` is."""
    return DateAnswer(day=date.fromisoformat(value[:10]))


def several(items: Sequence[RightAnswer], *, is_ordered: bool = False) -> RightAnswer:
    """The answer that lists these."""
    return ListAnswer(items=tuple(items), is_ordered=is_ordered)


NOT_AVAILABLE: RightAnswer = Impossible()
"""The answer to a task that can't be done."""
NO_ANSWER: RightAnswer = Nothing()
"""What is said at the end of a task that asks for no answer."""
