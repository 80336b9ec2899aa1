"""A FAISS index of the user's, with its corpus: flat, IVF or HNSW, opened through mmap."""

from __future__ import annotations

import asyncio
import hashlib
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sojourn.envs.search.records import Hit
from sojourn.envs.search.retrieve.corpus_file import CorpusFile
from sojourn.envs.search.retrieve.encoders import Encoder, make_encoder
from sojourn.envs.search.retrieve.line_file import fingerprint
from sojourn.errors import ConfigError, DataError, EnvError, MissingDependencyError

try:
    import faiss
except ImportError as missing:
    raise MissingDependencyError("faiss", "pip install 'sojourn[faiss]'") from missing


@dataclass(frozen=True, kw_only=True)
class FaissSettings:
    """How an index is searched."""

    corpus: str
    """JSON-lines file whose line n is the passage of vector n."""
    encoder: str
    """Folder of the model that embeds queries, or ``module:callable``."""
    prefix: str = "query: "
    """Put before each query for a model; e5 was trained with this one."""
    max_tokens: int = 256
    """Of a query for a model; the rest is cut."""
    nprobe: int | None = None
    """Cells that an IVF index visits; None leaves the index as it is."""
    ef_search: int | None = None
    """Candidates that an HNSW index keeps; None leaves the index as it is."""


class FaissIndex:
    """Embeds queries and finds the nearest vectors; `ask` answers a batch in a thread.

    One batch is embedded while another is searched; each of the two is done by one thread at a time.
    """

    def __init__(self, path: Path, settings: FaissSettings) -> None:
        self._index = _opened(path, settings)
        self._corpus = CorpusFile(Path(settings.corpus))
        if len(self._corpus) != self._index.ntotal:
            raise DataError(
                f"{path} has {self._index.ntotal} vectors and {settings.corpus} {len(self._corpus)} lines: expected "
                "one line for each vector"
            )
        self._encode: Encoder = make_encoder(settings.encoder, prefix=settings.prefix, max_tokens=settings.max_tokens)
        self._encoding, self._searching = threading.Lock(), threading.Lock()
        self._threads = ThreadPoolExecutor(max_workers=2, thread_name_prefix="faiss")
        how = f"{settings.prefix}|{settings.max_tokens}|{settings.nprobe}|{settings.ef_search}"
        content = f"{fingerprint(path)}|{self._corpus.fingerprint}|{settings.encoder}|{how}"
        self.identity = f"faiss-{hashlib.sha256(content.encode()).hexdigest()[:16]}-{faiss.__version__}"

    async def ask(self, queries: Sequence[str], k: int) -> list[list[Hit]]:
        """The hits of each query. Raises `EnvError` when the encoder or FAISS fails."""
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._threads, self._ask_now, list(queries), k)
        except DataError as error:
            raise EnvError(f"FAISS index: {error}") from error

    def _ask_now(self, queries: Sequence[str], k: int) -> list[list[Hit]]:
        try:
            with self._encoding:
                vectors = np.ascontiguousarray(self._encode(queries), dtype=np.float32)
            if vectors.shape != (len(queries), self._index.d):
                expected = (len(queries), self._index.d)
                raise EnvError(f"FAISS index: the encoder made {vectors.shape}, expected {expected} for the index")
            with self._searching:
                nearness, numbers = self._index.search(vectors, k)
        except EnvError:
            raise
        except Exception as error:  # of the user's encoder, which may raise anything
            raise EnvError(f"FAISS index: {type(error).__name__}: {error}") from error
        # a distance grows where relevance falls
        sign = 1.0 if self._index.metric_type == faiss.METRIC_INNER_PRODUCT else -1.0
        return [
            [
                Hit(passage=self._corpus[int(number)], relevance=sign * float(near))
                for near, number in zip(row_nearness, row_numbers, strict=True)
                if number >= 0  # -1 fills up where fewer were found
            ]
            for row_nearness, row_numbers in zip(nearness, numbers, strict=True)
        ]

    async def close(self) -> None:
        """Free threads and mappings; may be called twice."""
        await asyncio.to_thread(self._threads.shutdown)
        self._corpus.close()


def _opened(path: Path, settings: FaissSettings) -> Any:
    if not path.is_file():
        raise DataError(f"faiss: there is no index {path}")
    index = None
    try:
        # MMAP maps the lists of an IVF index, MMAP_IFC the vectors of flat and HNSW ones; which of them an index can
        # is not written in it
        for flags in (faiss.IO_FLAG_MMAP_IFC, faiss.IO_FLAG_MMAP):
            try:
                index = faiss.read_index(str(path), flags)
                break
            except RuntimeError:
                continue
        index = faiss.read_index(str(path)) if index is None else index
    except RuntimeError as error:
        raise DataError(f"faiss: {path} cannot be read: {error}") from error
    for name, value in (("nprobe", settings.nprobe), ("efSearch", settings.ef_search)):
        if value is not None:
            try:
                faiss.ParameterSpace().set_index_parameter(index, name, value)
            except RuntimeError as error:
                kind = type(faiss.downcast_index(index)).__name__
                raise ConfigError(f"faiss: an index of kind {kind} has no {name}") from error
    return index
