"""When two answers are the same: exact match and token F1 under a normaliser.

``squad`` is what the field publishes with, bit for bit; ``strict`` mends what it gets wrong outside ASCII.
"""

from __future__ import annotations

import re
import string
import unicodedata
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from sojourn.envs.search.retrieve.words import UNDECOMPOSED
from sojourn.errors import unknown_name

_ARTICLES = re.compile(r"\b(?:a|an|the)\b")
_NO_ASCII_PUNCTUATION = str.maketrans("", "", string.punctuation)
_ACCENTS = re.compile(r"[\u0300-\u036f]")


def squad(text: str) -> str:
    """SQuAD v1.1's normal form: lower case, no ASCII punctuation, no articles, single blanks.

    The same text as ``normalize_answer`` of SQuAD's evaluation script and of Search-R1's ``qa_em``, for every input.
    """
    return " ".join(_ARTICLES.sub(" ", text.lower().translate(_NO_ASCII_PUNCTUATION)).split())


def strict(text: str) -> str:
    """`squad` for all of Unicode: compatibility forms unified, case and accents folded, every punctuation mark gone.

    Only Latin, Greek and Cyrillic accents are folded: the vowel signs of other scripts are marks too.
    """
    if text.isascii():
        return squad(text)
    folded = unicodedata.normalize("NFKC", text).casefold().translate(UNDECOMPOSED)
    split = _ACCENTS.sub("", unicodedata.normalize("NFKD", folded))
    return squad("".join(c for c in split if unicodedata.category(c)[0] != "P"))


@dataclass(frozen=True, kw_only=True, slots=True)
class Normalizer:
    """A normal form for answers, and what is done with an answer that it leaves nothing of."""

    normal: Callable[[str], str]
    guards_empty: bool
    """Compare the texts themselves where one of them normalises to nothing, such as ``A+`` or ``The The``."""

    def is_match(self, answer: str, gold: str) -> bool:
        """Whether the answer is exactly this accepted one."""
        left, right = self.normal(answer), self.normal(gold)
        if self.guards_empty and not (left and right):
            return _raw(answer) == _raw(gold) != ""
        return left == right

    def f1(self, answer: str, gold: str) -> float:
        """SQuAD v1.1's token F1 in [0, 1]: the harmonic mean of precision and recall of the words, as multisets."""
        left, right = self.normal(answer).split(), self.normal(gold).split()
        if self.guards_empty and not (left and right):
            return float(self.is_match(answer, gold))
        common = sum((Counter(left) & Counter(right)).values())
        return 2 * common / (len(left) + len(right)) if common else 0.0


def _raw(text: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


NORMALIZERS: Mapping[str, Normalizer] = MappingProxyType(
    {"squad": Normalizer(normal=squad, guards_empty=False), "strict": Normalizer(normal=strict, guards_empty=True)}
)
"""Every normaliser by name."""


def normalizer(name: str) -> Normalizer:
    """The normaliser called `name`; raises `ConfigError` that lists the known ones."""
    if name not in NORMALIZERS:
        raise unknown_name("normalizer", name, NORMALIZERS)
    return NORMALIZERS[name]


@dataclass(frozen=True, kw_only=True, slots=True)
class Marks:
    """What an answer is worth against all accepted ones: the best of each measure."""

    em: bool
    """Whether it is one of them."""
    f1: float
    """In [0, 1]."""


def mark(answer: str, accepted: Sequence[str], rule: Normalizer) -> Marks:
    """Compare an answer with the accepted ones (at least one)."""
    return Marks(
        em=any(rule.is_match(answer, gold) for gold in accepted), f1=max(rule.f1(answer, gold) for gold in accepted)
    )
