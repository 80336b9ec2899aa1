"""How texts are compared when questions are made and checked."""

from __future__ import annotations

from functools import lru_cache

from sojourn.envs.search.retrieve.words import words


@lru_cache(maxsize=20_000)
def folded(text: str) -> str:
    """The words of `text` between single blanks, with a blank at both ends; one blank if there is no word.

    Laxer than any rule by which answers are marked (no case, accents or punctuation), so that what is not found under
    it is found under none of them.
    """
    return f" {' '.join(words(text))} " if text else " "


def mentions(text: str, phrase: str) -> bool:
    """Whether the words of `phrase` stand in `text` one after another; never for a phrase without a word."""
    looked_for = folded(phrase)
    return bool(looked_for.strip()) and looked_for in folded(text)
