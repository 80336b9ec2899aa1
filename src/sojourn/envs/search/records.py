"""The nouns of deep search: passages, hits, what finds them, facts, questions. Nothing here needs a package."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, kw_only=True, slots=True)
class Passage:
    """A piece of a corpus that a search can return."""

    passage_id: str
    """Stable: the same text means the same passage on every machine, such as ``factbook/fr/capital``."""
    title: str
    text: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Hit:
    """A passage that was found."""

    passage: Passage
    relevance: float | None = None
    """What the engine says of it, in units of its own; None where it says nothing."""


class Retriever(Protocol):
    """Finds passages. One serves all episodes of a process, at the same time."""

    @property
    def identity(self) -> str:
        """What decides its answers, such as a hash of the index and its settings; a cache goes by it."""

    async def search(self, queries: Sequence[str], k: int) -> list[list[Hit]]:
        """The `k` best hits of each query (fewer where there are fewer), best first.

        A query is plain text, never an engine's query language. Raises `EnvError` when the engine fails: that says
        nothing about the policy, and there is no empty answer in its place.
        """

    async def close(self) -> None:
        """Free what it holds; may be called twice."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Entity:
    """Something that has a name and facts: a country, a city, an airport, an element."""

    entity_id: str
    """Such as ``country/fr``; stable."""
    kind: str
    name: str
    aliases: tuple[str, ...] = ()
    """Other names that a correct answer may use; `name` is not among them."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Fact:
    """A relation has exactly this value for this subject: facts are functional."""

    subject: str
    """Id of an entity."""
    relation: str
    """Such as ``capital``."""
    value: str
    """As it stands in the passage."""
    target: str | None = None
    """Id of the entity that the value names; None for a text that is no entity."""
    aliases: tuple[str, ...] = ()
    """Other texts that mean the value; `value` is not among them."""
    passage_id: str
    """The passage that states it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Hop:
    """One look-up on the way to an answer."""

    query: str
    """A plain query that finds the passage among the first five hits."""
    passage_id: str
    """The passage that has what this hop needs."""
    reached: str
    """What the hop finds, as it stands in the passage: the bridge, or with the last hop the answer."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Question:
    """One question with its ground truth. The truth stays with the environment and never crosses to an agent."""

    question_id: str
    text: str
    answers: tuple[str, ...]
    """Accepted answers, the canonical one first; never empty."""
    hops: tuple[Hop, ...] = ()
    """The gold path; empty where none is known (questions that a user brought)."""
    split: str
    category: str
    """What it is reported under: ``2 hops``, or one of the paper's sets such as ``NQ``."""
