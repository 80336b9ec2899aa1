"""Commands for a policy that can only choose: searches and answers made of what is on the screen.

The screen is the question, the queries so far and the passages of the last search; nothing here has seen an accepted
answer. A search is a name in sight with a topic of the question ("Mont Blanc highest point"), an answer is a value
that a shown passage states.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from sojourn.envs.search.phrases import distinct, given_in, heading, is_code, is_number, overlap, topics_of, values_in
from sojourn.envs.search.records import Passage
from sojourn.errors import unknown_name

_MAX_QUESTION_CHARS = 200
Values = Sequence[Sequence[tuple[int, str]]]
"""Of each passage, what `values_in` found."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Listing:
    """How much is listed at most."""

    given: int
    """Names of the question that searches are made with."""
    names: int
    """Names that the shown passages bring."""
    topics: int
    """Topics of the question, each with each name."""
    answers: int
    """Values of the shown passages."""
    by_clause: bool
    """Only the topic of the last clause with the question's names, and only the others with the passages'."""
    has_question: bool
    """Whether the question itself is among the searches."""


LISTINGS: Mapping[str, Listing] = MappingProxyType(
    {
        "full": Listing(given=2, names=5, topics=4, answers=9, by_clause=False, has_question=True),
        "narrow": Listing(given=1, names=3, topics=2, answers=2, by_clause=True, has_question=False),
    }
)
"""Every listing by name; ``full`` has up to 40 commands, ``narrow`` up to 10."""


def listing(name: str) -> Listing:
    """The listing called `name`; raises `ConfigError` that lists the known ones."""
    if name not in LISTINGS:
        raise unknown_name("listing of search commands", name, LISTINGS)
    return LISTINGS[name]


class Sight:
    """What an agent has before its eyes, as far as commands are made of it."""

    __slots__ = ("_given", "_listed", "_passages", "_queries", "_question", "_topics")

    def __init__(self, question: str) -> None:
        self._question = question
        self._given: Sequence[str] | None = None
        self._topics: Sequence[str] = ()
        """These two of the question, from the first listing on."""
        self._listed: dict[Listing, tuple[str, ...]] = {}
        """What was listed since the last search."""
        self._passages: Sequence[Passage] = ()
        self._queries: list[str] = []

    def add(self, query: str, shown: Sequence[Passage]) -> None:
        """A search has shown these passages; those before are out of sight, and the query brings nothing new."""
        self._queries.append(query)
        self._passages = shown
        self._listed.clear()

    def commands(self, limits: Listing) -> tuple[str, ...]:
        """At least one command; searches that were not made yet first, then answers, each once."""
        if limits not in self._listed:
            self._listed[limits] = self._made(limits)
        return self._listed[limits]

    def _made(self, limits: Listing) -> tuple[str, ...]:
        if self._given is None:
            self._given = given_in(self._question)
            self._topics = topics_of(self._question, self._given)
        given, topics = self._given, self._topics
        passages = self._by_promise(given, topics)
        values = [values_in(passage, topics, self._question) for passage in passages]
        queries = self._queries_from(given, topics, _named(passages, values), limits)
        new = [query for query in distinct(queries) if query not in self._queries]
        whole = self._question[:_MAX_QUESTION_CHARS]
        searches = [*new, whole] if limits.has_question or not new else new
        answers = distinct(self._stated(passages, values))[: limits.answers]
        listed = [f"<search>{query}</search>" for query in searches]
        return tuple(dict.fromkeys([*listed, *(f"<answer>{answer}</answer>" for answer in answers)]))

    @staticmethod
    def _queries_from(given: Sequence[str], topics: Sequence[str], named: Iterable[str], limits: Listing) -> list[str]:
        """Names with topics; without a name, topics alone.

        What a question goes out from stands in its last clause: with a narrow listing that clause is for the given
        names, and the others are for the names that passages bring.
        """
        own, others = (topics[-1:], topics[:-1] or topics) if limits.by_clause else (topics, topics)
        names = [name for name in distinct(named) if name not in given][: limits.names]
        begun = [query for name in given[: limits.given] for query in (name, *(f"{name} {topic}" for topic in own))]
        followed = [f"{name} {topic}" for name in names for topic in others[: limits.topics]]
        return [*begun, *followed] if begun else [*followed, *topics[::-1][: limits.topics]]

    def _by_promise(self, given: Sequence[str], topics: Sequence[str]) -> list[Passage]:
        """The passages, those first that speak of what the question goes out from, then by their topic."""

        def promise(passage: Passage) -> tuple[int, int]:
            text = f"{passage.title} {passage.text}".lower()
            return -any(name.lower() in text for name in given[:1]), -overlap(passage.title, topics)

        return sorted(self._passages, key=promise)

    def _stated(self, passages: Sequence[Passage], values: Values) -> list[str]:
        """The values of all passages, those first of what was last searched for, then by topic; mere numbers last."""
        last = self._queries[-1].lower() if self._queries else ""
        rows = [
            (heading(passage.title).lower() not in last, is_number(value), -count, value)
            for passage, stated in zip(passages, values, strict=True)
            for count, value in stated
        ]
        return [value for *_, value in sorted(rows, key=lambda row: row[:3])]


def _named(passages: Sequence[Passage], values: Values) -> Iterator[str]:
    """What the passages are about, each followed by a name that it states, the first one by two."""
    for place, (passage, stated) in enumerate(zip(passages, values, strict=True)):
        yield heading(passage.title)
        yield from [value for _, value in stated if not is_code(value)][: 1 if place else 2]
