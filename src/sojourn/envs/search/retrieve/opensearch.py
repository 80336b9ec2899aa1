"""OpenSearch (or Elasticsearch) as the engine: a ``multi_match`` body made as JSON, never a query string."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from sojourn.envs.search.records import Hit
from sojourn.envs.search.retrieve.documents import finite, passage_of
from sojourn.envs.search.retrieve.guard import Limits
from sojourn.envs.search.retrieve.wire import Address, JsonClient
from sojourn.envs.search.retrieve.words import MAX_TERMS
from sojourn.errors import ConfigError, EnvError

_WORD = re.compile(r"[^\W_]{1,64}")
_MAX_SIGNS = 320
_INDEX = re.compile(r"[a-z0-9][a-z0-9_.+-]{0,254}")


def few_words(query: str) -> str:
    """The first words of `query`, so few that the engine's limit of clauses (1,024 over all fields) is not reached.

    A query beyond it would be an error, and cost all others of its batch their answer. An engine makes a word of each
    sign of some scripts, so that a text with other letters than ASCII's is cut by characters as well.
    """
    text = " ".join(_WORD.findall(query)[:MAX_TERMS])
    return text if text.isascii() else text[:_MAX_SIGNS]


class OpenSearchClient:
    """Asks one index; `ask` answers a batch of plain queries by one ``_msearch``.

    `fields` are searched, ``title^2`` twice as heavily; a document holds ``contents``, or ``title`` and ``text``.
    """

    def __init__(
        self,
        url: str,
        limits: Limits,
        *,
        fields: Sequence[str],
        user: str | None,
        password: str | None,
    ) -> None:
        base, _, index = url.rstrip("/").rpartition("/")
        if not _INDEX.fullmatch(index) or "//" not in base or base.endswith("/"):
            raise ConfigError(f"expected opensearch:http://host:9200/INDEX, got {url!r}")
        headers, secrets = {}, []
        if user is not None and password is not None:
            basic = base64.b64encode(f"{user}:{password}".encode()).decode()
            headers, secrets = {"Authorization": f"Basic {basic}"}, [password, basic]
        self._client = JsonClient("OpenSearch", Address(base), limits, headers=headers, secrets=secrets)
        self._index = index
        self._fields = list(fields)
        self.identity = f"opensearch-{self._client.address}/{index}-{','.join(fields)}"

    async def ask(self, queries: Sequence[str], k: int) -> list[list[Hit]]:
        """The hits of each query. Raises `EnvError` for a server that fails, or for one query that did."""
        bodies = [self._body(query, k) for query in queries]
        path = f"/{quote(self._index)}"
        answers: Any
        if len(bodies) == 1:
            answers = [await self._client.json("POST", f"{path}/_search", body=bodies[0])]
        else:
            lines = b"".join(b"{}\n" + json.dumps(body).encode() + b"\n" for body in bodies)
            answer = await self._client.json("POST", f"{path}/_msearch", lines=lines)
            answers = answer.get("responses") if isinstance(answer, Mapping) else None
            if not isinstance(answers, list) or len(answers) != len(queries):
                raise self._error(f"expected {len(queries)} answers, got {str(answer)[:200]!r}")
        return [self._hits(answer, k) for answer in answers]

    def _body(self, query: str, k: int) -> dict[str, Any]:
        match = {"query": few_words(query), "fields": self._fields, "type": "most_fields"}
        return {"size": k, "query": {"multi_match": match}, "_source": ["id", "title", "text", "contents"]}

    def _hits(self, answer: Any, k: int) -> list[Hit]:
        try:
            if answer.get("error"):
                raise ValueError(str(answer["error"])[:200])
            found = []
            for row in answer["hits"]["hits"][:k]:
                passage = passage_of({"id": row["_id"], **row["_source"]})
                found.append(Hit(passage=passage, relevance=finite(row.get("_score"))))
            return found
        except (AttributeError, TypeError, KeyError, ValueError) as error:
            raise self._error(f"{type(error).__name__}: {error}") from error

    def _error(self, reason: str) -> EnvError:
        return EnvError(f"OpenSearch at {self._client.address}/{self._index}: {reason}")

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()
