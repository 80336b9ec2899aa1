"""Countries: the World Factbook's fields as values and prose, joined with the table of countries of GeoNames."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from sojourn.envs.search.atlas import values
from sojourn.envs.search.atlas.markup import plain, sentence, slug
from sojourn.envs.search.atlas.names import EXTRA_NAMES, SHORT_NAMES, NameTable, other_names, spellings, with_article
from sojourn.envs.search.atlas.packages import SOURCES, data_file, data_files
from sojourn.envs.search.atlas.world import Country, Prose, Share, Value
from sojourn.envs.search.records import Entity
from sojourn.errors import DataError

Tree = Mapping[str, Any]

GONE: Final = frozenset({"AN", "CS"})
"""Countries that GeoNames lists although they are no more."""
JOINED: Final = {"um": "UM", "we": ""}
"""Code of the factbook -> code of GeoNames, where the table of GeoNames has none, or one for more: PS is also Gaza."""
NO_COUNTRY: Final = "xx"
"""The factbook's chapter on the world."""

FIELDS: Final[Mapping[str, tuple[str, Callable[[str], Value | None]]]] = {
    "capital": ("Government/Capital/name", values.capital),
    "highest_point": ("Geography/Elevation/highest point", values.highest_point),
    "anthem": ("Government/National anthem(s)/title", values.anthem),
    "aircraft_prefix": ("Transportation/Civil aircraft registration country code prefix", values.aircraft_prefix),
    "legislature": ("Government/Legislative branch/legislature name", values.legislature),
    "demonym": ("People and Society/Nationality/adjective", values.demonym),
    "top_export": ("Economy/Exports - commodities", values.first_good),
    "top_import": ("Economy/Imports - commodities", values.first_good),
}
"""Relation -> its field in the factbook and how that is read."""

RENDERED: Final[Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]]] = {
    "Country name": ((), ()),
    "Capital": (("capital",), ("name",)),
    "Elevation": (("highest_point",), ("highest point",)),
    "National anthem(s)": (("anthem",), ("title",)),
    "Legislative branch": (("legislature",), ("legislature name",)),
    "Nationality": (("demonym",), ("adjective",)),
    "Independence": (("independence_date",), ("",)),
    "Internet country code": (("internet_code",), ("",)),
    "Civil aircraft registration country code prefix": (("aircraft_prefix",), ("",)),
    "Exports - commodities": (("top_export",), ()),
    "Imports - commodities": (("top_import",), ()),
    "Exports - partners": (("export_partners",), ("",)),
    "Imports - partners": (("import_partners",), ("",)),
    "Land boundaries": (("borders",), ("border countries",)),
}
"""Topic -> the values that are put into sentences there, and the fields that the sentences replace.

Where a country lacks the value, the topic stays as the source has it.
"""


def text_at(tree: Tree, path: str) -> str:
    """The plain text of the field at `path` such as ``Government/Capital/name``; empty if there is none."""
    node: Any = tree
    for key in path.split("/"):
        node = node.get(key) if isinstance(node, dict) else None
    if isinstance(node, dict):
        node = node.get("text")
    return plain(node) if isinstance(node, str) else ""


def fields_of(topic: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """Names and plain texts of all fields under a topic, in the order of the source."""
    if isinstance(topic, str):
        yield name, plain(topic)
    elif isinstance(topic, dict):
        for key, inner in topic.items():
            label = name if key in ("text", "note") else ": ".join(part for part in (name, key.strip()) if part)
            yield from fields_of(inner, label)


def prose_of(fields: Iterator[tuple[str, str]]) -> str:
    """Fields as running text, each with its name: ``total: 3,956 km.``"""
    said = []
    for name, text in fields:
        if text and text not in said:
            label = name.split(": ")[-1]
            says_so = text.lower().startswith(label.lower()) or label == ""
            said.append(sentence(text if says_so else f"{label}: {text}"))
    return " ".join(said)


def _read(path: Path) -> Tree:
    try:
        tree = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"{path} of the atlas's packages cannot be read: {error}") from error
    if not isinstance(tree, dict):
        raise DataError(f"{path}: expected a JSON object, got {type(tree).__name__}")
    return tree


def _name(code: str, tree: Tree, geo: Tree) -> str:
    short = text_at(tree, "Government/Country name/conventional short form")
    long = text_at(tree, "Government/Country name/conventional long form")
    return SHORT_NAMES.get(code) or (short if short not in ("", "none") else long) or str(geo.get("name", "")).strip()


def _long_name(tree: Tree) -> str:
    text = text_at(tree, "Government/Country name/conventional long form").split(";")[0].split(" (prior")[0]
    return "" if text == "none" else text


def _local_names(tree: Tree) -> Iterator[str]:
    for field in ("local short form", "local long form"):
        text = text_at(tree, f"Government/Country name/{field}")
        yield from re.split(r"/| or ", re.sub(r"\s*\(.*?\)", "", text.split(";")[0]))


def _country(code: str, tree: Tree, geo: Tree) -> Country:
    name = _name(code, tree, geo)
    codes = tuple(text for text in (geo.get("iso", ""), geo.get("iso3", "")) if text)
    candidates = [_long_name(tree), *spellings(name), *EXTRA_NAMES.get(code, ()), geo.get("name", "")]
    candidates += [*_local_names(tree), *codes[1:]]  # two letters would make an answer of "no" (Norway) or "in"
    return Country(
        entity=Entity(
            entity_id=f"country/{(geo.get('iso') or f'fb-{code}').lower()}",
            kind="country",
            name=name,
            aliases=other_names(name, [text.strip() for text in candidates]),
        ),
        with_article=with_article(name),
        codes=codes,
        long_name=_long_name(tree),
        former_names=values.former_names(text_at(tree, "Government/Country name/former")),
        area_km2=values.number(text_at(tree, "Geography/Area/total ")) or geo.get("areakm2"),
        population=int(values.number(text_at(tree, "People and Society/Population/total")) or 0)
        or geo.get("population"),
    )


