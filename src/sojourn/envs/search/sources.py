"""Opens what a scenario is made of: the corpus to search, and the questions about it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sojourn.envs.search.bank import Bank, ListedQuestions
from sojourn.envs.search.flashrag import FlashRag
from sojourn.envs.search.records import Question, Retriever
from sojourn.envs.search.retrieve import open_retriever
from sojourn.errors import ConfigError

if TYPE_CHECKING:
    from sojourn.envs.search.questions import QuestionFile

ATLASES = ("atlas", "atlas-mini", "atlas-cf", "atlas-mini-cf")
"""The corpora that come with questions."""


def open_corpus(retriever: str | Retriever, options: Mapping[str, Any], seed: int) -> Retriever:
    """The retriever of a spec, or the one given."""
    if not isinstance(retriever, str):
        if options:
            raise ConfigError("search: retriever_options go with a retriever that is named, not with an object")
        return retriever
    return open_retriever(retriever, **{**options, **({"seed": seed} if retriever in ATLASES and seed else {})})


def open_bank(
    questions: str | Mapping[str, Sequence[Question]] | None,
    retriever: str | Retriever,
    seed: int,
    *,
    may_be_partial: bool,
) -> Bank:
    """The questions named or given, or those of the atlas that is searched.

    Raises `ConfigError` where nothing says which; `may_be_partial` is for FlashRAG files that hold a part of a set.
    """
    if isinstance(questions, Mapping):
        return ListedQuestions(questions, name="listed")
    name = questions if questions is not None else retriever
    if isinstance(name, str) and name in ATLASES:
        return AtlasQuestions(name, seed, is_own=name == retriever)
    if questions is not None and Path(questions).is_dir():
        return FlashRag(Path(questions), any_count=may_be_partial)
    raise ConfigError(
        f"search: questions must name an atlas ({', '.join(ATLASES)}) or a folder of FlashRAG files, or be split -> "
        f"questions; only an atlas as retriever brings its own, got questions={questions!r} with "
        f"retriever={retriever!r}"
    )


def is_at_hand(atlas: str, seed: int = 0) -> bool:
    """Whether this machine has made an atlas and its questions; raises `MissingDependencyError` without the extra."""
    # with SQLite, rich and the atlas' packages, which other corpora do without
    from sojourn.envs.search.atlas import is_built, open_atlas
    from sojourn.envs.search.questions import are_made

    return is_built(atlas, seed) and are_made(open_atlas(atlas, seed))


class AtlasQuestions:
    """The questions of an atlas, read when they are asked for."""

    is_numbered = False

    def __init__(self, atlas: str, seed: int, *, is_own: bool) -> None:
        from sojourn.envs.search.atlas import open_atlas  # see is_at_hand
        from sojourn.envs.search.questions import HOPS, SPLITS, open_questions

        self.name = "" if is_own else atlas
        self.splits: tuple[str, ...] = SPLITS
        self._hops = {f"{hops} hops": hops for hops in HOPS}
        self._file: QuestionFile = open_questions(open_atlas(atlas, seed))
        self.question = self._file.question

    @property
    def identity(self) -> str:
        """The name of the file, which holds a hash of all that decides its content."""
        return self._file.path.stem

    def categories(self, split: str) -> tuple[str, ...]:
        return tuple(name for name, hops in self._hops.items() if self._file.questions(split, [hops]))

    def questions(self, split: str, category: str) -> Sequence[Question]:
        return self._file.questions(split, [self._hops[category]])
