"""The embedded index: BM25 over title and text by tantivy, opened through mmap, with no server.

Raw text never reaches the engine's query language: a query is a set of plain words, each looked for in the title
(where it counts twice) and in the text.
"""

from __future__ import annotations

import asyncio
import errno
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from sojourn.envs.search.records import Hit, Passage
from sojourn.envs.search.retrieve.passage_file import PassageFile, PassageWriter
from sojourn.envs.search.retrieve.words import query_terms, words
from sojourn.errors import DataError, EnvError, MissingDependencyError

__all__ = ["TextIndex", "build_text_index", "query_terms"]

FORMAT: Final = 1
"""Of the folder; an index of another format has to be built again."""
TITLE_BOOST: Final = 2.0
"""Four would ruin look-ups from a value back to its country; one is worse at the way there."""
COMMON_SHARE: Final = 0.3
"""A word that so large a part of the texts has ("lies", where most passages are of cities) is a stop word of this
corpus: left out of the search in texts while rarer words remain. Five times the speed, and the same first hit."""
MIN_PASSAGES_FOR_COMMON: Final = 10_000
MANIFEST: Final = "index.json"
WRITER_BYTES: Final = 1_000_000_000
"""Until the writer holds as much, all is one segment. It takes what it needs: below 0.2 GB for 300,000 passages."""
INLINE_QUERIES: Final = 4
"""So many are answered at once on the event loop: handing them to a thread would cost as much as the search."""
THREAD_QUERIES: Final = 32
"""In a thread at a time; the engine searches without the interpreter's lock, so that threads use all cores."""
MAX_TIES: Final = 1024
"""Equally relevant passages that are put in order where there are several segments."""


@dataclass(frozen=True, kw_only=True)
class IndexManifest:
    """What an index folder holds: ``index.json``."""

    format: int
    engine: str
    num_passages: int
    sha256: str
    """Of ``passages.jsonl``: the content."""

    @property
    def identity(self) -> str:
        """What decides the answers: content, settings, engine."""
        return f"text-{self.sha256[:16]}-v{self.format}-title{TITLE_BOOST:g}-common{COMMON_SHARE:g}-{self.engine}"


def _tantivy() -> Any:
    try:
        import tantivy  # of the extra, and this module is imported without it for its words
    except ImportError as error:
        raise MissingDependencyError("tantivy, the search engine", "pip install 'sojourn[search]'") from error
    return tantivy


def _engine(tantivy: Any) -> str:
    return "-".join(str(tantivy.__version__).split(",")[0].split())


