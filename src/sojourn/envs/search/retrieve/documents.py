"""Documents as the field writes them, in corpora and on the wire of Search-R1: read in every form, written in one.

On the wire a hit is ``{"document": {"id", "contents"}, "score"}`` with a title in quotes as first line of the contents.
Some servers leave the relevance out, ignore ``topk``, give a document as a text or in parts, or find fewer.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from typing import Any

from sojourn.envs.search.records import Hit, Passage
from sojourn.envs.search.retrieve.words import storable

MAX_PASSAGE_CHARS = 50_000
"""Of a remote passage; the rest is cut."""


def passage_of(document: Any) -> Passage:
    """The passage in a document of the wire or a line of a corpus: ``contents``, or ``title`` and ``text``, or a text.

    One without an id is called by a hash of what it says. Raises `ValueError` for what is none of these.
    """
    if isinstance(document, str):
        document = {"contents": document}
    if not isinstance(document, Mapping):
        raise ValueError(f"expected a document with 'contents', got {str(document)[:100]!r}")
    title, text, contents = document.get("title"), document.get("text"), document.get("contents")
    if not isinstance(text, str):
        if not isinstance(contents, str):
            raise ValueError(f"expected a document with 'contents' or 'text', got {str(document)[:100]!r}")
        title, text = split_contents(contents)
    title = _bare(title) if isinstance(title, str) else ""
    passage_id = document.get("id")
    if passage_id is None or isinstance(passage_id, bool) or not str(passage_id).strip():
        passage_id = "sha-" + hashlib.sha256(f"{title}\n{text}".encode(errors="replace")).hexdigest()[:16]
    return Passage(
        passage_id=storable(str(passage_id)[:500]), title=storable(title[:500]), text=storable(text[:MAX_PASSAGE_CHARS])
    )


def split_contents(contents: str) -> tuple[str, str]:
    """Title and text of ``contents``: the first line (in quotes or not), and the rest. One line alone is all text."""
    first, newline, rest = contents.partition("\n")
    return (_bare(first), rest) if newline else ("", contents)


def _bare(title: str) -> str:
    title = title.strip()
    return title[1:-1] if len(title) >= 2 and title[0] == title[-1] == '"' else title


def document_of(passage: Passage) -> dict[str, str]:
    """`passage` as the wire has it, readable by clients that want ``contents`` and by those that want the parts."""
    return {
        "id": passage.passage_id,
        "contents": f'"{passage.title}"\n{passage.text}',
        "title": passage.title,
        "text": passage.text,
    }


def row_of(hit: Hit) -> dict[str, Any]:
    """`hit` as the wire has it; what says nothing of relevance gets 0."""
    return {"document": document_of(hit.passage), "score": hit.relevance or 0.0}


def hits_of(row: Any, k: int) -> list[Hit]:
    """The hits in the answer to one query, at most `k`. Raises `ValueError` for what is no list of documents."""
    if not isinstance(row, list):
        raise ValueError(f"expected a list of documents, got {str(row)[:100]!r}")
    hits = []
    for entry in row[:k]:
        is_wrapped = isinstance(entry, Mapping) and "document" in entry
        said = entry.get("score") if isinstance(entry, Mapping) else None
        hits.append(Hit(passage=passage_of(entry["document"] if is_wrapped else entry), relevance=finite(said)))
    return hits


def finite(said: object) -> float | None:
    """What an engine says of relevance, if that is a number that can be compared; else None."""
    if isinstance(said, bool) or not isinstance(said, int | float):
        return None
    try:
        value = float(said)
    except OverflowError:
        return None
    return value if math.isfinite(value) else None
