"""What the atlas knows before it is put into words: countries, cities, airports, elements, and their values.

Readers fill a `World`, a seed may permute it, and the renderer writes passages and facts out of it in one pass: the
two cannot disagree.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from sojourn.envs.search.records import Entity

COUNTRY_TO_COUNTRY: Final[Mapping[str, str]] = {
    "largest_export_partner": "the country that takes the largest share of its exports",
    "largest_import_partner": "the country that delivers the largest share of its imports",
    "longest_land_border": "the neighbour with which it shares its longest land border",
    "shortest_land_border": "the neighbour with which it shares its shortest land border",
    "only_neighbour": "the one country it borders by land",
    "largest_neighbour": "the neighbour by land with the largest area",
    "most_populous_neighbour": "the neighbour by land with the largest population",
    "independent_from": "the country that it became independent from",
}
"""Relations of a country whose value is a country."""

COUNTRY_TO_VALUE: Final[Mapping[str, str]] = {
    "capital": "its capital, which is a city of the atlas",
    "highest_point": "the name of its highest point",
    "anthem": "the title of its national anthem",
    "currency": "the name of its currency",
    "currency_code": "the three-letter code of its currency",
    "internet_code": "its top-level domain, such as .fr",
    "aircraft_prefix": "the registration prefix of its civil aircraft",
    "calling_code": "its telephone calling code, such as +33",
    "legislature": "the name of its legislature",
    "former_name": "what it was called before, if that is one name",
    "demonym": "the adjective for its people",
    "independence_date": "the day of its independence",
    "top_export": "the good that it exports most by value",
    "top_import": "the good that it imports most by value",
}
"""Relations of a country whose value is a text, or with the capital a city."""

OTHER_RELATIONS: Final[Mapping[str, str]] = {
    "country": "the country that a city or an airport lies in",
    "city": "the place that an airport serves",
    "iata_code": "the three-letter code of an airport",
    "icao_code": "the four-letter code of an airport",
    "symbol": "the symbol of an element",
    "atomic_number": "the atomic number of an element",
    "discoverer": "who discovered an element, where that is one name",
    "discovery_year": "the year in which an element was discovered",
    "discovery_place": "the country in which an element was discovered",
    "named_after": "what an element is named after",
}
"""Relations of cities, airports and elements."""

RELATIONS: Final[Mapping[str, str]] = {**COUNTRY_TO_COUNTRY, **COUNTRY_TO_VALUE, **OTHER_RELATIONS}
"""Every relation that a fact of the atlas may have, and what it means for a subject."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Value:
    """A text that answers a question, with what else may be said for it."""

    text: str
    aliases: tuple[str, ...] = ()
    detail: str = ""
    """What follows it in the passage, such as ``, 4,810 m above sea level``."""
    target: str | None = None
    """Id of the entity it names."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Share:
    """A trading partner with its share, or a neighbour with the length of the common border."""

    country: str
    """Id of an entity."""
    amount: float
    """Per cent, or km."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Prose:
    """Text of a source about one topic, word for word but for markup."""

    topic: str
    text: str


@dataclass(kw_only=True, slots=True)
class Country:
    """A country, territory or union."""

    entity: Entity
    with_article: str
    """The name in a sentence: ``the Netherlands``, ``France``."""
    values: dict[str, Value] = field(default_factory=dict)
    """Relation -> its one value; relations of `COUNTRY_TO_VALUE` and ``independent_from``."""
    former_names: tuple[str, ...] = ()
    codes: tuple[str, ...] = ()
    """ISO 3166: two letters, three letters."""
    export_partners: tuple[Share, ...] = ()
    import_partners: tuple[Share, ...] = ()
    """Largest first."""
    trade_year: str = ""
    borders: tuple[Share, ...] = ()
    """All its land borders; empty where one of them cannot be told."""
    area_km2: float | None = None
    population: int | None = None
    long_name: str = ""
    prose: list[Prose] = field(default_factory=list)
    """What the source says of other topics."""
    remarks: dict[str, str] = field(default_factory=dict)
    """Topic that is rendered from values -> what else the source says there."""


@dataclass(frozen=True, kw_only=True, slots=True)
class City:
    """A populated place of GeoNames."""

    geoname_id: int
    name: str
    country: str
    """Id of an entity."""
    population: int
    place: str = ""
    """Where it lies: division, coordinates, time zone; empty where that must not be told."""
    other_names: tuple[str, ...] = ()
    entity: Entity | None = None
    """For a place that facts are about: known by its name alone, and not small."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Airport:
    """An airport, heliport or airfield."""

    icao: str
    iata: str
    """Empty for most."""
    name: str
    city: str
    """Empty where the source has none."""
    division: str
    country: str
    """Id of an entity."""
    place: str = ""
    """Elevation, coordinates, time zone; empty where they must not be told."""
    city_id: str = ""
    """What the id of `city` is if the atlas has it as an entity."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Element:
    """A chemical element."""

    entity: Entity
    values: Mapping[str, Value]
    """Relation -> its one value."""
    prose: tuple[Prose, ...] = ()


@dataclass(kw_only=True, slots=True)
class World:
    """Everything of one atlas."""

    countries: dict[str, Country]
    """By entity id, in the order of rendering."""
    capitals: dict[str, Entity]
    """Cities that are capitals, by entity id."""
    airports: list[Airport]
    elements: list[Element]
    cities: list[City] = field(default_factory=list)
    """Empty in an atlas-mini."""
    prose: list[Prose] = field(default_factory=list)
    """Of the world as a whole."""
    is_counterfactual: bool = False
