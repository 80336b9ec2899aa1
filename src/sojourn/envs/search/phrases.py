"""Names, topics and values in a text, by its capitals, quotation marks and common words: no model, and no gold."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from sojourn.envs.search.records import Passage
from sojourn.envs.search.retrieve.words import STOP_WORDS

MAX_PHRASE_CHARS = 80

_TOKEN = re.compile(r"“[^”]{1,80}”|\"[^\"]{1,80}\"|[^\s“”\"]+")
_SENTENCE = re.compile(r"(?<=[.;])\s+(?=[^\W\d_a-z])")
_PREDICATE = re.compile(
    r"(?=\b(?:is|are|was|were)(?: called)? (?:the |an? )?([^.;(]{1,80}?)(?:\.(?:\s|$)|;| \(|,\s|$))"  # they may overlap
)
_PREPOSITION = re.compile(r"\b(?:in|of|for|with|by|at|to|as|from|on|is|are|was|were)\b")
_HEADING = re.compile(r" [\u2013\u2014-] |: | \(|, ")
_WORD = re.compile(r"\w+")
_QUOTES = "\u201c\u201d\u2018\u2019\"'"
_OPENING = '(\u201c"'
_CONNECTORS = frozenset(
    ("of", "the", "de", "da", "do", "la", "le", "du", "des", "del", "di", "al", "el", "van", "von", "and", "y")
)
_SAYS_NOTHING = STOP_WORDS | frozenset(("name", "named", "called", "one", "used", "uses", "lies", "takes", "across"))
_ENDS_CLAUSE = frozenset(("country", "countries", "whose", "which", "who", "that", "where", "when", "and", "or"))
_GIVEN = re.compile(
    r"(?=\b(?:is|are|was|were)(?: named| called)? (?P<article>the |an? )?(?P<what>[^?]{1,80}?)\s*\?\s*$)"
)
_NUMBER = re.compile(r"[\d.,:%$ -]+")


def given_in(question: str) -> list[str]:
    """What a question goes out from, the likeliest first: what its last verb is followed by, then its last names."""
    verbs = list(_GIVEN.finditer(question))
    last = verbs[-1] if verbs else None
    is_thing = last is not None and bool(last["article"] or _is_name(last["what"])) and not _is_clause(last["what"])
    found = [last["what"].strip(_QUOTES)] if last is not None and is_thing else []
    return distinct([*found, *reversed(names_in(question))])


def _is_clause(text: str) -> bool:
    return _PREPOSITION.search(text) is not None


def names_in(text: str) -> list[str]:
    """Quoted texts, and runs of words that begin with a capital or a digit, or are a code such as ``.fr``; each once.

    The first word of the text is no name by its capital alone.
    """
    tokens = _TOKEN.findall(text)
    found: list[str] = []
    run: list[str] = []
    for number, token in enumerate(tokens):
        word = _bare(token)
        if run and token[0] in _OPENING:
            found, run = [*found, " ".join(run)], []
        if token[0] in '\u201c"' or (_is_name(word) and number > 0):
            run.append(word)
        elif run and _connects(tokens, number):
            run.append(token)
        elif run:
            found, run = [*found, " ".join(run)], []
        if run and word != token:  # a mark follows it, or it was quoted
            found, run = [*found, " ".join(run)], []
    return distinct([*found, " ".join(run)])


def _bare(token: str) -> str:
    return token.strip(_QUOTES) if token[0] in _QUOTES else token.lstrip("(").rstrip(".,;:!?)")


def _is_name(word: str) -> bool:
    return bool(word) and (word[0].isupper() or word[0].isdigit() or (len(word) > 1 and word[0] in ".+"))


def _connects(tokens: Sequence[str], number: int) -> bool:
    """Whether the word there is a small one between two of a name, such as ``of the``."""
    ahead = tokens[number : number + 3]
    small = [token in _CONNECTORS for token in ahead]
    return small[0] and any(
        _is_name(token) and all(small[:place]) for place, token in enumerate(ahead) if place and not small[place]
    )


def topics_of(question: str, names: Iterable[str]) -> list[str]:
    """What each clause of a question asks about: its words that are in no name and say something, in order, once."""
    named = {word for name in names for word in name.split()}
    clauses: list[list[str]] = [[]]
    for token in _TOKEN.findall(question)[1:]:
        word = token.strip(".,;:!?()").lower()
        if word in _ENDS_CLAUSE:
            clauses.append([])
        elif not {_bare(token), token} & named and word not in _SAYS_NOTHING and token[0] not in _OPENING:
            clauses[-1].append(word)
    return distinct(" ".join(clause) for clause in clauses)


def overlap(text: str, topics: Iterable[str]) -> int:
    """How many words of the topics a text has."""
    return len({word for topic in topics for word in topic.split()} & set(_WORD.findall(text.lower())))


def values_in(passage: Passage, topics: Sequence[str], question: str) -> list[tuple[int, str]]:
    """What a passage states, each with the `overlap` of its title and sentence, the largest first; mere numbers last.

    What stands in the title or in the question is no value: it is what the passage is about.
    """
    known = f"{passage.title} {question}".lower()
    of_title = overlap(passage.title, topics)
    found: list[tuple[int, str]] = []
    for sentence in _SENTENCE.split(passage.text):
        count = of_title + overlap(sentence, topics)
        found += [(count, value) for value in distinct(_values(sentence)) if value.lower() not in known]
    return sorted(found, key=lambda row: (is_number(row[1]), -row[0]))


def _values(sentence: str) -> Iterator[str]:
    yield from (what.strip(f"{_QUOTES} …") for what in _PREDICATE.findall(sentence) if not _is_clause(what))
    yield from names_in(sentence)


def heading(title: str) -> str:
    """What a title is about: ``France: capital`` is about ``France``."""
    return _HEADING.split(title, maxsplit=1)[0].strip(_QUOTES) or title


def is_number(text: str) -> bool:
    """Whether it is a number and nothing else; ``+33`` and ``4 July 1776`` are more."""
    return _NUMBER.fullmatch(text) is not None


def is_code(text: str) -> bool:
    """Whether it is a number, or letters that stand for something, such as ``MYR``: nothing to look up by."""
    return text.isupper() or is_number(text)


def distinct(phrases: Iterable[str]) -> list[str]:
    """Each phrase once, whatever its case, cut to `MAX_PHRASE_CHARS`; without those that have no letter or digit."""
    kept: dict[str, str] = {}
    for phrase in phrases:
        cut = phrase[:MAX_PHRASE_CHARS].strip()
        if any(character.isalnum() for character in cut):
            kept.setdefault(cut.lower(), cut)
    return list(kept.values())
