"""Who may ask what: which country starts questions of which split, and what only the out-of-distribution test has."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from sojourn.envs.search.chance import draw
from sojourn.envs.search.questions.graph import Graph, Path
from sojourn.envs.search.questions.relations import COUNTRIES, DESCRIBED, LOCATED, VALUES
from sojourn.envs.search.records import Fact

SPLITS = ("train", "validation", "test", "test-ood")
HOPS = (2, 3, 4, 5, 6)
TRAIN_MIX: Mapping[int, float] = MappingProxyType({2: 0.25, 3: 0.30, 4: 0.25, 5: 0.15, 6: 0.05})
"""Share of the training questions that have so many hops."""
STRATUM: Sequence[str] = ("test-ood",) * 5 + ("test",) * 4 + ("validation",) * 2 + ("train",) * 14
"""Of every 25 countries that are neighbours in popularity, how many start questions of which split."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Sizes:
    """How many questions are wanted; a split gets fewer of a hop count where there are no more."""

    train: int
    """In all, in the shares of `TRAIN_MIX`."""
    validation: int
    """Of each hop count."""
    test: int
    """Of each hop count; the same for the out-of-distribution test. All get as many as the scarcest one has."""
    max_per_answer: int = 60
    """Of a split and hop count; fewer where that is more than a hundredth of what is wanted."""

    def wanted(self, split: str, hops: int) -> int:
        """How many questions of this split and hop count are wanted."""
        if split == "train":
            return int(self.train * TRAIN_MIX[hops] + 0.5)
        return self.validation if split == "validation" else self.test

    def per_answer(self, split: str, hops: int) -> int:
        """How many of them may have one answer."""
        return max(2, min(self.max_per_answer, self.wanted(split, hops) // 100))


FULL = Sizes(train=104_000, validation=200, test=400)
MINI = Sizes(train=12_000, validation=100, test=200)


@dataclass(frozen=True, kw_only=True, slots=True)
class Division:
    """What keeps the splits apart."""

    split_of: Mapping[str, str]
    """Country -> the split of the questions that start in it. Those of ``test-ood`` are the held-out countries: no
    question of another split passes through them."""
    held_pairs: frozenset[tuple[str, str]]
    """Relations that follow each other in no question of another split."""

    def is_held_out(self, fact: Fact) -> bool:
        """Whether a fact leads to a held-out country."""
        return fact.relation in COUNTRIES and self.split_of.get(fact.target or "") == "test-ood"

    def allows(self, split: str, path: Path) -> bool:
        """Whether a path may be a question of `split`."""
        if self.split_of[path.start.country] != split:
            return False
        is_held_out = not self.held_pairs.isdisjoint(path.pairs)
        if split == "test-ood":
            return is_held_out
        return not is_held_out and all(self.split_of[country] != "test-ood" for country in path.countries)


def divide(graph: Graph) -> Division:
    """The division of a graph; it hangs on its countries and on nothing else."""
    popularity = Counter(fact.target for rows in graph.steps.values() for fact in rows if fact.relation in COUNTRIES)
    ranked = sorted(graph.steps, key=lambda country: (-popularity[country], country))
    split_of: dict[str, str] = {}
    for first in range(0, len(ranked), len(STRATUM)):
        # by strata, so that the held-out countries are as often passed through as the others
        stratum = sorted(ranked[first : first + len(STRATUM)], key=lambda country: draw("country", country))
        split_of |= dict(zip(stratum, _spread(len(stratum)), strict=True))
    return Division(split_of=split_of, held_pairs=held_out_pairs())


def _spread(count: int) -> list[str]:
    """The splits of a stratum with `count` countries: the first rows of a fixed shuffle."""
    places = sorted(range(len(STRATUM)), key=lambda place: draw("place", place))
    return [STRATUM[place] for place in places[:count]]


def held_out_pairs() -> frozenset[tuple[str, str]]:
    """Of what may follow a relation, one relation to a country and two to a value are held out."""
    firsts = (*(f"{kind}?" for kind in (*DESCRIBED, *LOCATED)), *COUNTRIES)
    return frozenset(
        (first, second)
        for first in firsts
        for group, count in ((COUNTRIES, 1), (VALUES, 2))
        for second in sorted(group, key=lambda relation: draw("pair", first, relation))[:count]
    )
