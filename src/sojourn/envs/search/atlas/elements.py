"""The chemical elements, out of mendeleev's database file: the package itself is not imported."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from typing import Any, Final

from sojourn.envs.search.atlas.markup import plain, sentence, slug
from sojourn.envs.search.atlas.names import NameTable, other_names
from sojourn.envs.search.atlas.packages import SOURCES, data_file
from sojourn.envs.search.atlas.world import Country, Element, Prose, Value
from sojourn.envs.search.records import Entity
from sojourn.errors import DataError

NAMES: Final[Mapping[str, tuple[str, ...]]] = {
    "Aluminum": ("Aluminium",),
    "Cesium": ("Caesium",),
    "Sulfur": ("Sulphur",),
}
PROSE: Final[Mapping[str, str]] = {
    "description": "description",
    "sources": "sources",
    "uses": "uses",
    "name_origin": "origin of the name",
}
"""Column -> topic."""
_TITLE = re.compile(r"^(?:Sir|Lord|Dr\.?)\s+")
_QUERY = "SELECT * FROM elements ORDER BY atomic_number"


def _discoverer(text: str) -> Value | None:
    name = _TITLE.sub("", text.strip())
    if not re.fullmatch(r"[A-Z][^,;/&]+", name) or re.search(r"\b(?:and|et al|Known|of|for)\b", name):
        return None
    return Value(text=name, aliases=other_names(name, [text.strip()]))


def _named_after(text: str) -> Value | None:
    match = re.match(
        r"Named (?:in honor of|for|after)(?: the)?(?: (?:scientist|physicist|astronomer|planet|asteroid|continent of"
        r"|country of|state of|city of|mineral|Greek god,))? ([A-Z][\w.]*(?: [A-Z][\w.]*)*)\.?$",
        text.strip(),
    )
    return Value(text=match[1].rstrip(".")) if match else None


def _values(row: Mapping[str, Any], table: NameTable, names: Mapping[str, str]) -> dict[str, Value]:
    found: dict[str, Value | None] = {
        "symbol": Value(text=row["symbol"]),
        "atomic_number": Value(text=str(row["atomic_number"])),
        "discoverer": _discoverer(row["discoverers"] or ""),
        "discovery_year": Value(text=str(row["discovery_year"])) if row["discovery_year"] else None,
        "named_after": _named_after(row["name_origin"] or ""),
    }
    place = table.find(row["discovery_location"] or "")
    found["discovery_place"] = Value(text=names[place], target=place) if place else None
    return {relation: value for relation, value in found.items() if value is not None}


def _numbers(row: Mapping[str, Any]) -> str:
    told = {
        "atomic weight": ("atomic_weight", ""),
        "density": ("density", " g/cm3"),
        "electronic configuration": ("electronic_configuration", ""),
        "electronegativity on the Pauling scale": ("en_pauling", ""),
        "specific heat capacity": ("specific_heat_capacity", " J/(g K)"),
        "thermal conductivity": ("thermal_conductivity", " W/(m K)"),
        "abundance in the crust": ("abundance_crust", " mg/kg"),
    }
    parts = [f"{name}: {row[column]}{unit}" for name, (column, unit) in told.items() if row[column] is not None]
    return "; ".join(parts)


def read_elements(countries: Mapping[str, Country]) -> list[Element]:
    """All elements by atomic number. Raises `DataError` for a database that is not mendeleev's."""
    path = data_file(SOURCES["elements"].package, "/elements.db")
    table = NameTable((i, (country.entity.name, *country.entity.aliases)) for i, country in countries.items())
    names = {entity_id: country.entity.name for entity_id, country in countries.items()}
    try:
        with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro&immutable=1", uri=True)) as database:
            database.row_factory = sqlite3.Row
            rows = [dict(row) for row in database.execute(_QUERY)]
            return [_element(row, _values(row, table, names)) for row in rows]
    except (sqlite3.Error, KeyError) as error:
        raise DataError(f"{path} is not the elements database of mendeleev: {error}") from error


def _element(row: Mapping[str, Any], values: dict[str, Value]) -> Element:
    prose = [Prose(topic=topic, text=sentence(plain(row[column]))) for column, topic in PROSE.items() if row[column]]
    prose.append(Prose(topic="properties", text=sentence(_numbers(row))))
    name = row["name"]
    entity = Entity(entity_id=f"element/{slug(name)}", kind="element", name=name, aliases=NAMES.get(name, ()))
    return Element(entity=entity, values=values, prose=tuple(prose))