def build_text_index(
    passages: Iterable[Passage],
    folder: Path,
    *,
    total: int | None = None,
    progress: Callable[[int], None] | None = None,
) -> None:
    """Index `passages`, read once and streamed, into the new `folder`, which appears when it is complete.

    `total` is how many are expected; `progress` is told now and then how many are done. Raises `DataError` for an id
    that occurs twice, a count other than `total`, or a disk that is full; nothing is left behind then.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise DataError(f"{folder} exists already: give a new folder, or remove it first")
    folder.parent.mkdir(parents=True, exist_ok=True)
    draft = folder.with_name(f".{folder.name}.{os.getpid()}.tmp")
    _sweep(folder)
    try:
        draft.mkdir()
        _build(passages, draft, total, progress)
        if folder.exists():
            folder.rmdir()
        draft.rename(folder)
    except (OSError, ValueError) as error:
        if _is_disk_full(error):
            raise DataError(f"the disk of {folder.parent} is full: an index takes about 1.4 times its text") from error
        raise
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _sweep(folder: Path) -> None:
    """Remove the drafts of builders that were killed, and one of our own that is left."""
    for draft in folder.parent.glob(f".{folder.name}.*.tmp"):
        number = draft.name.split(".")[-2]
        if number.isdecimal() and (int(number) == os.getpid() or not _is_running(int(number))):
            shutil.rmtree(draft, ignore_errors=True)


def _is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True
    return True


def _is_disk_full(error: Exception) -> bool:
    code = error.errno if isinstance(error, OSError) else None
    return code in (errno.ENOSPC, errno.EDQUOT) or "No space left" in str(error)  # tantivy has it in a text


def _build(
    passages: Iterable[Passage], folder: Path, total: int | None, progress: Callable[[int], None] | None
) -> None:
    tantivy = _tantivy()
    builder = tantivy.SchemaBuilder()
    builder.add_text_field("title", tokenizer_name="whitespace", index_option="freq")
    builder.add_text_field("text", tokenizer_name="whitespace", index_option="freq")
    builder.add_unsigned_field("number", fast=True)
    (folder / "tantivy").mkdir()
    index = tantivy.Index(builder.build(), str(folder / "tantivy"), reuse=False, sort_by_field="number")
    writer = index.writer(heap_size=WRITER_BYTES, num_threads=1)  # threads would each make segments
    file = PassageWriter(folder)
    try:
        for passage in passages:
            number = len(file)
            kept = file.add(passage)
            document = tantivy.Document(title=" ".join(words(kept.title)), text=" ".join(words(kept.text)))
            document.add_unsigned("number", number)
            writer.add_document(document)
            if progress is not None and number % 1000 == 999:
                progress(number + 1)
        if total is not None and len(file) != total:
            raise DataError(f"expected {total} passages, got {len(file)}")
        sha256 = file.finish()
        writer.commit()
    except BaseException:
        writer.rollback()
        raise
    finally:
        writer.wait_merging_threads()  # which write into the folder until then
        file.close()
    manifest = IndexManifest(format=FORMAT, engine=_engine(tantivy), num_passages=len(file), sha256=sha256)
    (folder / MANIFEST).write_text(json.dumps(asdict(manifest), indent=1) + "\n", encoding="utf-8")
    if progress is not None:
        progress(len(file))


def read_manifest(folder: Path) -> IndexManifest:
    """What the index in `folder` says of itself. Raises `DataError` if there is none, or one of another format."""
    path = folder / MANIFEST
    try:
        manifest = IndexManifest(**json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError as error:
        raise DataError(
            f"{folder} holds no index ({MANIFEST} is missing): make one with sojourn search index"
        ) from error
    except (OSError, ValueError, TypeError) as error:
        raise DataError(f"{path} does not describe an index: {error}") from error
    if manifest.format != FORMAT:
        raise DataError(f"{folder} has format {manifest.format}, expected {FORMAT}: build it again")
    return manifest


def _opened(tantivy: Any, folder: Path) -> Any:
    """The engine's index in `folder`, mapped."""
    if os.access(folder, os.W_OK):
        index = tantivy.Index.open(str(folder))
        index.config_reader(reload_policy="manual")  # an index never changes: nothing to watch
        return index
    # the engine makes a lock beside what it opens, which another's folder or a mount for reading does not let it:
    # it gets a folder of links for as long as opening takes
    with tempfile.TemporaryDirectory(prefix="sojourn-index-") as links:
        for path in folder.iterdir():
            if path.suffix != ".lock":
                Path(links, path.name).symlink_to(path.absolute())
        index = tantivy.Index.open(links)
        index.config_reader(reload_policy="manual")
        index.searcher()
        return index


