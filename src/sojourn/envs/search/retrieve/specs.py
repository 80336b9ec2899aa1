"""From the name in a configuration to a retriever."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Protocol, TypeVar

from pydantic import TypeAdapter, ValidationError

from sojourn.envs.search.records import Hit, Retriever
from sojourn.envs.search.retrieve.gather import Batched, Cached
from sojourn.envs.search.retrieve.guard import Limits
from sojourn.errors import ConfigError, unknown_name

DEFAULT_CACHE = 4096
"""Answers that are remembered; with three passages each some ten megabytes."""
EXPECTED = (
    "atlas, atlas-mini, atlas-cf or atlas-mini-cf, the folder of an index, faiss:PATH, http://HOST:PORT, "
    "opensearch:http://HOST:9200/INDEX or web:NAME"
)
_Settings = TypeVar("_Settings")
Options = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class BatchSettings:
    """How queries of many episodes become requests."""

    window_s: float = 0.003
    """Queries that come within so long leave together."""
    max_batch: int = 256
    """Queries in one request, at most 1,024."""


@dataclass(frozen=True, kw_only=True)
class HttpSettings:
    """Of a Search-R1 server."""

    token_variable: str | None = None
    """Environment variable with the bearer token that the server wants."""


@dataclass(frozen=True, kw_only=True)
class OpenSearchSettings:
    """Of an index in OpenSearch."""

    fields: tuple[str, ...] = ("title^2", "text", "contents")
    """Searched, ``title^2`` twice as heavily."""
    user_variable: str = "OPENSEARCH_USER"
    password_variable: str = "OPENSEARCH_PASSWORD"


@dataclass(frozen=True, kw_only=True)
class AtlasSettings:
    """Of a corpus of ours."""

    seed: int = 0
    """Of the permutation of facts in ``atlas-cf`` and ``atlas-mini-cf``."""


def open_retriever(spec: str, *, cache: int = DEFAULT_CACHE, **options: Any) -> Retriever:
    """The retriever that `spec` names, with an answer's cache before it (`cache` of them; 0 for none).

    ``atlas`` and its kin (`AtlasSettings`), the folder of an index, ``faiss:PATH`` (`FaissSettings`), ``http://...``
    (`HttpSettings`), ``opensearch:URL/INDEX`` (`OpenSearchSettings`), ``web:NAME`` (`WebSettings`); all but the first
    two also take the fields of `BatchSettings`, those over a wire the fields of `Limits`. Raises `ConfigError` for a
    name or option that is unknown, `DataError` for files that do not fit, `MissingDependencyError` for an extra.
    """
    if cache < 0:
        raise ConfigError(f"cache must be 0 or more answers, got {cache}")
    kind, rest = _parsed(spec)
    opener, settings = _opener(kind)
    known = {field.name for one in settings for field in fields(one)}
    for name in options:
        if name not in known:
            raise unknown_name(f"option of the retriever {spec!r}", name, {*known, "cache"})
    retriever = opener(rest, options)
    return Cached(retriever, cache) if cache else retriever


def _parsed(spec: str) -> tuple[str, str]:
    """The kind of retriever, and what its opener needs to know."""
    kind, colon, rest = spec.partition(":")
    if colon and kind in ("faiss", "opensearch", "web"):
        return kind, rest
    if colon and kind in ("http", "https"):
        return "http", spec
    if spec and Path(spec).is_dir():
        return "folder", spec
    if spec.startswith("atlas"):
        return "atlas", spec
    raise ConfigError(f"unknown retriever {spec!r}: expected {EXPECTED}")


def _opener(kind: str) -> tuple[Callable[[str, Options], Retriever], tuple[type, ...]]:
    """What opens a kind of retriever, and the classes that have its options; imports what only this kind needs."""
    if kind == "folder":
        return _open_folder, ()
    if kind == "atlas":
        return _open_atlas, (AtlasSettings,)
    if kind == "faiss":
        from sojourn.envs.search.retrieve.faiss_index import FaissSettings

        return _open_faiss, (FaissSettings, BatchSettings)
    if kind == "web":
        from sojourn.envs.search.retrieve.web_apis import WebSettings

        return _open_web, (WebSettings, Limits)
    if kind == "opensearch":
        return _open_opensearch, (OpenSearchSettings, BatchSettings, Limits)
    return _open_http, (HttpSettings, BatchSettings, Limits)


def _read(settings: type[_Settings], options: Options) -> _Settings:
    """The options that are `settings`' own, checked."""
    names = {field.name for field in fields(settings)}  # type: ignore[arg-type]  # all of them are dataclasses
    own = {name: value for name, value in options.items() if name in names}
    try:
        return TypeAdapter(settings).validate_python(own)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise ConfigError(f"retriever option {where}: {first['msg']}".replace("option :", "option:")) from error


def _secret(variable: str) -> str:
    value = os.environ.get(variable, "").strip()
    if not value:
        raise ConfigError(f"the environment variable {variable} is not set, which the retriever's configuration names")
    return value


def _open_folder(rest: str, _: Options) -> Retriever:
    from sojourn.envs.search.retrieve.text_index import TextIndex

    return TextIndex(Path(rest))


def _open_atlas(rest: str, options: Options) -> Retriever:
    from sojourn.envs.search.atlas import open_atlas
    from sojourn.envs.search.retrieve.text_index import TextIndex

    return TextIndex(open_atlas(rest, _read(AtlasSettings, options).seed).index_folder)


def _open_faiss(rest: str, options: Options) -> Retriever:
    from sojourn.envs.search.retrieve.faiss_index import FaissIndex, FaissSettings

    index = FaissIndex(Path(rest), _read(FaissSettings, options))
    # two: one is embedded while the other is searched, and what comes meanwhile waits to be the next batch
    return _batched(index, _read(BatchSettings, options), max_in_flight=2)


def _open_http(rest: str, options: Options) -> Retriever:
    from sojourn.envs.search.retrieve.search_r1 import SearchR1Client

    variable = _read(HttpSettings, options).token_variable
    limits = _read(Limits, options)
    client = SearchR1Client(rest, limits, None if variable is None else _secret(variable))
    return _batched(client, _read(BatchSettings, options), limits.max_in_flight)


def _open_opensearch(rest: str, options: Options) -> Retriever:
    from sojourn.envs.search.retrieve.opensearch import OpenSearchClient

    settings, limits = _read(OpenSearchSettings, options), _read(Limits, options)
    has_user = bool(os.environ.get(settings.user_variable, "").strip())
    client = OpenSearchClient(
        rest,
        limits,
        fields=settings.fields,
        user=_secret(settings.user_variable) if has_user else None,
        password=_secret(settings.password_variable) if has_user else None,
    )
    return _batched(client, _read(BatchSettings, options), limits.max_in_flight)


def _open_web(rest: str, options: Options) -> Retriever:
    from sojourn.envs.search.retrieve.web_apis import WebSearch, WebSettings

    limits = _read(Limits, options)
    client = WebSearch(rest, _read(WebSettings, options), limits)
    # one request a query is what these services offer
    return _batched(client, BatchSettings(window_s=0.0, max_batch=1), limits.max_in_flight)


class _Client(Protocol):
    """What answers many queries at once."""

    identity: str

    async def ask(self, queries: Sequence[str], k: int) -> list[list[Hit]]: ...

    async def close(self) -> None: ...


def _batched(client: _Client, batch: BatchSettings, max_in_flight: int) -> Retriever:
    return Batched(
        client.ask,
        client.identity,
        close=client.close,
        window_s=batch.window_s,
        max_batch=batch.max_batch,
        max_in_flight=max_in_flight,
    )
