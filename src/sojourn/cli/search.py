"""``sojourn search``: make an index, serve a retriever, make an atlas now, and look at what a query finds."""

from __future__ import annotations

import argparse
import asyncio
import importlib.util
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from sojourn.cli.options import read_options
from sojourn.envs.search.records import Hit
from sojourn.envs.search.retrieve import open_retriever
from sojourn.errors import ConfigError, MissingDependencyError

_SERVER = ("fastapi", "uvicorn", "prometheus_client")
_SHOWN_CHARS = 400


def search_index(options: argparse.Namespace) -> int:
    """Index JSON-lines files."""
    from sojourn.envs.search.retrieve.corpus_file import read_corpus  # numpy, which --help does not need
    from sojourn.envs.search.retrieve.text_index import TextIndex, build_text_index

    missing = [str(path) for path in options.jsonl if not path.is_file()]
    if missing:
        raise ConfigError(f"--jsonl: there is no file {', '.join(missing)}")
    with _progress(sum(path.stat().st_size for path in options.jsonl)) as on_bytes:
        build_text_index(read_corpus(options.jsonl, on_bytes), options.out)
    index = TextIndex(options.out)
    print(f"{len(index)} passages indexed in {options.out}; search it with: sojourn search query {options.out} TEXT")
    return 0


@contextmanager
def _progress(num_bytes: int) -> Iterator[Any]:
    """A bar on standard error; its function is told how many bytes have been read."""
    columns = (TextColumn("indexing"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("indexing", total=num_bytes)
        yield lambda done: progress.update(task, completed=done)


def search_build(options: argparse.Namespace) -> int:
    """Make an atlas and its questions, if they are not there yet."""
    from sojourn.envs.search.atlas import open_atlas  # with SQLite and the atlas' packages, as the next
    from sojourn.envs.search.questions import SPLITS, open_questions

    atlas = open_atlas(options.atlas, options.seed)
    print(f"{options.atlas}: {atlas.manifest.num_passages} passages in {atlas.folder}", flush=True)
    questions = open_questions(atlas)
    counts = ", ".join(f"{len(questions.questions(split))} {split}" for split in SPLITS)
    print(f"questions: {counts}")
    return 0


def search_query(options: argparse.Namespace) -> int:
    """Print what a query finds."""
    retriever = open_retriever(options.spec, cache=0, **_retriever_options(options))

    async def ask() -> list[Hit]:
        try:
            (hits,) = await retriever.search([options.text], options.k)
        finally:
            await retriever.close()
        return hits

    hits = asyncio.run(ask())
    if options.json:
        rows = [
            {
                "id": hit.passage.passage_id,
                "title": hit.passage.title,
                "text": hit.passage.text,
                "relevance": hit.relevance,
            }
            for hit in hits
        ]
        print(json.dumps(rows, ensure_ascii=False, indent=1))
        return 0
    for number, hit in enumerate(hits, start=1):
        relevance = "" if hit.relevance is None else f"  ({hit.relevance:.2f})"
        print(f"{number}. {hit.passage.title}  [{hit.passage.passage_id}]{relevance}")
        text = " ".join(hit.passage.text.split())
        print(f"   {text[:_SHOWN_CHARS]}{'…' if len(text) > _SHOWN_CHARS else ''}")
    if not hits:
        print("nothing found")
    return 0


def search_serve(options: argparse.Namespace) -> int:
    """Serve a retriever until a signal ends it."""
    if [name for name in _SERVER if importlib.util.find_spec(name) is None]:
        raise MissingDependencyError("the retriever's server", "pip install 'sojourn[search,service]'")
    from sojourn.service import server  # an extra, and half a second
    from sojourn.service.retrieve_app import make_retrieve_app

    config = server.ServeConfig(
        environments={}, host=options.host, port=options.port, token=server.read_token(options.token_file)
    )
    more = _retriever_options(options)
    return server.serve(
        config,
        lambda address: print(f"serving {address}/retrieve from {options.spec}", flush=True),
        # opened when the address is ours: an atlas that is yet to be made takes a while
        lambda served, table, metrics: make_retrieve_app(
            open_retriever(options.spec, cache=options.cache, **more), name=options.spec, k=options.k
        ),
    )


def _retriever_options(options: argparse.Namespace) -> Mapping[str, Any]:
    found = read_options(options.options)
    if "cache" in found:
        raise ConfigError(
            "--options: expected an option of the retriever itself, got 'cache': serve has --cache for it"
        )
    return found
