"""Cities, airports and elements in words; see `render` for countries."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from sojourn.envs.search.atlas.facts import FactCollector
from sojourn.envs.search.atlas.markup import sentence, slug
from sojourn.envs.search.atlas.render import cut
from sojourn.envs.search.atlas.world import Airport, City, Element, Value, World
from sojourn.envs.search.records import Entity, Passage


def _add(facts: FactCollector, subject: str, passage_id: str, stated: Mapping[str, Value]) -> None:
    for relation, value in stated.items():
        facts.state(subject, relation, value, passage_id)


def airport_passages(world: World, facts: FactCollector) -> Iterator[Passage]:
    """One passage an airport; facts about those that have an IATA code."""
    for airport in world.airports:
        yield _airport(airport, world, facts)


def _airport(airport: Airport, world: World, facts: FactCollector) -> Passage:
    passage_id, country = f"airports/{airport.icao}", world.countries[airport.country]
    parts = [part for part in (airport.city, airport.division, country.with_article) if part]
    said = [f"{airport.name} is an airport in {', '.join(dict.fromkeys(parts))}."]
    if airport.iata:
        said.append(f"The airport with the IATA code {airport.iata} is {airport.name}.")
        entity = Entity(entity_id=f"airport/{airport.icao.lower()}", kind="airport", name=airport.name)
        facts.add_entity(entity)
        stated = {
            "iata_code": Value(text=airport.iata),
            "icao_code": Value(text=airport.icao),
            "country": Value(text=country.entity.name, target=airport.country),
        }
        if airport.city:
            target = airport.city_id if airport.city_id in facts.entities else None
            stated["city"] = Value(text=airport.city, target=target)
        _add(facts, entity.entity_id, passage_id, stated)
    said.append(f"Its ICAO code is {airport.icao}.")
    if airport.place:
        said.append(f"It lies {airport.place}.")
    return Passage(passage_id=passage_id, title=airport.name, text=" ".join(said))


def city_passages(world: World, facts: FactCollector) -> Iterator[Passage]:
    """One passage a city; facts about those that are entities."""
    for city in world.cities:
        yield _city(city, world, facts)


def _city(city: City, world: World, facts: FactCollector) -> Passage:
    passage_id, country = f"geonames/{city.geoname_id}", world.countries[city.country]
    kind = "city" if city.population >= 100_000 else "town" if city.population >= 5_000 else "place"
    said = [f"{city.name} is a {kind} in {country.with_article}."]
    if city.population:
        said.append(f"It has {city.population:,} inhabitants.")
    if city.place:
        said.append(f"It lies {city.place}.")
    if city.other_names:
        said.append(f"Other names: {', '.join(city.other_names)}.")
    if city.entity is not None:
        facts.add_entity(city.entity)
        home = Value(text=country.entity.name, target=city.country)
        _add(facts, city.entity.entity_id, passage_id, {"country": home})
    return Passage(passage_id=passage_id, title=f"{city.name} ({country.entity.name})", text=" ".join(said))


def element_passages(world: World, facts: FactCollector) -> Iterator[Passage]:
    """Identity, discovery and name of every element, then what the source says of it."""
    for element in world.elements:
        facts.add_entity(element.entity)
        yield from _element(element, world, facts)


def _element(element: Element, world: World, facts: FactCollector) -> Iterator[Passage]:
    name, values, base = element.entity.name, element.values, f"elements/{slug(element.entity.name)}"
    prose = {prose.topic: prose.text for prose in element.prose}
    symbol, number = values["symbol"], values["atomic_number"]
    text = f"{name} is the chemical element with the symbol {symbol.text} and the atomic number {number.text}."
    yield from _stated(
        element, facts, f"{base}/element", f"{name}: chemical element", text, ("symbol", "atomic_number")
    )
    said = [f"{name} was discovered by {values['discoverer'].text}."] if "discoverer" in values else []
    if "discovery_year" in values:
        said.append(f"The year of the discovery of {name} is {values['discovery_year'].text}.")
    if "discovery_place" in values:
        country = world.countries[values["discovery_place"].target or ""]
        said.append(f"The country in which {name} was discovered is {country.with_article}.")
    if said:
        relations = ("discoverer", "discovery_year", "discovery_place")
        yield from _stated(element, facts, f"{base}/discovery", f"{name}: discovery", " ".join(said), relations)
    told = prose.pop("origin of the name", "")
    said = [f"The element {name} is named after {values['named_after'].text}."] if "named_after" in values else []
    said += [sentence(told)] if told else []
    if said:
        title = f"{name}: origin of the name"
        yield from _stated(element, facts, f"{base}/name", title, " ".join(said), ("named_after",))
    for topic, told in prose.items():
        yield from cut(f"{base}/text-{slug(topic)}", f"{name}: {topic}", told)


def _stated(
    element: Element, facts: FactCollector, passage_id: str, title: str, text: str, relations: tuple[str, ...]
) -> Iterator[Passage]:
    stated = {relation: element.values[relation] for relation in relations if relation in element.values}
    _add(facts, element.entity.entity_id, passage_id, stated)
    yield from cut(passage_id, title, text)


def world_passages(world: World) -> Iterator[Passage]:
    """What the factbook says of the world as a whole."""
    for part in world.prose:
        yield from cut(f"factbook/world/text-{slug(part.topic)}", f"World: {part.topic}", part.text)
