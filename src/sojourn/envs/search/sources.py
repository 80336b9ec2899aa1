"""Opens what a scenario is made of: the corpus to search, and the questions about it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sojourn.envs.search.bank import Bank, ListedQuestions
from sojourn.envs.search.records import Question, Retriever
from sojourn.errors import ConfigError

ATLASES = ("atlas", "atlas-mini", "atlas-cf", "atlas-mini-cf")
"""The corpora that come with questions."""


def open_corpus(retriever: str | Retriever, options: Mapping[str, Any], seed: int) -> Retriever:
    """The retriever of a spec, or the one given."""
    if not isinstance(retriever, str):
        if options:
            raise ConfigError("search: retriever_options go with a retriever that is named, not with an object")
        return retriever
    raise ConfigError(f"search: cannot open {retriever!r}")


def open_questions(questions: str | Mapping[str, Sequence[Question]] | None, retriever: object, seed: int) -> Bank:
    """The questions named, or those of the atlas that is searched."""
    if isinstance(questions, Mapping):
        return ListedQuestions(questions, name="listed")
    raise ConfigError(f"search: cannot open questions {questions!r}")
