"""A corpus of thirty sentences, questions about it, and a real little retriever: deep search without its extra."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence

from sojourn.envs.search.records import Hit, Hop, Passage, Question
from sojourn.errors import EnvError

COUNTRIES = {
    # name: capital, highest point, anthem, currency, largest export partner
    "France": ("Paris", "Mont Blanc", "La Marseillaise", "euro", "Germany"),
    "Germany": ("Berlin", "Zugspitze", "Das Lied der Deutschen", "euro", "Poland"),
    "Poland": ("Warsaw", "Rysy", "Mazurek Dabrowskiego", "zloty", "Germany"),
    "Kenya": ("Nairobi", "Mount Kenya", "Ee Mungu Nguvu Yetu", "Kenyan shilling", "Uganda"),
    "Uganda": ("Kampala", "Margherita Peak", "Oh Uganda Land of Beauty", "Ugandan shilling", "Kenya"),
    "Nepal": ("Kathmandu", "Mount Everest", "Sayaun Thunga Phulka", "Nepalese rupee", "India"),
    "India": ("New Delhi", "Kanchenjunga", "Jana Gana Mana", "Indian rupee", "United States"),
}
TOPICS = ("capital", "highest point", "national anthem", "currency", "largest export partner")


def passages() -> list[Passage]:
    """One for each country and topic."""
    return [
        Passage(
            passage_id=f"{country.lower()}/{topic.replace(' ', '_')}",
            title=f"{country}: {topic.capitalize()}",
            text=f"The {topic} of {country} is {value}. It is well known.",
        )
        for country, values in COUNTRIES.items()
        for topic, value in zip(TOPICS, values, strict=True)
    ]


class WordRetriever:
    """The passages that share the rarest words with a query; of equals the earlier one."""

    identity = "words-of-the-fixture-v1"

    def __init__(self, corpus: Sequence[Passage] | None = None) -> None:
        self._passages = list(passages() if corpus is None else corpus)
        self._words = [Counter(_words(f"{p.title} {p.text}")) for p in self._passages]
        self._spread = Counter(word for words in self._words for word in words)
        self.queries: list[str] = []

    async def search(self, queries: Sequence[str], k: int) -> list[list[Hit]]:
        self.queries += queries
        return [self._hits(query, k) for query in queries]

    async def close(self) -> None:
        """Nothing is held."""

    def _hits(self, query: str, k: int) -> list[Hit]:
        asked = set(_words(query))
        worth = {word: math.log(1 + len(self._passages) / self._spread[word]) for word in asked if self._spread[word]}
        values = [sum(worth.get(word, 0.0) for word in words) for words in self._words]
        best = sorted(range(len(values)), key=lambda number: (-values[number], number))[:k]
        return [Hit(passage=self._passages[n], relevance=values[n]) for n in best if values[n] > 0]


class FailingRetriever:
    """Fails as a retriever whose server is down does."""

    identity = "failing"

    async def search(self, queries: Sequence[str], k: int) -> list[list[Hit]]:
        raise EnvError("the index is gone")

    async def close(self) -> None:
        """Nothing is held."""


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", text.lower())


def two_hops(number: int, split: str, start: str, given: int, asked: int) -> Question:
    """A question from a country's topic `given` to its topic `asked`."""
    values = COUNTRIES[start]
    return Question(
        question_id=f"q{number}",
        text=f"What is the {TOPICS[asked]} of the country whose {TOPICS[given]} is {values[given]}?",
        answers=(values[asked], f"{values[asked]} ({start})"),
        hops=(
            Hop(
                query=f"{TOPICS[given]} {values[given]}",
                passage_id=f"{start.lower()}/{TOPICS[given].replace(' ', '_')}",
                reached=start,
            ),
            Hop(
                query=f"{TOPICS[asked]} of {start}",
                passage_id=f"{start.lower()}/{TOPICS[asked].replace(' ', '_')}",
                reached=values[asked],
            ),
        ),
        split=split,
        category="2 hops",
    )


def three_hops(number: int, split: str, start: str, given: int, asked: int) -> Question:
    """A question from a country's topic over its largest export partner to that one's topic."""
    first = two_hops(number, split, start, given, 4)
    partner = COUNTRIES[start][4]
    last = Hop(
        query=f"{TOPICS[asked]} of {partner}",
        passage_id=f"{partner.lower()}/{TOPICS[asked].replace(' ', '_')}",
        reached=COUNTRIES[partner][asked],
    )
    return Question(
        question_id=f"q{number}",
        text=f"What is the {TOPICS[asked]} of the largest export partner of the country whose {TOPICS[given]} is "
        f"{COUNTRIES[start][given]}?",
        answers=(COUNTRIES[partner][asked],),
        hops=(*first.hops, last),
        split=split,
        category="3 hops",
    )


def questions() -> dict[str, list[Question]]:
    """Split -> questions, each with its gold path."""
    return {
        "train": [
            two_hops(1, "train", "France", 1, 0),
            two_hops(2, "train", "Kenya", 2, 3),
            three_hops(3, "train", "France", 0, 2),
            three_hops(4, "train", "Germany", 1, 3),
        ],
        "validation": [two_hops(5, "validation", "Uganda", 0, 1), three_hops(6, "validation", "Kenya", 0, 1)],
        "test": [two_hops(7, "test", "Poland", 1, 2), three_hops(8, "test", "Uganda", 1, 3)],
        "test-ood": [two_hops(9, "test-ood", "Nepal", 1, 3), three_hops(10, "test-ood", "Nepal", 0, 1)],
    }
