"""A world in which the facts are others: permuted by a seed, within a relation, so that memory is worth nothing.

Every country keeps its name, its area and its people; capitals, mountains, anthems and codes move, each relation by a
permutation of its own in which no country keeps what it has. Land borders are the real map with the countries
exchanged, so that whoever borders is bordered. Cities lie elsewhere, capitals in the country whose capital they are.
Prose that names anything is left out, for it would tell the truth.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final, TypeVar

from sojourn.envs.search.atlas.factbook import RENDERED
from sojourn.envs.search.atlas.names import key_of
from sojourn.envs.search.atlas.world import Airport, City, Country, Element, Prose, Share, Value, World
from sojourn.envs.search.chance import draw_short
from sojourn.envs.search.records import Entity

V = TypeVar("V")

GROUPS: Final[Sequence[tuple[str, ...]]] = (
    ("capital",),
    ("highest_point",),
    ("anthem",),
    ("currency", "currency_code"),
    ("internet_code",),
    ("aircraft_prefix",),
    ("calling_code",),
    ("legislature",),
    ("demonym",),
    ("independence_date",),
    ("independent_from",),
    ("top_export",),
    ("top_import",),
)
"""Relations of a country that move; those of one group move together."""
ELEMENT_RELATIONS: Final = (
    "symbol",
    "atomic_number",
    "discoverer",
    "discovery_year",
    "discovery_place",
    "named_after",
)
TRIES: Final = 400
"""At most so many exchanges of two countries on the map, until none borders a real neighbour."""
DRAWS: Final = 64
_CAPITALISED = re.compile(r"\b[A-Z]\w*")
_NO_NAMES = frozenset({"Btu", "CO2", "GDP", "NA"})
"""Words with a capital that name nothing."""
TOLD_ELSEWHERE: Final = frozenset(
    {*RENDERED, "Economic overview", "Exchange rates", "Geography - note", "National symbol(s)"}
)
"""Topics that may tell of what has moved."""


def deranged(values: Mapping[str, V], is_forbidden: Callable[[str, V], bool], key: Sequence[object]) -> dict[str, V]:
    """The values exchanged among their owners; an owner for whom only forbidden ones are left gets none."""
    owners = list(values)
    order = sorted(range(len(owners)), key=lambda n: draw_short(*key, owners[n]))
    shift = [values[owners[n]] for n in order]
    given = {owners[n]: shift[(place + 1) % len(order)] for place, n in enumerate(order)}
    for owner in owners:
        if is_forbidden(owner, given[owner]):
            for other in _candidates(owners, (*key, owner)):
                if not is_forbidden(owner, given[other]) and not is_forbidden(other, given[owner]):
                    given[owner], given[other] = given[other], given[owner]
                    break
    return {owner: value for owner, value in given.items() if not is_forbidden(owner, value)}


def _candidates(owners: Sequence[str], key: Sequence[object]) -> Iterator[str]:
    """Owners in an order of chance: some drawn, which nearly always suffices, then all."""
    for number in range(DRAWS):
        yield owners[draw_short(*key, number) % len(owners)]
    yield from sorted(owners, key=lambda name: draw_short(*key, name))


def _texts(value: Value) -> set[str]:
    return {text.casefold() for text in (value.text, *value.aliases)}


def permuted(world: World, seed: int) -> World:
    """The counterfactual world of this seed, made out of `world`, whose countries it changes in place."""
    for group in GROUPS:
        _move_values(world.countries, group, seed)
    _move_former_names(world.countries, seed)
    _move_partners(world.countries, seed)
    _move_borders(world.countries, seed)
    for country in world.countries.values():
        country.remarks = {}
        country.prose = [prose for prose in country.prose if is_harmless(prose)]
    homes = _Homes(world, seed)
    return World(
        countries=world.countries,
        capitals=world.capitals,
        airports=_move_airports(world.airports, homes, seed),
        elements=_move_elements(world.elements, seed),
        cities=[_moved_city(city, homes) for city in world.cities],
        is_counterfactual=True,
    )


def is_harmless(prose: Prose) -> bool:
    """Whether a text names nothing and nobody: it has no word with a capital that is not in its heading."""
    known = {*_CAPITALISED.findall(prose.topic), *_NO_NAMES}
    return prose.topic not in TOLD_ELSEWHERE and all(word in known for word in _CAPITALISED.findall(prose.text))


def _move_values(countries: Mapping[str, Country], group: tuple[str, ...], seed: int) -> None:
    owned = {
        entity_id: {relation: country.values[relation] for relation in group if relation in country.values}
        for entity_id, country in countries.items()
    }
    owned = {entity_id: values for entity_id, values in owned.items() if values}

    def is_forbidden(owner: str, values: Mapping[str, Value]) -> bool:
        own = owned[owner]
        return any(
            value.target == owner or (relation in own and bool(_texts(value) & _texts(own[relation])))
            for relation, value in values.items()
        )

    given = deranged(owned, is_forbidden, (seed, *group))
    for entity_id in owned:
        for relation in group:
            countries[entity_id].values.pop(relation, None)
        countries[entity_id].values.update(given.get(entity_id, {}))


def _move_former_names(countries: Mapping[str, Country], seed: int) -> None:
    owned = {entity_id: country.former_names for entity_id, country in countries.items() if country.former_names}
    given = deranged(owned, lambda owner, names: bool({*names} & {*owned[owner]}), (seed, "former_name"))
    for entity_id in owned:
        country, names = countries[entity_id], given.get(entity_id, ())
        country.former_names = names
        country.values.pop("former_name", None)
        if len(names) == 1:
            country.values["former_name"] = Value(text=names[0])


def _move_partners(countries: Mapping[str, Country], seed: int) -> None:
    for field in ("export_partners", "import_partners"):
        owned: dict[str, tuple[Share, ...]] = {i: getattr(c, field) for i, c in countries.items() if getattr(c, field)}

        def is_forbidden(owner: str, shares: tuple[Share, ...], owned: Mapping[str, tuple[Share, ...]] = owned) -> bool:
            partners = [share.country for share in shares]
            return owner in partners or partners[0] == owned[owner][0].country

        given = deranged(owned, is_forbidden, (seed, field))
        for entity_id in owned:
            setattr(countries[entity_id], field, given.get(entity_id, ()))


Borders = Mapping[str, tuple[Share, ...]]
"""Country -> its neighbours."""


def _move_borders(countries: Mapping[str, Country], seed: int) -> None:
    real = {entity_id: country.borders for entity_id, country in countries.items() if country.borders}
    nodes = sorted({*real, *(share.country for shares in real.values() for share in shares)})
    moved = deranged({node: node for node in nodes}, lambda owner, node: owner == node, (seed, "map"))
    map_ = _relabelled(real, moved)
    for attempt in range(TRIES):  # countries that have met a real neighbour by chance change places with others
        old = _kept(real, map_)
        if not old:
            break
        back = {node: owner for owner, node in moved.items()}
        one = back[old[draw_short(seed, "map", attempt, "one") % len(old)]]
        other = nodes[draw_short(seed, "map", attempt, "other") % len(nodes)]
        changed = {**moved, one: moved[other], other: moved[one]}
        tried = _relabelled(real, changed)
        if len(_kept(real, tried)) < len(old) and one != moved[other] and other != moved[one]:
            moved, map_ = changed, tried
    for entity_id, country in countries.items():
        country.borders = map_.get(entity_id, ())


def _relabelled(real: Borders, moved: Mapping[str, str]) -> Borders:
    return {
        moved[entity_id]: tuple(Share(country=moved[share.country], amount=share.amount) for share in shares)
        for entity_id, shares in real.items()
    }


def _kept(real: Borders, map_: Borders) -> list[str]:
    """Countries that border in `map_` one that they really border."""
    return sorted(
        entity_id
        for entity_id, shares in map_.items()
        if {share.country for share in shares} & {share.country for share in real.get(entity_id, ())}
    )


class _Homes:
    """The country in which each city lies, drawn by its name and its real country."""

    def __init__(self, world: World, seed: int) -> None:
        self._seed = seed
        self._countries = [entity_id for entity_id, country in world.countries.items() if country.prose]
        self._capitals: dict[tuple[str, str], str] = {}
        for entity_id, country in world.countries.items():
            capital = country.values.get("capital")
            if capital is not None and capital.target is not None:
                self._set_home(world.capitals[capital.target], entity_id)

    def _set_home(self, capital: Entity, country: str) -> None:
        real = f"country/{capital.entity_id.split('/')[1]}"
        for name in (capital.name, *capital.aliases):
            self._capitals.setdefault((key_of(name), real), country)

    def of(self, name: str, real: str) -> str:
        """The country of the city `name` that really lies in `real`; never `real` itself."""
        known = self._capitals.get((key_of(name), real))
        if known is not None:
            return known
        place = draw_short(self._seed, "home", key_of(name), real) % len(self._countries)
        found = self._countries[place]
        return found if found != real else self._countries[place - 1]


def _moved_city(city: City, homes: _Homes) -> City:
    return replace(city, country=homes.of(city.name, city.country), place="")


def _move_airports(airports: Sequence[Airport], homes: _Homes, seed: int) -> list[Airport]:
    """Airports with other codes and in other cities; those without an IATA code exchange theirs among themselves."""
    moved: list[Airport] = []
    for has_code in (True, False):
        some = {airport.icao: airport for airport in airports if bool(airport.iata) == has_code}
        codes = deranged(some, lambda owner, other: owner == other.icao, (seed, "airport code", has_code))
        places = deranged(codes, _Elsewhere(some, codes, homes), (seed, "airport city", has_code))
        for icao, code in codes.items():
            place = places.get(icao)
            if place is not None:
                moved.append(
                    Airport(
                        icao=code.icao,
                        iata=code.iata,
                        name=some[icao].name,
                        city=place.city,
                        division="",
                        country=homes.of(place.city or place.icao, place.country),
                        city_id=place.city_id,
                    )
                )
    return sorted(moved, key=lambda airport: airport.icao)


class _Elsewhere:
    """Whether a place is where an airport really is, as its name or as its code is known."""

    def __init__(self, airports: Mapping[str, Airport], codes: Mapping[str, Airport], homes: _Homes) -> None:
        self._airports, self._codes, self._homes = airports, codes, homes

    def __call__(self, owner: str, place: Airport) -> bool:
        home = self._homes.of(place.city or place.icao, place.country)
        known = (self._airports[owner], self._codes[owner])
        return any(home == own.country or (place.city, place.country) == (own.city, own.country) for own in known)


def _move_elements(elements: Sequence[Element], seed: int) -> list[Element]:
    values: dict[str, dict[str, Value]] = {element.entity.entity_id: {} for element in elements}
    for relation in ELEMENT_RELATIONS:
        owned = {e.entity.entity_id: e.values[relation] for e in elements if relation in e.values}

        def is_forbidden(owner: str, value: Value, owned: Mapping[str, Value] = owned) -> bool:
            return value.text == owned[owner].text

        for entity_id, value in deranged(owned, is_forbidden, (seed, "element", relation)).items():
            values[entity_id][relation] = value
    return [replace(element, values=values[element.entity.entity_id], prose=()) for element in elements]
