"""What countries are called: the name in a sentence, other names, and the names that lists of partners use."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

SHORT_NAMES: Final[Mapping[str, str]] = {
    "cf": "Republic of the Congo",
    "cg": "Democratic Republic of the Congo",
    "dr": "Dominican Republic",
    "fk": "Falkland Islands",
    "fm": "Micronesia",
    "gz": "Gaza Strip",
    "io": "British Indian Ocean Territory",
    "mk": "North Macedonia",
    "sh": "Saint Helena, Ascension, and Tristan da Cunha",
    "sv": "Svalbard",
    "sx": "South Georgia and the South Sandwich Islands",
    "um": "United States Minor Outlying Islands",
    "vq": "United States Virgin Islands",
    "vt": "Vatican City",
    "ee": "European Union",
}
"""Code of the factbook -> name, where its short form is absent, no name, or one that another country has too."""

EXTRA_NAMES: Final[Mapping[str, tuple[str, ...]]] = {
    "ae": ("UAE",),
    "bm": ("Myanmar",),
    "cf": ("Congo (Brazzaville)", "Congo-Brazzaville", "Congo, Republic of the"),
    "cg": ("DRC", "Congo (Kinshasa)", "Congo-Kinshasa", "DR Congo", "Congo, Democratic Republic of the"),
    "cv": ("Cape Verde",),
    "ez": ("Czech Republic",),
    "fk": ("Islas Malvinas",),
    "fm": ("Federated States of Micronesia",),
    "gz": ("Gaza",),
    "hk": ("Hong Kong SAR",),
    "iv": ("Ivory Coast",),
    "kn": ("N. Korea", "DPRK"),
    "ks": ("S. Korea",),
    "mc": ("Macao",),
    "mk": ("Macedonia",),
    "nz": ("NZ",),
    "sh": ("Saint Helena",),
    "sv": ("Svalbard and Jan Mayen",),
    "tt": ("East Timor",),
    "tu": ("Türkiye", "Turkiye"),
    "uk": ("UK", "Great Britain"),
    "us": ("USA", "US", "U.S.", "U.S.A.", "America"),
    "vq": ("Virgin Islands", "US Virgin Islands", "U.S. Virgin Islands"),
    "vt": ("Holy See", "Vatican", "Holy See (Vatican City)"),
    "wz": ("Swaziland",),
    "ee": ("EU",),
}
"""Code of the factbook -> names that its own fields use elsewhere or that a correct answer may use."""

_ARTICLE = re.compile(
    r"(?:United |Democratic Republic|Republic of|Central African Republic|Dominican Republic|Federated States|Isle of"
    r"|Gaza Strip|West Bank|European Union|British (?:Virgin|Indian)|Netherlands|Philippines|Maldives|Comoros|Holy See)"
    r"|(?!Heard|South Georgia).*\b(?:Islands|Lands|Refuges|Territory)$"
)


_WORD = re.compile(r"[a-z0-9]+")
_SMALL = frozenset({"the", "and", "of"})


def with_article(name: str) -> str:
    """`name` as it stands in a sentence: ``the Netherlands``, ``The Gambia``, ``France``."""
    return f"the {name}" if _ARTICLE.match(name) else name


def key_of(name: str) -> str:
    """What is the same for all spellings of a name: no accents, no punctuation, no article."""
    if not name.isascii():
        name = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    words = _WORD.findall(name.lower().replace("st.", "saint "))
    return " ".join([word for word in words if word not in _SMALL])


def other_names(name: str, candidates: Iterable[str]) -> tuple[str, ...]:
    """`candidates` without repetition and without `name`, compared letter by letter, in order."""
    found = dict.fromkeys(text.strip() for text in candidates)
    return tuple(text for text in found if text and text not in (name, "none"))


def unaccented(text: str) -> str:
    """`text` with plain letters for those with marks, such as ``Brasilia`` for ``Brasília``."""
    if text.isascii():
        return text
    taken_apart = unicodedata.normalize("NFKD", text)
    return unicodedata.normalize("NFC", "".join(c for c in taken_apart if not unicodedata.combining(c)))


def spellings(name: str) -> Iterator[str]:
    """`name` in the ways that other lists write it: ``St. Lucia``, ``Trinidad & Tobago``, without a parenthesis."""
    if name.startswith("Saint "):
        yield name.replace("Saint ", "St. ", 1)
    if " and " in name:
        yield name.replace(" and ", " & ")
    if "(" in name:
        yield re.sub(r"\s*\(.*?\)", "", name)


class NameTable:
    """From the names of countries to their ids; a name that two have is nobody's."""

    def __init__(self, named: Iterable[tuple[str, Iterable[str]]]) -> None:
        """Of pairs of an id and its names, the ones that count most first."""
        owners: dict[str, set[str]] = {}
        for entity_id, names in named:
            for name in names:
                owners.setdefault(key_of(name), set()).add(entity_id)
        self._ids = {key: next(iter(ids)) for key, ids in owners.items() if len(ids) == 1 and key}

    def find(self, name: str) -> str | None:
        """Id of the country of this name, also with a remark in parentheses after it; None if none has it."""
        return self._ids.get(key_of(name)) or self._ids.get(key_of(re.sub(r"\s*\(.*?\)", "", name)))
