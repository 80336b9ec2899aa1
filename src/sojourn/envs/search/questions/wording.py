"""A path put into English, the queries that walk it, and the answers that are accepted at its end."""

from __future__ import annotations

from collections.abc import Sequence

from sojourn.envs.search.chance import draw
from sojourn.envs.search.questions.graph import FactTable, Graph, Path, Start
from sojourn.envs.search.questions.plain_text import folded
from sojourn.envs.search.questions.relations import COUNTRIES, FROM_COUNTRY, describing
from sojourn.envs.search.records import Entity, Fact
from sojourn.envs.search.retrieve.words import STOP_WORDS

MAX_CODE = 3
"""Letters of a country's codes."""


def question_text(path: Path) -> str:
    """The question in one sentence. Which paraphrases it uses hangs on the path alone."""
    phrase = _chosen(describing(path.start.kind).nouns, path, 0).replace("{v}", path.start.value)
    *bridges, last = path.facts
    for number, fact in enumerate(bridges, 1):
        phrase = _chosen(FROM_COUNTRY[fact.relation].nouns, path, number).replace("{x}", phrase)
    return _chosen(FROM_COUNTRY[last.relation].asks, path, len(path.facts)).replace("{x}", phrase)


def _chosen(phrases: Sequence[str], path: Path, number: int) -> str:
    return phrases[draw("paraphrase", path.key, number) % len(phrases)]


def start_queries(start: Start) -> tuple[str, ...]:
    """Plain queries that may find the passage of the first hop, the preferred one first."""
    return tuple(query.replace("{v}", start.value) for query in describing(start.kind).queries)


def fact_queries(fact: Fact, facts: FactTable) -> tuple[str, ...]:
    """Plain queries that may find the passage of a later hop, the preferred one first."""
    name = facts.entities[fact.subject].name
    return tuple(query.replace("{x}", name) for query in FROM_COUNTRY[fact.relation].queries)


class Answers:
    """Accepted answers by fact. An alias of something else that could be the answer is none of them."""

    def __init__(self, graph: Graph) -> None:
        self._entities = graph.entities
        self._owners: dict[tuple[str, str], set[str]] = {}
        for country in graph.steps:
            for name in _names(self._entities[country]):
                self._owners.setdefault((COUNTRY, folded(name)), set()).add(country)
        for rows in graph.steps.values():
            for fact in rows:
                for text in self._texts(fact):
                    self._owners.setdefault((_range(fact), folded(text)), set()).add(_meaning(fact))
        self._found: dict[tuple[str, str], tuple[str, ...]] = {}

    def of(self, fact: Fact) -> tuple[str, ...]:
        """The fact's value, then everything else that means the same; each differs from the others as words."""
        key = (fact.subject, fact.relation)
        if key not in self._found:
            texts = self._texts(fact)
            found = {folded(fact.value): fact.value}
            for text in texts:
                if self._owners[_range(fact), folded(text)] == {_meaning(fact)} and _is_name(text, texts):
                    found.setdefault(folded(text), text)
            self._found[key] = tuple(found.values())
        return self._found[key]

    def _texts(self, fact: Fact) -> tuple[str, ...]:
        names = _names(self._entities[fact.target]) if fact.target is not None else ()
        return (fact.value, *fact.aliases, *names)


COUNTRY = "country"
"""What every relation to a country has for its range: an alias must tell it from all countries."""


def _range(fact: Fact) -> str:
    return COUNTRY if fact.relation in COUNTRIES else fact.relation


def _meaning(fact: Fact) -> str:
    return fact.target or folded(fact.value)


def _names(entity: Entity) -> tuple[str, ...]:
    return (entity.name, *entity.aliases)


def _is_name(text: str, names: Sequence[str]) -> bool:
    """Whether a text is a name, or initials of one (``UK``); a code (``DE``, ``AND``) is too like a word for that."""
    if len(text) > MAX_CODE or not text.isupper():
        return bool(folded(text).strip())
    return any(text.casefold() == "".join(w[0] for w in folded(n).split() if w not in STOP_WORDS) for n in names)
