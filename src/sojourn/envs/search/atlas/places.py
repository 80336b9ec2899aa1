"""Cities of GeoNames and airports, read one by one: the file of cities is 80 MB of JSON on one line."""

from __future__ import annotations

import csv
import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from sojourn.envs.search.atlas.markup import slug
from sojourn.envs.search.atlas.names import key_of, other_names
from sojourn.envs.search.atlas.packages import SOURCES, data_file
from sojourn.envs.search.atlas.world import Airport, City
from sojourn.envs.search.records import Entity
from sojourn.errors import DataError

MIN_POPULATION: Final = 15_000
"""Of a city that facts are about."""
MAX_OTHER_NAMES: Final = 12
_BLOCK_CHARS: Final = 1 << 20
_LATIN = re.compile(r"[A-Z\u00c0-\u00de\u0100-\u017f][\w\u00c0-\u024f' .-]{3,}")
_ITEM = re.compile(r'\s*[{,]?\s*"(\d+)"\s*:\s*')


def json_objects(path: Path) -> Iterator[dict[str, Any]]:
    """The values of one large JSON object, in order, without holding more than a block of the file.

    Raises `DataError` where the file is not ``{"1": {...}, "2": {...}}``.
    """
    decoder = json.JSONDecoder()
    with path.open(encoding="utf-8") as file:
        text, start = file.read(_BLOCK_CHARS), 0
        while True:
            key = _ITEM.match(text, start)
            try:
                if key is None:
                    raise ValueError("no key")
                value, start = decoder.raw_decode(text, key.end())
            except ValueError as error:  # the block ends within an item, or the file is over
                block = file.read(_BLOCK_CHARS)
                if block:
                    text, start = text[start:] + block, 0
                    continue
                if text[start:].strip() == "}":
                    return
                raise DataError(
                    f"{path}: expected an object of objects, stopped at {text[start : start + 40]!r}"
                ) from error
            yield value


def _latin_names(row: Mapping[str, Any]) -> tuple[str, ...]:
    name = row["name"]
    names = [n for n in row.get("alternatenames", ()) if _LATIN.fullmatch(n) and not n.isupper() and "  " not in n]
    return other_names(name, names)[:MAX_OTHER_NAMES]


def _where(row: Mapping[str, Any], states: Mapping[str, str]) -> str:
    state = states.get(row.get("admin1code", "")) if row["countrycode"] == "US" else None
    lies = f"in the state of {state}, " if state else ""
    return (
        f"{lies}at latitude {row['latitude']:.4f}, longitude {row['longitude']:.4f}, in the time zone {row['timezone']}"
    )


def read_cities(country_ids: frozenset[str]) -> list[City]:
    """Populated places of 500 people or more, in the order of the file; those in no known country are left out.

    A city is an entity if it has at least `MIN_POPULATION` people and no other place of the file has its name.
    """
    package = SOURCES["geonames"].package
    states_file = data_file(package, "/data/us_states.json")
    states = {code: row["name"] for code, row in json.loads(states_file.read_text(encoding="utf-8")).items()}
    cities, keys = [], []
    for row in json_objects(data_file(package, "/data/cities500.json")):
        country = f"country/{row['countrycode'].lower()}"
        if country in country_ids:
            keys.append(key_of(row["name"]))
            cities.append(_city(row, country, states))
    named = Counter(keys)
    return [
        replace(city, entity=_entity(city))
        if city.population >= MIN_POPULATION and len(key) > 2 and named[key] == 1
        else city
        for city, key in zip(cities, keys, strict=True)
    ]


def _city(row: Mapping[str, Any], country: str, states: Mapping[str, str]) -> City:
    return City(
        geoname_id=row["geonameid"],
        name=row["name"],
        country=country,
        population=row["population"],
        place=_where(row, states),
        other_names=_latin_names(row),
    )


def city_id(country: str, name: str) -> str:
    """Id of the city of this name in a country (an id); empty for a name without Latin letters or digits."""
    return f"city/{country.removeprefix('country/')}/{slug(name)}" if slug(name) else ""


def _entity(city: City) -> Entity | None:
    entity_id = city_id(city.country, city.name)
    return Entity(entity_id=entity_id, kind="city", name=city.name, aliases=city.other_names) if entity_id else None


def _above_sea(row: Mapping[str, str]) -> str:
    return f"{float(row['elevation'] or 0):.0f} feet above sea level"


def read_airports(country_ids: frozenset[str]) -> list[Airport]:
    """Airports, heliports and airfields by ICAO code; those in no known country are left out."""
    path = data_file(SOURCES["airports"].package, "airports.csv")
    airports = []
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            country = f"country/{row['country'].lower()}"
            if country not in country_ids:
                continue
            coordinates = f"at latitude {float(row['lat']):.4f}, longitude {float(row['lon']):.4f}"
            airports.append(
                Airport(
                    icao=row["icao"],
                    iata=row["iata"],
                    name=row["name"].strip() or row["icao"],
                    city=row["city"].strip(),
                    division=row["subd"].strip(),
                    country=country,
                    place=f"{coordinates}, {_above_sea(row)}, in the time zone {row['tz']}",
                    city_id=city_id(country, row["city"].strip()),
                )
            )
    return sorted(airports, key=lambda airport: airport.icao)
