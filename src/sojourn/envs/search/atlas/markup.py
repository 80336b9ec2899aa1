"""Text of the sources without its markup, in pieces that fit a passage."""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Iterator
from typing import Final

MAX_WORDS: Final = 150
"""Of a passage's text."""

_BREAK = re.compile(r"<\s*(?:br|/p|p|/li|li|ul|/ul)\b[^>]*>", re.IGNORECASE)
_TAG = re.compile(r"</?[A-Za-z][^<>]*>")
_BLANKS = re.compile(r"\s+")
_SENTENCE = re.compile(r"(?<=[.;!?])\s+")


def plain(text: str) -> str:
    """`text` without HTML tags and entities, on one line."""
    text = html.unescape(_TAG.sub("", _BREAK.sub(" \n", text))).replace("\u00ad", "").replace("\u200b", "")
    lines = (_BLANKS.sub(" ", line).strip() for line in _TAG.sub("", text).split("\n"))
    joined = ""
    for line in lines:
        if line:
            joined += (" " if joined.endswith((".", ";", ":", ",")) else "; ") + line if joined else line
    return unicodedata.normalize("NFC", joined)


def sentence(text: str) -> str:
    """`text` with a full stop, unless it has an end of its own."""
    return text if text.endswith((".", "!", "?")) else text.rstrip(";,: ") + "."


def slug(text: str) -> str:
    """`text` in lower-case letters, digits and single hyphens, for an id."""
    ascii_text = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", ascii_text).strip("-")


def pieces(text: str, limit: int = MAX_WORDS) -> Iterator[str]:
    """`text` cut into pieces of at most `limit` words, between sentences where that is possible."""
    taken: list[str] = []
    for part in _SENTENCE.split(text):
        words = part.split(" ")
        if taken and len(taken) + len(words) > limit:
            yield " ".join(taken)
            taken = []
        while len(words) > limit:
            yield " ".join(words[:limit])
            words = words[limit:]
        taken += words
    if taken:
        yield " ".join(taken)
