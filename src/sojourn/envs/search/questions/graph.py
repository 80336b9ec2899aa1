"""The facts as a graph that paths are drawn from: where a path can start, and how it goes on from a country."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from sojourn.envs.search.questions.plain_text import folded
from sojourn.envs.search.questions.relations import COUNTRIES, DESCRIBED, FROM_COUNTRY, LOCATED, Locating, describing
from sojourn.envs.search.records import Entity, Fact
from sojourn.envs.search.retrieve.words import STOP_WORDS, words

MAX_SHARED = 5
"""A value that more countries have answers no question: naming the commonest must not pay."""
NAMELESS = frozenset({"unnamed", "none", "location", "elevation", "point"})
"""Words of a value that names nothing."""
GENERIC = frozenset(
    words(
        "republic democratic people peoples kingdom state states federal federation federative union united islamic "
        "socialist national commonwealth principality territory territories island islands grand duchy city"
    )
)
"""Words of a country's name that do not give it away."""
STEM = 5
"""Words that begin with so many letters alike are taken for one: ``Bahrainona`` says Bahrain."""


class FactTable(Protocol):
    """What questions are made from; the atlas' facts are one."""

    @property
    def entities(self) -> Mapping[str, Entity]:
        """All entities by id."""

    def get(self, subject: str, relation: str) -> Fact | None:
        """The one fact with this subject and relation."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Start:
    """A country, described without its name."""

    kind: str
    """What the description goes by: a key of ``DESCRIBED`` or ``LOCATED``, such as ``capital``."""
    value: str
    """What the question says, such as ``Paris``."""
    described: str
    """Id of the entity that has this value: the country itself, or an airport, a city or an element."""
    country: str
    """Id of the country."""
    fact: Fact
    """What the first hop has to find."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Path:
    """A start and the facts that lead from its country to the answer, one a hop."""

    start: Start
    facts: tuple[Fact, ...]

    @property
    def num_hops(self) -> int:
        """The start is a hop of its own."""
        return 1 + len(self.facts)

    @property
    def relations(self) -> tuple[str, ...]:
        """The kind of the start, marked as such (``capital?``), then the relation of every hop."""
        return (f"{self.start.kind}?", *(fact.relation for fact in self.facts))

    @property
    def pairs(self) -> tuple[tuple[str, str], ...]:
        """Relations that follow each other."""
        return tuple(zip(self.relations, self.relations[1:], strict=False))

    @property
    def key(self) -> str:
        """The path as text: ``capital? country/fr > largest_import_partner > anthem``."""
        first, *others = self.relations
        return " > ".join((f"{first} {self.start.described}", *others))

    @property
    def countries(self) -> tuple[str, ...]:
        """Ids of the countries on the path in order, the answer too if it is one."""
        return (self.start.country, *(fact.target for fact in self.facts if fact.relation in COUNTRIES and fact.target))


class Graph:
    """Where paths start and how they go on."""

    def __init__(self, facts: FactTable) -> None:
        self.facts = facts
        self.entities = facts.entities
        countries = sorted(entity.entity_id for entity in facts.entities.values() if entity.kind == "country")
        known = {country: self._known(country) for country in countries}
        shared = Counter((fact.relation, folded(fact.value)) for rows in known.values() for fact in rows)
        self.steps: dict[str, tuple[Fact, ...]] = {
            country: tuple(
                fact
                for fact in rows
                if fact.relation in COUNTRIES or shared[fact.relation, folded(fact.value)] <= MAX_SHARED
            )
            for country, rows in known.items()
        }
        """Country -> the facts that a path can go on with, in the order of ``FROM_COUNTRY``."""
        self.starts: tuple[Start, ...] = (*self._described(countries), *self._located())
        """In a fixed order."""

    def _known(self, country: str) -> list[Fact]:
        rows = [fact for relation in FROM_COUNTRY if (fact := self.facts.get(country, relation)) is not None]
        return [fact for fact in rows if fact.relation not in COUNTRIES or self._is_country(fact.target)]

    def _is_country(self, entity_id: str | None) -> bool:
        return entity_id is not None and self.entities[entity_id].kind == "country"

    def _described(self, countries: Sequence[str]) -> Iterable[Start]:
        for kind in DESCRIBED:
            rows = [fact for country in countries if (fact := self.facts.get(country, kind)) is not None]
            times = Counter(folded(fact.value) for fact in rows)
            for fact in rows:
                if times[folded(fact.value)] == 1 and self._is_telling(kind, fact.value, fact.subject):
                    country = fact.subject
                    yield Start(kind=kind, value=fact.value, described=country, country=country, fact=fact)

    def _located(self) -> Iterable[Start]:
        for kind, rule in LOCATED.items():
            rows = []
            # a capital says no more as a city than as a capital
            capitals = {fact.target for steps in self.steps.values() for fact in steps if fact.relation == "capital"}
            things = (e.entity_id for e in self.entities.values() if e.kind == rule.entity)
            for thing in sorted(thing for thing in things if thing not in capitals):
                fact, value = self.facts.get(thing, rule.relation), self._value(thing, rule)
                if fact is not None and value and fact.target is not None and self._is_country(fact.target):
                    rows.append((value, fact.target, fact))
            times = Counter(folded(value) for value, _, _ in rows)
            for value, country, fact in rows:
                if times[folded(value)] == 1 and self._is_telling(kind, value, country):
                    yield Start(kind=kind, value=value, described=fact.subject, country=country, fact=fact)

    def _value(self, entity_id: str, rule: Locating) -> str | None:
        if rule.describes == "name":
            name = self.entities[entity_id].name
            return name.lower() if rule.is_common_noun else name
        fact = self.facts.get(entity_id, rule.describes)
        return None if fact is None else fact.value

    def _is_telling(self, kind: str, value: str, country: str) -> bool:
        """Whether a value says something, and not the country's name."""
        said = set(words(value)) - STOP_WORDS
        if describing(kind).is_code:
            return bool(said)
        entity, demonym = self.entities[country], self.facts.get(country, "demonym")
        names = (entity.name, *entity.aliases, *((demonym.value, *demonym.aliases) if demonym else ()))
        given_away = {word[:STEM] for name in names for word in words(name) if word not in GENERIC}
        return bool(said) and not said & NAMELESS and given_away.isdisjoint(word[:STEM] for word in said)
