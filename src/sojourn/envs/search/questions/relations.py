"""The relations that questions are made of, and how English says each of them.

``{x}`` is the country that a hop starts from, ``{v}`` the value that a question starts from. Every phrase ends with
it, or nearly so ("the capital of the only land neighbour of the country whose ..."), so that six hops in one sentence
can be read.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, kw_only=True, slots=True)
class Describing:
    """A way to describe the country in which a question starts, by a value and without its name."""

    nouns: tuple[str, ...]
    """Paraphrases of the description; with ``{v}``."""
    queries: tuple[str, ...]
    """Plain queries from the value to the country, the preferred one first; with ``{v}``."""
    is_code: bool = False
    """Whether the value is a code: it may look like the country's name, as ``.fr`` does."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Locating:
    """A way to describe a country by something in it that has a name or a code."""

    entity: str
    """Kind of the thing."""
    describes: str
    """The relation that has its value; ``name`` for the entity's name."""
    relation: str
    """The relation from the thing to the country."""
    is_common_noun: bool = False
    """Whether English writes the name in lower case."""
    wording: Describing


@dataclass(frozen=True, kw_only=True, slots=True)
class Wording:
    """How a relation of a country is asked about."""

    asks: tuple[str, ...]
    """Paraphrases of the whole question when it ends here; with ``{x}``."""
    nouns: tuple[str, ...] = ()
    """Paraphrases of the country that is reached, for a path that goes on; empty where the value is no country."""
    queries: tuple[str, ...]
    """Plain queries, the preferred one first; ``{x}`` is the country's name."""


def _described(nouns: tuple[str, ...], *queries: str, is_code: bool = False) -> Describing:
    return Describing(nouns=nouns, queries=queries, is_code=is_code)


DESCRIBED: Mapping[str, Describing] = MappingProxyType(
    {
        "capital": _described(
            ("the country whose capital is {v}", "the country that has {v} as its capital"),
            "country whose capital is {v}",
            "{v} capital city",
        ),
        "highest_point": _described(
            ("the country whose highest point is {v}", "the country that has {v} as its highest point"),
            "country whose highest point is {v}",
            "{v} highest point elevation",
        ),
        "anthem": _described(
            ("the country whose national anthem is “{v}”", "the country that has “{v}” as its national anthem"),
            "country whose national anthem is {v}",
            "{v} anthem",
        ),
        "legislature": _described(
            ("the country whose legislature is called {v}", "the country with a legislature called {v}"),
            "country whose legislature is {v}",
            "{v} legislature",
        ),
        "currency": _described(
            ("the country whose currency is the {v}", "the country where the {v} is the currency"),
            "country whose currency is {v}",
            "{v} currency",
        ),
        "currency_code": _described(
            ("the country whose currency has the code {v}", "the country whose currency is abbreviated {v}"),
            "country with currency code {v}",
            "{v} currency code",
            is_code=True,
        ),
        "internet_code": _described(
            ("the country whose internet domain is {v}", "the country that has {v} as its internet domain"),
            "country with internet domain {v}",
            "internet country code {v}",
            is_code=True,
        ),
        "aircraft_prefix": _described(
            (
                "the country whose civil aircraft have the registration prefix {v}",
                "the country that registers civil aircraft under the prefix {v}",
            ),
            "civil aircraft registration prefix {v}",
            "aircraft prefix {v} country",
            is_code=True,
        ),
        "calling_code": _described(
            (
                "the country whose telephone calling code is {v}",
                "the country that has the telephone calling code {v}",
            ),
            "country with telephone calling code {v}",
            "calling code {v}",
            is_code=True,
        ),
        "former_name": _described(
            ("the country formerly named {v}", "the country that used to be called {v}"),
            "country formerly named {v}",
            "{v} former name",
        ),
    }
)
"""Relation of a country -> how its value describes the country, where no other country has the same."""

LOCATED: Mapping[str, Locating] = MappingProxyType(
    {
        "airport": Locating(
            entity="airport",
            describes="iata_code",
            relation="country",
            wording=_described(
                (
                    "the country in which the airport with the IATA code {v} lies",
                    "the country that has the airport with the IATA code {v}",
                ),
                "airport with IATA code {v}",
                "{v} airport",
                is_code=True,
            ),
        ),
        "city": Locating(
            entity="city",
            describes="name",
            relation="country",
            wording=_described(
                ("the country in which the city of {v} lies", "the country that has a city named {v}"),
                "city of {v} country",
                "{v} city",
                "{v}",
            ),
        ),
        "element": Locating(
            entity="element",
            describes="name",
            relation="discovery_place",
            is_common_noun=True,
            wording=_described(
                (
                    "the country in which the element {v} was discovered",
                    "the country that saw the discovery of the element {v}",
                ),
                "country where the element {v} was discovered",
                "{v} element discovery",
            ),
        ),
    }
)
"""Kind of description -> how something in a country describes it."""

