"""``sojourn search serve``: a retriever over HTTP, under the ``/retrieve`` that Search-R1's clients speak."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Annotated, Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

import sojourn
from sojourn.envs.search.records import Hit, Retriever
from sojourn.envs.search.retrieve.documents import document_of, row_of
from sojourn.envs.search.retrieve.gather import MAX_BATCH, MAX_K
from sojourn.envs.search.retrieve.search_r1 import PATH
from sojourn.envs.search.retrieve.words import storable
from sojourn.errors import EnvError
from sojourn.service.wire import MAX_BODY_BYTES


def _readable(query: Any) -> Any:
    """A text without halves of surrogate pairs: one of them must not cost a whole batch its answer."""
    return storable(query) if isinstance(query, str) else query


MAX_QUERY_CHARS = 20_000
"""Of one query as it comes; what is searched for is its first 2,000 characters."""
Query = Annotated[str, BeforeValidator(_readable), StringConstraints(max_length=MAX_QUERY_CHARS)]


class RetrieveCall(BaseModel):
    """What a client asks: Search-R1's fields, by its names."""

    model_config = ConfigDict(extra="ignore", validate_by_alias=True, validate_by_name=False)

    queries: Annotated[list[Query], Field(min_length=1, max_length=MAX_BATCH)]
    """Plain texts, at most 1,024."""
    k: Annotated[int | None, Field(alias="topk", ge=1, le=MAX_K)] = None
    """Hits of each query; None for the server's own number."""
    is_full: Annotated[bool, Field(alias="return_scores")] = False
    """Whether each document comes with its relevance."""


def make_retrieve_app(retriever: Retriever, *, name: str, k: int) -> FastAPI:
    """The ASGI application over `retriever`, which it closes at its end; `k` hits where a call names no number.

    400 and 422 say what was expected, 413 refuses what is too long, 503 says that the retriever failed.
    """

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        try:
            yield
        finally:
            await retriever.close()

    app = FastAPI(
        title="Sojourn retriever",
        version=sojourn.__version__,
        description="Search-R1's /retrieve: passages for queries, many at a time.",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
    )

    @app.post(PATH)
    async def retrieve(call: RetrieveCall) -> JSONResponse:
        found = await retriever.search(call.queries, call.k or k)
        return JSONResponse({"result": [_row(hits, call.is_full) for hits in found]})

    @app.get("/health")
    async def health() -> Mapping[str, Any]:
        return {"status": "ok", "retriever": name, "identity": retriever.identity, "topk": k}

    _add_error_handlers(app)
    return app


def _row(hits: Sequence[Hit], is_full: bool) -> list[Mapping[str, Any]]:
    return [row_of(hit) if is_full else document_of(hit.passage) for hit in hits]


def _add_error_handlers(app: FastAPI) -> None:
    @app.exception_handler(EnvError)
    async def failed(_: Request, error: EnvError) -> JSONResponse:
        return JSONResponse({"detail": str(error)}, status_code=503, headers={"Retry-After": "1"})

    @app.exception_handler(RequestValidationError)
    async def invalid(_: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        status = 413 if first["type"] in ("too_long", "string_too_long") else 422
        return JSONResponse({"detail": f"{where}: {first['msg']} (body at most {MAX_BODY_BYTES} bytes)"}, status)