class TextIndex:
    """An index that `build_text_index` made: a `Retriever`, and its passages by id.

    All processes that open one folder share its pages; an object serves any number of threads.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.manifest = read_manifest(folder)
        tantivy = _tantivy()
        if _engine(tantivy) != self.manifest.engine:
            raise DataError(
                f"{folder} was built by {self.manifest.engine} and {_engine(tantivy)} is installed, which may rank "
                "otherwise: build it again"
            )
        self._passages = PassageFile(folder)
        try:
            index = _opened(tantivy, folder / "tantivy")
        except (OSError, ValueError) as error:
            raise DataError(f"the index in {folder} cannot be opened: {error}") from error
        self._tantivy, self._schema, self._searcher = tantivy, index.schema, index.searcher()
        if not self._searcher.num_docs == len(self._passages) == self.manifest.num_passages:
            raise DataError(
                f"{folder}: {self.manifest.num_passages} passages expected, {self._searcher.num_docs} indexed, "
                f"{len(self._passages)} stored: build it again"
            )
        self._is_closed = False

    @property
    def identity(self) -> str:
        return self.manifest.identity

    def __len__(self) -> int:
        return len(self._passages)

    def passage(self, passage_id: str) -> Passage:
        """The passage with this id. Raises `DataError` if there is none."""
        return self._passages[self._passages.number(passage_id)]

    def passages(self) -> Iterable[Passage]:
        """All passages, in the order in which they were given."""
        return iter(self._passages)

    def search_now(self, queries: Sequence[str], k: int) -> list[list[Hit]]:
        """The `k` best hits of each query, best first; of equally relevant ones the earlier passage comes first."""
        if self._is_closed:
            raise EnvError("the text index is closed")
        return [self._hits(query_terms(query), k) for query in queries]

    async def search(self, queries: Sequence[str], k: int) -> list[list[Hit]]:
        if len(queries) <= INLINE_QUERIES:
            return self.search_now(queries, k)
        parts = [queries[at : at + THREAD_QUERIES] for at in range(0, len(queries), THREAD_QUERIES)]
        found = await asyncio.gather(*(asyncio.to_thread(self.search_now, part, k) for part in parts))
        return [hits for part in found for hits in part]

    async def close(self) -> None:
        self._is_closed = True
        self._passages.close()

    def _hits(self, terms: Sequence[str], k: int) -> list[Hit]:
        if not terms or k < 1:
            return []
        return [Hit(passage=self._passages[number], relevance=value) for value, number in self._best(terms, k)]

    def _best(self, terms: Sequence[str], k: int) -> list[tuple[float, int]]:
        """Relevance and number of the `k` best passages."""
        try:
            return self._ranked(self._query(terms), k)
        except (OSError, ValueError) as error:
            raise EnvError(f"text index: {error}") from error

    def _ranked(self, query: Any, k: int) -> list[tuple[float, int]]:
        limit = k
        while True:
            found = self._searcher.search(query, limit, count=False).hits
            numbers = self._searcher.fast_field_values("number", [address for _, address in found])
            ranked = sorted(zip((value for value, _ in found), numbers, strict=True), key=lambda row: (-row[0], row[1]))
            # one segment is in the order of the passages, so that the engine's own choice among equals is ours; the
            # segments of a very large corpus are not, and the choice must not hang on how they were merged
            is_cut = self._searcher.num_segments > 1 and len(found) == limit and ranked[-1][0] == ranked[k - 1][0]
            if not is_cut or limit >= MAX_TIES:
                return ranked[:k]
            limit *= 4

    def _query(self, terms: Sequence[str]) -> Any:
        # flat, and of term queries only: what the engine can skip through by the blocks' upper bounds
        should, make = self._tantivy.Occur.Should, self._tantivy.Query

        def one(field: str, term: str) -> Any:
            return make.term_query(self._schema, field, term, index_option="freq")

        parts = [(should, make.boost_query(one("title", term), TITLE_BOOST)) for term in terms]
        parts += [(should, one("text", term)) for term in self._telling(terms)]
        return make.boolean_query(parts)

    def _telling(self, terms: Sequence[str]) -> Sequence[str]:
        """The words to look for in texts: those that are not common in this corpus, or all if all are."""
        if len(self) < MIN_PASSAGES_FOR_COMMON:
            return terms
        most = COMMON_SHARE * len(self)
        return [term for term in terms if self._searcher.doc_freq("text", term) <= most] or terms
