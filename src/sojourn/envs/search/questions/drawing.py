"""Candidate paths of a split, one after another in an order that is the same everywhere."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import count
from math import isqrt

from sojourn.envs.search.chance import draw
from sojourn.envs.search.questions.graph import Graph, Path, Start
from sojourn.envs.search.questions.relations import COUNTRIES
from sojourn.envs.search.questions.splits import Division
from sojourn.envs.search.records import Fact

PATIENCE, PATIENCE_EACH = 1000, 20
"""So many draws that bring nothing new, and so many more for every path found, mean that there is nothing more."""

MAX_WEIGHED = 2500
"""Starts of one kind; more make it no more frequent."""


def candidates(graph: Graph, division: Division, split: str, hops: int) -> Iterator[Path]:
    """Distinct paths of `split` with `hops` hops, drawn by chance. No path comes to a country twice.

    A kind of start is drawn as often as the root of how many starts it has, so that neither 30 former names nor 20,000
    cities are in every other question; and within a kind every country as often as the others, so that those with a
    thousand cities are not. It ends when draw after draw brings no new path.
    """
    walker = _Walker(graph, division, split)
    seen: set[str] = set()
    misses = 0
    for number in count():
        path = walker.path(hops, draw("path", split, hops, number))
        if path is None or (key := path.key) in seen:
            misses += 1
            if misses >= PATIENCE + PATIENCE_EACH * len(seen):
                return
            continue
        misses = 0
        seen.add(key)
        yield path


class _Walker:
    """Walks from the starts of one split, along what its questions may use."""

    def __init__(self, graph: Graph, division: Division, split: str) -> None:
        self._division, self._split = division, split
        self._is_free = split == "test-ood"
        pool: dict[str, dict[str, list[Start]]] = {}
        for start in graph.starts:
            if division.split_of[start.country] == split:
                pool.setdefault(start.kind, {}).setdefault(start.country, []).append(start)
        self._kinds = [
            list(countries.values())
            for countries in pool.values()
            for _ in range(isqrt(min(MAX_WEIGHED, sum(map(len, countries.values())))))
        ]
        """For every ticket of every kind: starts by country."""
        self._steps: Mapping[str, Sequence[Fact]] = {
            country: [fact for fact in rows if self._is_free or not division.is_held_out(fact)]
            for country, rows in graph.steps.items()
        }

    def path(self, hops: int, chance: int) -> Path | None:
        """The path that the number `chance` stands for; None if it ends early or may not be a question here."""
        if not self._kinds:
            return None
        chance, place = divmod(chance, len(self._kinds))
        countries = self._kinds[place]
        chance, place = divmod(chance, len(countries))
        starts = countries[place]
        chance, place = divmod(chance, len(starts))
        start = starts[place]
        facts: list[Fact] = []
        country, visited, before = start.country, {start.country}, f"{start.kind}?"
        for left in range(hops - 1, 0, -1):
            options = self._options(country, before, visited, is_last=left == 1)
            if not options:
                return None
            chance, place = divmod(chance, len(options))
            fact = options[place]
            facts.append(fact)
            country, before = fact.target or country, fact.relation
            visited.add(country)
        path = Path(start=start, facts=tuple(facts))
        return path if not self._is_free or self._division.allows(self._split, path) else None

    def _options(self, country: str, before: str, visited: set[str], *, is_last: bool) -> list[Fact]:
        held = self._division.held_pairs if not self._is_free else ()
        return [
            fact
            for fact in self._steps[country]
            if (fact.target not in visited if fact.relation in COUNTRIES else is_last)
            and (before, fact.relation) not in held
        ]
