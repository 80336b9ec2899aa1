"""The world as the installed packages have it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from sojourn.envs.search.atlas.elements import read_elements
from sojourn.envs.search.atlas.factbook import read_countries, world_prose
from sojourn.envs.search.atlas.names import key_of
from sojourn.envs.search.atlas.places import city_id, read_airports, read_cities
from sojourn.envs.search.atlas.world import City, Country, World
from sojourn.envs.search.records import Entity


def read_world(*, with_cities: bool) -> World:
    """Everything, or everything but the cities of GeoNames, in a fixed order.

    Raises `MissingDependencyError` for a package that is not installed, `DataError` for a file that is not what it was.
    """
    countries = read_countries()
    ids = frozenset(countries)
    cities = read_cities(ids) if with_cities else []
    return World(
        countries=countries,
        capitals=_capitals(countries, cities),
        airports=read_airports(ids),
        elements=read_elements(countries),
        cities=cities,
        prose=world_prose(),
    )


def _capitals(countries: Mapping[str, Country], cities: list[City]) -> dict[str, Entity]:
    """The capitals as entities; each country's value gets its capital as the target."""
    largest: dict[tuple[str, str], City] = {}
    for city in cities:
        key = (city.country, key_of(city.name))
        if key not in largest or largest[key].population < city.population:
            largest[key] = city
    capitals = {}
    for entity_id, country in countries.items():
        value = country.values.get("capital")
        if value is None:
            continue
        capital_id = city_id(entity_id, value.text)
        known = largest.get((entity_id, key_of(value.text)))
        names = [*value.aliases, *((known.name, *known.other_names) if known else ())]
        aliases = tuple(dict.fromkeys(name for name in names if name != value.text))
        capitals[capital_id] = Entity(entity_id=capital_id, kind="city", name=value.text, aliases=aliases)
        country.values["capital"] = replace(value, target=capital_id)
    return capitals