def _set_values(country: Country, tree: Tree, geo: Tree) -> None:
    found: dict[str, Value | None] = {
        relation: read(text_at(tree, path)) for relation, (path, read) in FIELDS.items() if text_at(tree, path)
    }
    code = geo.get("currencycode") or ""
    found["currency"] = values.currency(text_at(tree, "Economy/Exchange rates/Currency"), code)
    found["currency_code"] = Value(text=code) if code else None
    found["internet_code"] = values.internet_code(
        text_at(tree, "Communications/Internet country code"), geo.get("tld") or ""
    )
    phone = str(geo.get("phone") or "").lstrip("+")
    found["calling_code"] = Value(text=f"+{phone}", aliases=(phone,)) if phone.isdigit() else None
    former = country.former_names
    found["former_name"] = Value(text=former[0]) if len(former) == 1 else None
    country.values = {relation: value for relation, value in found.items() if value is not None}


def _set_relations(country: Country, tree: Tree, table: NameTable, names: Mapping[str, str]) -> None:
    day, from_whom = values.independence(text_at(tree, "Government/Independence"))
    if day is not None:
        country.values["independence_date"] = day
        owner = table.find(from_whom) if from_whom else None
        if owner is not None:
            country.values["independent_from"] = Value(text=names[owner], target=owner)
    partners = []
    for direction in ("Exports", "Imports"):
        listed, year = values.shares(text_at(tree, f"Economy/{direction} - partners"))
        country.trade_year = country.trade_year or year
        found = [Share(country=table.find(name) or "", amount=amount) for name, amount in listed]
        partners.append(tuple(found) if found and all(share.country for share in found) else ())
    country.export_partners, country.import_partners = partners
    lengths = values.borders(text_at(tree, "Geography/Land boundaries/border countries"))
    found = [Share(country=table.find(name) or "", amount=km) for name, km in lengths or ()]
    country.borders = tuple(found) if found and all(share.country for share in found) else ()


def _has(country: Country, relations: tuple[str, ...]) -> bool:
    return all(relation in country.values or getattr(country, relation, None) for relation in relations)


def _set_prose(country: Country, tree: Tree) -> None:
    seen = set()
    for topics in tree.values():
        for topic, node in topics.items() if isinstance(topics, dict) else ():
            relations, replaced = RENDERED.get(topic, ((), ()))
            is_rendered = topic in RENDERED and _has(country, relations)
            text = prose_of((n, t) for n, t in fields_of(node) if not is_rendered or n not in replaced)
            if not text or (topic, text) in seen:
                continue  # two sections share some topics
            seen.add((topic, text))
            if is_rendered:
                country.remarks.setdefault(topic, text)
            else:
                country.prose.append(Prose(topic=topic, text=text))


def read_countries() -> dict[str, Country]:
    """Countries, territories and unions of the factbook and of GeoNames, by id, in the order of the ids.

    Raises `MissingDependencyError` without the packages, `DataError` for files that are not what they were.
    """
    sources: dict[str, tuple[Tree, Tree]] = {}
    countries: dict[str, Country] = {}
    for code, tree, row in _rows():
        country = _country(code, tree, row)
        countries[country.entity.entity_id] = country
        sources[country.entity.entity_id] = (tree, row)
    table = NameTable((i, (c.entity.name, *c.entity.aliases, c.long_name)) for i, c in countries.items())
    for entity_id, country in countries.items():  # a name that another country has too is no answer
        own = tuple(name for name in country.entity.aliases if table.find(name) == entity_id)
        country.entity = replace(country.entity, aliases=own)
    names = {entity_id: country.entity.name for entity_id, country in countries.items()}
    for entity_id, (tree, row) in sources.items():
        _set_values(countries[entity_id], tree, row)
        _set_relations(countries[entity_id], tree, table, names)
        _set_prose(countries[entity_id], tree)
    return dict(sorted(countries.items()))


def _rows() -> Iterator[tuple[str, Tree, Tree]]:
    """Code and chapter of the factbook with the row of GeoNames; either may be missing, and is empty then."""
    geo = _read(data_file(SOURCES["geonames"].package, "/data/countries.json"))
    left = {iso: row for iso, row in geo.items() if iso not in GONE}
    by_fips = {row["fips"].lower(): iso for iso, row in left.items() if row["fips"]} | JOINED
    for path in data_files(SOURCES["factbook"].package, ".json"):
        if path.stem != NO_COUNTRY:
            yield path.stem, _read(path), left.pop(by_fips.get(path.stem, ""), {})
    for row in left.values():
        yield "", {}, row


def world_prose() -> list[Prose]:
    """What the factbook says of the world as a whole."""
    for path in data_files(SOURCES["factbook"].package, f"/{NO_COUNTRY}.json"):
        world = Country(entity=Entity(entity_id="world", kind="world", name="World"), with_article="the world")
        _set_prose(world, _read(path))
        return world.prose + [Prose(topic=topic, text=text) for topic, text in world.remarks.items()]
    return []


def country_slug(country: Country) -> str:
    """What stands for a country in the ids of passages."""
    return slug(country.entity.entity_id.removeprefix("country/"))
