"""A path put into English, the queries that walk it, and the answers that are accepted at its end."""

from __future__ import annotations

from collections.abc import Sequence

from sojourn.envs.search.questions.graph import FactTable, Graph, Path, Start
from sojourn.envs.search.questions.plain_text import draw, folded
from sojourn.envs.search.questions.relations import FROM_COUNTRY, describing
from sojourn.envs.search.records import Fact
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
    """Accepted answers by fact. An alias that also names another thing of the same kind is none of them."""

    def __init__(self, graph: Graph) -> None:
        self._entities = graph.entities
        self._owners: dict[tuple[str, str], set[str]] = {}
        for entity in graph.entities.values():
            for name in (entity.name, *entity.aliases):
                self._owners.setdefault((entity.kind, folded(name)), set()).add(entity.entity_id)
        for rows in graph.steps.values():
            for fact in rows:
                if fact.target is None:
                    for text in (fact.value, *fact.aliases):
                        self._owners.setdefault((fact.relation, folded(text)), set()).add(folded(fact.value))
        self._found: dict[tuple[str, str], tuple[str, ...]] = {}

    def of(self, fact: Fact) -> tuple[str, ...]:
        """The fact's value, then everything else that means the same; each differs from the others as words."""
        key = (fact.subject, fact.relation)
        if key not in self._found:
            self._found[key] = self._answers(fact)
        return self._found[key]

    def _answers(self, fact: Fact) -> tuple[str, ...]:
        texts, kind, own = [*fact.aliases], fact.relation, folded(fact.value)
        if fact.target is not None:
            entity = self._entities[fact.target]
            texts, kind, own = [entity.name, *fact.aliases, *entity.aliases], entity.kind, fact.target
        found = {folded(fact.value): fact.value}
        for text in texts:
            words = folded(text)
            if self._owners.get((kind, words), {own}) == {own} and _is_name(text, [fact.value, *texts]):
                found.setdefault(words, text)
        return tuple(found.values())


def _is_name(text: str, names: Sequence[str]) -> bool:
    """Whether a text is a name, or initials of one (``UK``); a code (``DE``, ``AND``) is too like a word for that."""
    if len(text) > MAX_CODE or not text.isupper():
        return bool(folded(text).strip())
    return any(text.casefold() == "".join(w[0] for w in folded(n).split() if w not in STOP_WORDS) for n in names)
