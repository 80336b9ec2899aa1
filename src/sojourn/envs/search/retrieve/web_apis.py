"""Web search by an API that the user pays for: opt-in, with keys from the environment, a budget, and recordings.

Snippets only: no page is fetched, and answer boxes are left out, since they would answer the question.
"""

from __future__ import annotations

import asyncio
import html
import os
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from sojourn.envs.search.records import Hit, Passage
from sojourn.envs.search.retrieve.guard import Limits
from sojourn.envs.search.retrieve.recording import Recording
from sojourn.envs.search.retrieve.wire import Address, JsonClient
from sojourn.envs.search.retrieve.words import storable
from sojourn.errors import ConfigError, EnvError, unknown_name

_TAG = re.compile(r"</?(?:b|strong|em|mark)>", re.IGNORECASE)
"""Emphasis that some services put around what matched."""


@dataclass(frozen=True, kw_only=True)
class WebApi:
    """How one service is asked, and where its answer has the hits."""

    url: str
    """Of the service; empty where the user runs it, and a variable has it."""
    path: str
    key_variables: tuple[str, ...]
    """Environment variables that may have the key, or (with an empty `url`) the address."""
    method: str
    header: str = ""
    """Header with the key; ``{}`` stands for it."""
    request: Callable[[str, int], Mapping[str, Any]]
    """Body or parameters for a query and k."""
    hits: tuple[str, ...]
    """Keys that lead to the list of hits."""
    link: str
    text: tuple[str, ...]
    """Keys of a hit with its address, and its text (several are joined)."""


WEB_APIS: Mapping[str, WebApi] = {
    "serper": WebApi(
        url="https://google.serper.dev",
        path="/search",
        key_variables=("SERPER_API_KEY",),
        method="POST",
        header="X-API-KEY: {}",
        request=lambda query, k: {"q": query, "num": k},
        hits=("organic",),
        link="link",
        text=("snippet",),
    ),
    "brave": WebApi(
        url="https://api.search.brave.com",
        path="/res/v1/web/search",
        key_variables=("BRAVE_API_KEY", "BRAVE_SEARCH_API_KEY"),
        method="GET",
        header="X-Subscription-Token: {}",
        request=lambda query, k: {"q": query, "count": str(k)},
        hits=("web", "results"),
        link="url",
        text=("description", "extra_snippets"),
    ),
    "tavily": WebApi(
        url="https://api.tavily.com",
        path="/search",
        key_variables=("TAVILY_API_KEY",),
        method="POST",
        header="Authorization: Bearer {}",
        request=lambda query, k: {"query": query, "max_results": k, "search_depth": "basic", "include_answer": False},
        hits=("results",),
        link="url",
        text=("content",),
    ),
    "searxng": WebApi(
        url="",
        path="/search",
        key_variables=("SEARXNG_URL",),
        method="GET",
        request=lambda query, _: {"q": query, "format": "json"},
        hits=("results",),
        link="url",
        text=("content",),
    ),
}


@dataclass(frozen=True, kw_only=True)
class WebSettings:
    """What a web search may do."""

    record: str | None = None
    """Folder that answers are kept in, and taken from where they are known."""
    replay: str | None = None
    """Folder that all answers are taken from: the net is never asked."""
    blocked_domains: tuple[str, ...] = ()
    """Hits of these domains, and of those under them, are left out: mirrors of a benchmark, say."""
    budget: int | None = None
    """Requests that this process may pay for; further ones fail. None: no limit."""
    per_second: float = 5.0
    """Requests that one key may begin in a second."""
    url: str | None = None
    """Where the service is, if not at its usual address."""

    def __post_init__(self) -> None:
        if self.record is not None and self.replay is not None:
            raise ConfigError("record and replay exclude each other: record keeps what it learns, replay never asks")
        if self.per_second <= 0:
            raise ConfigError(f"per_second must be more than 0, got {self.per_second}")


class _Pace:
    """Spaces the requests of one key evenly, from whatever loop or thread they come."""

    def __init__(self, per_second: float) -> None:
        self._gap_s = 1.0 / per_second
        self._next = 0.0

    async def wait(self) -> None:
        now = time.monotonic()
        start = max(now, self._next)
        self._next = start + self._gap_s
        if start > now:
            await asyncio.sleep(start - now)