COUNTRIES: Mapping[str, Wording] = MappingProxyType(
    {
        "largest_export_partner": Wording(
            asks=(
                "Which country is the largest export partner of {x}?",
                "Which country takes the largest share of the exports of {x}?",
            ),
            nouns=(
                "the largest export partner of {x}",
                "the main destination of the exports of {x}",
                "the country that takes the largest share of the exports of {x}",
            ),
            queries=("largest export partner of {x}", "{x} exports partners"),
        ),
        "largest_import_partner": Wording(
            asks=(
                "Which country is the largest import partner of {x}?",
                "Which country supplies the largest share of the imports of {x}?",
            ),
            nouns=(
                "the largest import partner of {x}",
                "the main source of the imports of {x}",
                "the country that supplies the largest share of the imports of {x}",
            ),
            queries=("largest import partner of {x}", "{x} imports partners"),
        ),
        "longest_land_border": Wording(
            asks=("Which country lies across the longest land border of {x}?",),
            nouns=(
                "the country across the longest land border of {x}",
                "the neighbour on the longest land border of {x}",
            ),
            queries=("longest land border of {x}", "{x} land boundaries border countries"),
        ),
        "shortest_land_border": Wording(
            asks=("Which country lies across the shortest land border of {x}?",),
            nouns=(
                "the country across the shortest land border of {x}",
                "the neighbour on the shortest land border of {x}",
            ),
            queries=("shortest land border of {x}", "{x} land boundaries border countries"),
        ),
        "only_neighbour": Wording(
            asks=(
                "Which country is the only land neighbour of {x}?",
                "Which country alone borders {x}?",
            ),
            nouns=("the only land neighbour of {x}", "the one country that borders {x}"),
            queries=("only country that borders {x} by land", "{x} land boundaries border countries"),
        ),
        "largest_neighbour": Wording(
            asks=(
                "Which is the largest by area of the countries that border {x}?",
                "Which country is the largest by area of those that border {x}?",
            ),
            nouns=("the largest by area of the countries that border {x}",),
            queries=("neighbour of {x} with the largest area", "{x} land boundaries border countries"),
        ),
        "most_populous_neighbour": Wording(
            asks=(
                "Which is the most populous of the countries that border {x}?",
                "Which country is the most populous neighbour of {x}?",
            ),
            nouns=("the most populous of the countries that border {x}", "the most populous neighbour of {x}"),
            queries=("neighbour of {x} with the largest population", "{x} land boundaries border countries"),
        ),
        "independent_from": Wording(
            asks=("Which country's rule ended with the independence of {x}?",),
            nouns=("the country whose rule ended with the independence of {x}",),
            queries=("{x} became independent from", "{x} independence"),
        ),
    }
)
"""Relation from a country to a country -> how it is said: a path goes on from there, or ends."""

VALUES: Mapping[str, Wording] = MappingProxyType(
    {
        "capital": Wording(
            asks=("What is the capital of {x}?", "Which city is the capital of {x}?"),
            queries=("capital of {x}", "{x} capital city"),
        ),
        "highest_point": Wording(
            asks=("What is the highest point of {x}?", "What is the name of the highest point of {x}?"),
            queries=("highest point of {x}", "{x} elevation"),
        ),
        "anthem": Wording(
            asks=("What is the title of the national anthem of {x}?", "Which song is the national anthem of {x}?"),
            queries=("national anthem of {x}", "{x} anthem title"),
        ),
        "currency": Wording(
            asks=("What is the currency of {x}?", "What is the name of the currency of {x}?"),
            queries=("currency of {x}", "{x} currency exchange rates"),
        ),
        "currency_code": Wording(
            asks=("What is the three-letter code of the currency of {x}?",),
            queries=("currency code of {x}", "{x} currency exchange rates"),
        ),
        "internet_code": Wording(
            asks=("What is the internet domain of {x}?", "What is the internet country code of {x}?"),
            queries=("internet domain of {x}", "{x} internet country code"),
        ),
        "aircraft_prefix": Wording(
            asks=("What is the registration prefix of the civil aircraft of {x}?",),
            queries=("civil aircraft registration prefix of {x}", "{x} aircraft prefix"),
        ),
        "calling_code": Wording(
            asks=("What is the telephone calling code of {x}?",),
            queries=("telephone calling code of {x}", "{x} calling code"),
        ),
        "legislature": Wording(
            asks=("What is the legislature of {x}?", "What is the name of the legislature of {x}?"),
            queries=("legislature of {x}", "{x} legislative branch"),
        ),
        "former_name": Wording(
            asks=("What was the former name of {x}?", "What is the former name of {x}?"),
            queries=("former name of {x}", "{x} formerly"),
        ),
        "demonym": Wording(
            asks=("What is the adjective for the people of {x}?",),
            queries=("adjective for the people of {x}", "{x} nationality adjective"),
        ),
        "independence_date": Wording(
            asks=("What is the date of the independence of {x}?",),
            queries=("independence of {x}", "{x} independence date"),
        ),
        "top_export": Wording(
            asks=(
                "What is the top export by value of {x}?",
                "Which good is exported most by value from {x}?",
            ),
            queries=("top export of {x}", "{x} exports commodities"),
        ),
        "top_import": Wording(
            asks=(
                "What is the top import by value of {x}?",
                "Which good is imported most by value into {x}?",
            ),
            queries=("top import of {x}", "{x} imports commodities"),
        ),
    }
)
"""Relation from a country to a text or a city -> how it is asked: a path ends there."""

FROM_COUNTRY: Mapping[str, Wording] = MappingProxyType({**COUNTRIES, **VALUES})
"""All hops from a country."""


def describing(kind: str) -> Describing:
    """How descriptions of this kind are worded."""
    return DESCRIBED[kind] if kind in DESCRIBED else LOCATED[kind].wording
