"""The ``/retrieve`` of Search-R1, which its servers, verl's tool and ours speak: the client, and the wire's own form.

A request is ``{"queries": [...], "topk": 3, "return_scores": true}``; an answer ``{"result": [[{"document": {"id",
"contents"}, "score"}, ...], ...]}`` with a title in quotes as first line of the contents. Servers differ: some leave
the score out, ignore topk, give a document as a text or find fewer; all of that is understood.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from typing import Any

from sojourn.envs.search.records import Hit, Passage
from sojourn.envs.search.retrieve.guard import Limits
from sojourn.envs.search.retrieve.wire import Address, JsonClient
from sojourn.envs.search.retrieve.words import storable
from sojourn.errors import EnvError

PATH = "/retrieve"
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


class SearchR1Client:
    """Asks a server's ``/retrieve``; `ask` answers a batch of plain queries."""

    def __init__(self, url: str, limits: Limits, token: str | None = None) -> None:
        url = url.rstrip("/").removesuffix(PATH)
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        self._client = JsonClient("retriever", Address(url), limits, headers=headers, secrets=[token or ""])
        self.identity = f"search-r1-{self._client.address}"

    async def ask(self, queries: Sequence[str], k: int) -> list[list[Hit]]:
        """The hits of each query. Raises `EnvError` for a server that fails, or says something else."""
        # always with relevance: without, the original server unpacks one list into two names and fails
        body = {"queries": list(queries), "topk": k, "return_scores": True}
        answer = await self._client.json("POST", PATH, body=body)
        try:
            rows = answer["result"]
            if not isinstance(rows, list) or len(rows) != len(queries):
                raise ValueError(f"expected {len(queries)} lists in 'result', got {str(rows)[:100]!r}")
            return [hits_of(row, k) for row in rows]
        except (TypeError, KeyError, ValueError) as error:
            reason = f"no 'result' in {str(answer)[:100]!r}" if isinstance(error, TypeError | KeyError) else str(error)
            raise EnvError(f"retriever at {self._client.address}: {reason}") from error

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()
