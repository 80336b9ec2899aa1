"""The client of Search-R1's ``/retrieve``, which its servers, verl's tool and ours speak.

A request is ``{"queries": [...], "topk": 3, "return_scores": true}``; the answer has under ``result`` a list for each
query, of documents with their relevance. Servers differ, and all of them are understood: see `documents`.
"""

from __future__ import annotations

from collections.abc import Sequence

from sojourn.envs.search.records import Hit
from sojourn.envs.search.retrieve.documents import hits_of
from sojourn.envs.search.retrieve.guard import Limits
from sojourn.envs.search.retrieve.wire import Address, JsonClient
from sojourn.errors import EnvError

PATH = "/retrieve"


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
