"""The four checks that every question passes. Each is made again for every question, whatever made it likely."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from sojourn.envs.search.questions.graph import FactTable, Path, Start
from sojourn.envs.search.questions.plain_text import folded, mentions
from sojourn.envs.search.questions.relations import DESCRIBED, LOCATED
from sojourn.envs.search.questions.wording import fact_queries, start_queries
from sojourn.envs.search.records import Fact, Hit, Hop

ONE_SHOT_HITS = 3
"""Among so many hits of the question itself no answer may stand: it must take more than one search."""
HOP_HITS = 5
"""Among so many hits of a hop's query its passage must be: every question can be answered by searching."""


class Finder(Protocol):
    """What the checks search with; a `TextIndex` is one."""

    def search_now(self, queries: Sequence[str], k: int) -> list[list[Hit]]:
        """The `k` best hits of each query, best first."""


class Candidates:
    """Everything that a description may mean, by name, code or alias, with no regard to what is telling."""

    def __init__(self, facts: FactTable) -> None:
        self._facts = facts
        self._meant: dict[tuple[str, str], set[str]] = {}
        for entity in facts.entities.values():
            for kind, text in _descriptions(facts, entity.entity_id):
                for phrase in _phrases(kind, text):
                    self._meant.setdefault((kind, phrase), set()).add(entity.entity_id)

    def of(self, kind: str, value: str) -> frozenset[str]:
        """Ids of all countries, airports, cities or elements that `value` may describe."""
        return frozenset(self._meant.get((kind, folded(value)), ()))


def _phrases(kind: str, text: str) -> Iterable[str]:
    """What a description may be shortened to: ``leu`` may mean the ``Moldovan leu`` too."""
    if kind in LOCATED or DESCRIBED[kind].is_code:
        return (folded(text),)
    said = folded(text).split()
    return (f" {' '.join(said[first:end])} " for first in range(len(said)) for end in range(first + 1, len(said) + 1))


def _descriptions(facts: FactTable, entity_id: str) -> Iterable[tuple[str, str]]:
    entity = facts.entities[entity_id]
    for kind, rule in LOCATED.items():
        if rule.entity == entity.kind and rule.describes == "name":
            yield from ((kind, name) for name in (entity.name, *entity.aliases))
        elif rule.entity == entity.kind:
            yield from ((kind, text) for text in _texts(facts.get(entity_id, rule.describes)))
    if entity.kind == "country":
        for kind in DESCRIBED:
            yield from ((kind, text) for text in _texts(facts.get(entity_id, kind)))


def _texts(fact: Fact | None) -> tuple[str, ...]:
    return () if fact is None else (fact.value, *fact.aliases)


def is_unique(path: Path, facts: FactTable, meant: Candidates) -> bool:
    """Check 1: whoever walks the facts from the description, with every candidate, comes to one end: the answer."""
    reached = meant.of(path.start.kind, path.start.value)
    if path.start.kind in LOCATED:
        relation = LOCATED[path.start.kind].relation
        reached = frozenset(
            fact.target for thing in reached if (fact := facts.get(thing, relation)) is not None and fact.target
        )
    for fact in path.facts:
        if reached != {fact.subject}:
            return False
        found = facts.get(fact.subject, fact.relation)
        if found is None or (found.value, found.target) != (fact.value, fact.target):
            return False
        reached = frozenset((fact.target,) if fact.target is not None else ())
    return True


def hides_answers(text: str, answers: Sequence[str]) -> bool:
    """Check 2: no accepted answer stands in the question."""
    return not any(mentions(text, answer) for answer in answers)


def missed_at_once(texts: Sequence[str], answers: Sequence[Sequence[str]], finder: Finder) -> list[bool]:
    """Check 3, for each question: asking the question itself brings no accepted answer."""
    return [
        not any(mentions(f"{hit.passage.title}\n{hit.passage.text}", answer) for hit in hits for answer in accepted)
        for hits, accepted in zip(finder.search_now(texts, ONE_SHOT_HITS), answers, strict=True)
    ]


class HopFinder:
    """Check 4: every hop has a plain query whose best hits have the hop's passage. Each fact is looked up once."""

    def __init__(self, facts: FactTable, finder: Finder) -> None:
        self._facts = facts
        self._finder = finder
        self._hops: dict[tuple[str, str], Hop | None] = {}

    def hops(self, path: Path) -> tuple[Hop, ...] | None:
        """The hops of a path; None if one of them finds its passage by no query."""
        found = [self._start(path.start), *(self._step(fact) for fact in path.facts)]
        hops = tuple(hop for hop in found if hop is not None)
        return hops if len(hops) == len(found) else None

    def _start(self, start: Start) -> Hop | None:
        name = self._facts.entities[start.country].name
        return self._hop((f"{start.kind}?", start.described), start_queries(start), start.fact.passage_id, name)

    def _step(self, fact: Fact) -> Hop | None:
        return self._hop((fact.relation, fact.subject), fact_queries(fact, self._facts), fact.passage_id, fact.value)

    def _hop(self, key: tuple[str, str], queries: Sequence[str], passage_id: str, reached: str) -> Hop | None:
        if key not in self._hops:
            self._hops[key] = None
            for query in queries:
                if is_found(query, passage_id, self._finder):
                    self._hops[key] = Hop(query=query, passage_id=passage_id, reached=reached)
                    break
        return self._hops[key]


def is_found(query: str, passage_id: str, finder: Finder) -> bool:
    """Whether a passage is among the best hits of a query."""
    (hits,) = finder.search_now([query], HOP_HITS)
    return any(hit.passage.passage_id == passage_id for hit in hits)


CHECKS: Mapping[str, str] = {
    "not_unique": "the description may mean something else, or the facts lead elsewhere",
    "answer_in_question": "an accepted answer stands in the question",
    "hop_not_found": f"no query brings the passage of a hop among the first {HOP_HITS}",
    "found_at_once": f"the question as a query brings an accepted answer among the first {ONE_SHOT_HITS}",
}
"""Why a question is dropped."""
