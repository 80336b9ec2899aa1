"""What counts as a word, for passages and for queries alike: an index finds what both sides spell the same way."""

from __future__ import annotations

import re
import unicodedata

MAX_QUERY_CHARS = 2000
MAX_TERMS = 64
MAX_WORD_CHARS = 64
MAX_STOP_WORDS = 4
"""Of a query that has nothing else: each is in nearly every passage, and costs accordingly."""

_WORD = re.compile(r"[^\W_]+")
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
UNDECOMPOSED = str.maketrans(
    {"ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe", "\u0131": "i", "ħ": "h", "ŧ": "t"}
)
"""Letters with a stroke or a ligature have no decomposition: Unicode calls them letters of their own."""

_STOP_WORDS = (
    "a about after all also an and any are as at be because been before being between both but by can could did do "
    "does doing done during each for from had has have having he her here hers him his how i if in into is it its "
    "itself just me more most my no nor not of off on once one only or other our out over own s same shall she should "
    "so some such t than that the their them then there these they this those through to too under until up very was "
    "we were what when where which while who whom whose why will with would you your"
)
STOP_WORDS = frozenset(_STOP_WORDS.split())
"""English words that say nothing of a passage. They stay in the index and leave queries: ten times the speed, and
"What is the capital of France?" finds France, not The Gambia."""


def words(text: str) -> list[str]:
    """The words of `text` in order: runs of letters and digits, case and accents folded, at most 64 characters each."""
    if not text.isascii():
        taken_apart = unicodedata.normalize("NFKD", text)
        text = "".join(c for c in taken_apart if not unicodedata.combining(c)).casefold().translate(UNDECOMPOSED)
    return [word[:MAX_WORD_CHARS] for word in _WORD.findall(text.lower())]


def query_terms(text: str) -> list[str]:
    """The words that a query looks for: each once, in order, without stop words (unless there is nothing else).

    Whatever the text holds, the result is plain words: at most 64 of the first 2,000 characters.
    """
    found = dict.fromkeys(words(text[:MAX_QUERY_CHARS]))
    telling = [word for word in found if word not in STOP_WORDS]
    return telling[:MAX_TERMS] if telling else list(found)[:MAX_STOP_WORDS]


def storable(text: str) -> str:
    """`text` without what a text file cannot hold: NUL and halves of surrogate pairs."""
    return _UNSTORABLE.sub("", text)


def plain_query(text: str) -> str:
    """What leaves this machine of a query: one line of at most 2,000 characters, without control characters.

    Empty if the text has no word: nothing is asked then, and nothing found.
    """
    line = " ".join("".join(c if c.isprintable() else " " for c in storable(text[:MAX_QUERY_CHARS])).split())
    return line if _WORD.search(line) else ""
