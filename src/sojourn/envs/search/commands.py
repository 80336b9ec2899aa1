"""Commands for a policy that can only choose: searches and answers made of what is on the screen.

The screen is the question and the passages of the last search; nothing here has seen an accepted answer. A search is a
name in sight with a topic of the question ("Mont Blanc highest point"), an answer is a value that a shown passage
states.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from sojourn.envs.search.records import Passage
from sojourn.envs.search.retrieve.words import STOP_WORDS
from sojourn.errors import unknown_name

_TOKEN = re.compile(r"“[^”]{1,80}”|\"[^\"]{1,80}\"|[^\s“”\"]+")
_SENTENCE = re.compile(r"(?<=[.;])\s+(?=[^\W\d_a-z])")
_PREDICATE = re.compile(r"\b(?:is|are|was|were)(?: called)? (?:the |an? )?([^.;(]{1,80}?)(?=\.(?:\s|$)|;| \(|,\s|$)")
_HEADING = re.compile(r" [\u2013\u2014-] |: | \(|, ")
_CONNECTORS = frozenset(
    ["of", "the", "de", "da", "do", "la", "le", "du", "des", "del", "di", "al", "el", "van", "von", "and", "y"]
)
_COMMON = frozenset(
    [
        "country",
        "countries",
        "name",
        "named",
        "called",
        "one",
        "whose",
        "used",
        "lies",
        "lie",
        "has",
        "takes",
        "takes",
        "uses",
    ]
)
_QUOTES = "\u201c\u201d\u2018\u2019\"'"
_MAX_SPAN_CHARS = 80
_MAX_QUESTION_CHARS = 200


@dataclass(frozen=True, kw_only=True, slots=True)
class Listing:
    """How much is listed at most."""

    names: int
    """Names in sight that searches are made with."""
    topics: int
    """Topics of the question, each with each name."""
    values_each: int
    """Values of each shown passage that are offered as answers."""
    answers: int
    has_question: bool
    """Whether the question itself is among the searches."""


LISTINGS: Mapping[str, Listing] = MappingProxyType(
    {
        "full": Listing(names=6, topics=4, values_each=5, answers=14, has_question=True),
        "narrow": Listing(names=3, topics=2, values_each=1, answers=3, has_question=False),
    }
)
"""Every listing by name; ``full`` has up to 39 commands, ``narrow`` up to 9."""


def listing(name: str) -> Listing:
    """The listing called `name`; raises `ConfigError` that lists the known ones."""
    if name not in LISTINGS:
        raise unknown_name("listing of search commands", name, LISTINGS)
    return LISTINGS[name]


class Sight:
    """What an agent has before its eyes, as far as commands are made of it."""

    __slots__ = ("_passages", "_question")

    def __init__(self, question: str) -> None:
        self._question = question
        self._passages: Sequence[Passage] = ()

    def add(self, shown: Sequence[Passage]) -> None:
        """A search has shown these passages; those before are out of sight."""
        self._passages = shown

    def commands(self, limits: Listing) -> tuple[str, ...]:
        """At least one command; searches first, then answers, each once."""
        asked = [name for name in spans(self._question, skip_first=True) if name]
        topics = question_topics(self._question, asked)
        values = [stated(p, topics, self._question)[: limits.values_each] for p in self._passages]
        headings = [heading(p.title) for p in self._passages]
        firsts = [of_passage[0] for of_passage in values if of_passage]
        names = _distinct([*asked[:1], *headings, *firsts, *asked[1:]])[: limits.names]
        searches = [f"{name} {topic}" for name in names for topic in topics[: limits.topics]] or names
        if limits.has_question or not searches:
            searches.append(self._question[:_MAX_QUESTION_CHARS])
        answers = _distinct(value for of_passage in values for value in of_passage)[: limits.answers]
        listed = [f"<search>{query}</search>" for query in searches]
        return tuple(dict.fromkeys([*listed, *(f"<answer>{answer}</answer>" for answer in answers)]))


def spans(text: str, *, skip_first: bool = False) -> Iterator[str]:
    """Quoted texts, and runs of words that begin with a capital or a digit (or are a code, such as ``.fr``), in order.

    `skip_first` leaves the first word out, which is a capital's by position alone.
    """
    run: list[str] = []
    waiting: list[str] = []
    for number, token in enumerate(_TOKEN.findall(text)):
        word = token.strip(_QUOTES) if token[0] in _QUOTES else token.lstrip("(").rstrip(".,;:!?)")
        is_quoted = token[0] in '“"'
        is_name = is_quoted or (_is_name(word) and not (skip_first and number == 0))
        if run and not is_name and word in _CONNECTORS and word == token and len(waiting) < 2:
            waiting.append(word)
            continue
        if run and (not is_name or is_quoted):
            yield _span(run)
            run = []
        if is_name:
            run = [*run, *(waiting if run else []), word]
        waiting = []
        if run and (is_quoted or word != token):
            yield _span(run)
            run = []
    if run:
        yield _span(run)


def _span(words: Sequence[str]) -> str:
    return " ".join(words)[:_MAX_SPAN_CHARS].strip()


def _is_name(word: str) -> bool:
    return bool(word) and (word[0].isupper() or word[0].isdigit() or (len(word) > 1 and word[0] in ".+"))


def question_topics(question: str, names: Iterable[str]) -> list[str]:
    """What the question asks about: runs of its words that are neither names nor say nothing, in order."""
    named = {word for name in names for word in name.split()}
    runs: list[list[str]] = [[]]
    for number, token in enumerate(_TOKEN.findall(question)):
        word = token.strip(".,;:!?()").lower()
        is_topic = number > 0 and word.isalpha() and word not in STOP_WORDS and token.rstrip(".,;:!?") not in named
        if is_topic and word not in _COMMON and token[0] not in _QUOTES:
            runs[-1].append(word)
        elif runs[-1]:
            runs.append([])
    return _distinct(" ".join(run)[:_MAX_SPAN_CHARS] for run in runs if run)


def stated(passage: Passage, topics: Sequence[str], question: str) -> list[str]:
    """Values that a passage states, those of sentences on the question's topics first.

    What stands in the title or in the question is no value: it is what the passage is about.
    """
    words = {word for topic in topics for word in topic.split()}
    sentences = _SENTENCE.split(passage.text)
    ranked = sorted(sentences, key=lambda sentence: -len(words & set(re.findall(r"\w+", sentence.lower()))))
    found = [value for sentence in ranked for value in _values(sentence)]
    known = f"{passage.title} {question}".lower()
    return _distinct(value for value in found if value.lower() not in known)


def _values(sentence: str) -> Iterator[str]:
    if predicate := _PREDICATE.search(sentence):
        yield predicate[1].strip(f"{_QUOTES} …")
    yield from spans(sentence, skip_first=True)


def heading(title: str) -> str:
    """What a title is about: ``France – Capital`` is about ``France``."""
    return (_HEADING.split(title.strip(_QUOTES), maxsplit=1)[0] or title)[:_MAX_SPAN_CHARS].strip()


def _distinct(texts: Iterable[str]) -> list[str]:
    """Each text once, whatever its case, without those that hold no letter or digit."""
    kept = {text.lower(): text for text in reversed([t for t in texts if any(c.isalnum() for c in t)])}
    return list(reversed(kept.values()))
