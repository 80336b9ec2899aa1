"""What a search shows: Search-R1's block of documents, made inert and cut to size."""

from __future__ import annotations

from collections.abc import Sequence

from sojourn.envs.search.neutralise import neutral
from sojourn.envs.search.records import Passage

NOTHING_FOUND = "<information>Nothing was found.</information>"
_CHARS_PER_WORD = 8
"""A passage is also cut at so many characters for each word it may have: not every script puts blanks between words."""
_MAX_TITLE_CHARS = 200


def shown_passages(passages: Sequence[Passage], max_words: int) -> tuple[Passage, ...]:
    """The passages as they are shown: one line each, neutral, and together at most `max_words` words of text.

    Each may take an equal part of the words that those before it have left.
    """
    shown = []
    for number, passage in enumerate(passages):
        share = max_words // (len(passages) - number)
        text, num_words = _cut(neutral(passage.text), share)
        max_words -= num_words
        title = " ".join(neutral(passage.title[:_MAX_TITLE_CHARS]).split())
        shown.append(Passage(passage_id=passage.passage_id, title=title, text=text))
    return tuple(shown)


def information(shown: Sequence[Passage]) -> str:
    """The block ``<information>Doc 1(Title: ...) ...</information>`` of passages that `shown_passages` made."""
    if not shown:
        return NOTHING_FOUND
    lines = (f"Doc {number}(Title: {p.title}) {p.text}" for number, p in enumerate(shown, start=1))
    return f"<information>{chr(10).join(lines)}</information>"


def _cut(text: str, max_words: int) -> tuple[str, int]:
    """The first words of `text` with single blanks between them, and how many they are."""
    head = text[: max_words * _CHARS_PER_WORD]
    words = head.split()
    if len(head) == len(text) and len(words) <= max_words:
        return " ".join(words), len(words)
    words = words[:max_words]
    return " ".join([*words, "…"]), len(words)