class WebSearch:
    """Asks one service; `ask` sends one request a query."""

    def __init__(self, name: str, settings: WebSettings, limits: Limits) -> None:
        if name not in WEB_APIS:
            raise unknown_name("web search", name, WEB_APIS)
        self._name = name
        self._api = api = WEB_APIS[name]
        self._settings = settings
        folder = settings.replay or settings.record
        self._recording = None if folder is None else Recording(Path(folder), is_replay=settings.replay is not None)
        self._client = None if settings.replay is not None else self._make_client(api, limits)
        self._pace = _Pace(settings.per_second)
        self._num_paid = 0
        self._blocked = tuple(domain.lower().strip(".") for domain in settings.blocked_domains)
        self.identity = f"web-{name}-{','.join(sorted(self._blocked))}"

    def _make_client(self, api: WebApi, limits: Limits) -> JsonClient:
        found = next((os.environ[name] for name in api.key_variables if os.environ.get(name, "").strip()), None)
        is_given = not api.header and self._settings.url is not None
        if found is None and not is_given:
            what = "key" if api.header else "address"
            raise ConfigError(f"web:{self._name} takes its {what} from the environment: set {api.key_variables[0]}")
        found = (found or "").strip()
        url = self._settings.url or api.url or found
        headers = {}
        if api.header:
            name, _, value = api.header.partition(": ")
            headers = {name: value.format(found)}
        secrets = [found] if api.header else []
        return JsonClient(
            f"web search {self._name}", Address(url), limits, headers=headers, secrets=secrets, uses_proxy=True
        )

    async def ask(self, queries: Sequence[str], k: int) -> list[list[Hit]]:
        """The hits of each query. Raises `EnvError` for a service that fails, or a budget that is spent."""
        return list(await asyncio.gather(*(self._one(query, k) for query in queries)))

    async def _one(self, query: str, k: int) -> list[Hit]:
        answer = None if self._recording is None else self._recording.recalled(self._name, query, k)
        if answer is None:
            answer = await self._paid(query, k)
        return self._hits(answer, k)

    async def _paid(self, query: str, k: int) -> Any:
        assert self._client is not None, "a replay has no client"
        budget = self._settings.budget
        if budget is not None and self._num_paid >= budget:
            raise EnvError(f"web search {self._name}: the budget of {budget} requests is spent")
        self._num_paid += 1
        await self._pace.wait()
        api, request = self._api, self._api.request(query, k)
        if api.method == "POST":
            answer = await self._client.json(api.method, api.path, body=request)
        else:
            answer = await self._client.json(api.method, api.path, params=request)
        self._rows(answer)  # what is no answer is not kept either
        if self._recording is not None:
            self._recording.keep(self._name, query, k, {self._api.hits[0]: answer.get(self._api.hits[0])})
        return answer

    def _rows(self, answer: Any) -> list[Any]:
        rows = answer
        for key in self._api.hits:
            # Brave has no "web" where it found nothing; of the others, an answer without hits' list is an error
            if not isinstance(rows, Mapping) or (key not in rows and len(self._api.hits) == 1):
                raise EnvError(f"web search {self._name}: expected {'.'.join(self._api.hits)} in {str(answer)[:200]!r}")
            rows = rows.get(key) or ([] if key == self._api.hits[-1] else {})
        if not isinstance(rows, list):
            raise EnvError(f"web search {self._name}: expected a list of hits, got {str(rows)[:200]!r}")
        return rows

    def _hits(self, answer: Any, k: int) -> list[Hit]:
        hits = []
        for row in self._rows(answer):
            if isinstance(row, Mapping) and isinstance(link := row.get(self._api.link), str):
                if self._is_blocked(link):
                    continue
                said = [row.get(key) for key in self._api.text]
                parts = [part for value in said for part in (value if isinstance(value, list) else [value])]
                text = " ".join(_plain(part) for part in parts if isinstance(part, str))
                title = row.get("title")
                passage = Passage(
                    passage_id=storable(link[:500]), title=_plain(title) if isinstance(title, str) else "", text=text
                )
                hits.append(Hit(passage=passage))
        return hits[:k]

    def _is_blocked(self, link: str) -> bool:
        try:
            host = (urlsplit(link).hostname or "").rstrip(".")
        except ValueError:
            return True
        return any(host == domain or host.endswith(f".{domain}") for domain in self._blocked)

    async def close(self) -> None:
        """Close the connections."""
        if self._client is not None:
            await self._client.close()


def _plain(text: str) -> str:
    return " ".join(storable(html.unescape(_TAG.sub("", text))).split())
