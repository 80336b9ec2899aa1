"""Candidate paths of a split, one after another in an order that is the same everywhere."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

from sojourn.envs.search.questions.graph import Graph, Path, Start
from sojourn.envs.search.questions.plain_text import draw
from sojourn.envs.search.questions.relations import COUNTRIES
from sojourn.envs.search.questions.splits import Division
from sojourn.envs.search.records import Fact

PATIENCE, PATIENCE_EACH = 1000, 20
"""So many draws that bring nothing new, and so many more for every path found, mean that there is nothing more."""


def candidates(graph: Graph, division: Division, split: str, hops: int) -> Iterator[Path]:
    """Distinct paths of `split` with `hops` hops, drawn by chance: every kind of start is as likely as the others.

    No path comes to a country twice. It ends when draw after draw brings no new path.
    """
    pool: dict[str, list[Start]] = {}
    for start in graph.starts:
        if division.split_of[start.country] == split:
            pool.setdefault(start.kind, []).append(start)
    kinds = list(pool)
    seen: set[str] = set()
    misses = 0
    for number in count():
        chance = draw("path", split, hops, number)
        path = _path(graph, pool[kinds[chance % len(kinds)]], hops, chance // len(kinds)) if kinds else None
        if path is None or not division.allows(split, path) or path.key in seen:
            misses += 1
            if misses >= PATIENCE + PATIENCE_EACH * len(seen):
                return
            continue
        misses = 0
        seen.add(path.key)
        yield path


def _path(graph: Graph, starts: list[Start], hops: int, chance: int) -> Path | None:
    """A walk from one of `starts`; None if it ends too early."""
    chance, place = divmod(chance, len(starts))
    start = starts[place]
    facts: list[Fact] = []
    visited = {start.country}
    country = start.country
    for left in range(hops - 1, 0, -1):
        options = [
            fact
            for fact in graph.steps[country]
            if (fact.target not in visited if fact.relation in COUNTRIES else left == 1)
        ]
        if not options:
            return None
        chance, place = divmod(chance, len(options))
        facts.append(options[place])
        country = options[place].target or country
        visited.add(country)
    return Path(start=start, facts=tuple(facts))
