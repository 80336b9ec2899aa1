"""Articles about the country, its regions, rivers, lakes and mountains."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from random import Random

from sojourn.envs.web.sites.data.land import COUNTRY, LAKES, MOUNTAINS, REGIONS, RIVERS
from sojourn.envs.web.sites.wiki.draft import Draft, bullets, link, listed, number


def country(towns: Sequence[sqlite3.Row]) -> Draft:
    """The article about the country."""
    largest = max(towns, key=lambda town: town["population"])["name"]
    facts = (
        ("Largest town", link(largest)),
        ("Regions", str(len(REGIONS))),
        ("Town population", number(sum(town["population"] for town in towns))),
        ("Currency", "crown"),
    )
    lead = f"'''{COUNTRY}''' is a country of {len(REGIONS)} regions: {listed(REGIONS)}."
    body = f"{COUNTRY} has {len(towns)} towns:\n{bullets(sorted(town['name'] for town in towns))}"
    return Draft(title=COUNTRY, facts=facts, lead=lead, sections=(("Towns", body),), categories=("Countries",))


def region(rng: Random, name: str, towns: Sequence[sqlite3.Row]) -> Draft:
    """The article about a region; `towns` are those in it."""
    seat = rng.choice(towns)["name"]
    facts = (
        ("Country", link(COUNTRY)),
        ("Seat", link(seat)),
        ("Towns", str(len(towns))),
        ("Town population", number(sum(town["population"] for town in towns))),
        ("Largest lake", link(LAKES[name])),
        ("Area", f"{number(rng.randint(2_100, 6_900))} km2"),
    )
    lead = f"'''{name}''' is one of the {len(REGIONS)} regions of {link(COUNTRY)}. Its seat is {link(seat)}."
    sections = (
        ("Geography", f"The rivers {listed([river_title(river) for river in RIVERS[name]])} cross the region."),
        ("Mountains", bullets(MOUNTAINS[name])),
        ("Towns", bullets([town["name"] for town in towns])),
    )
    return Draft(title=name, facts=facts, lead=lead, sections=sections, categories=(f"Regions of {COUNTRY}",))


def river_title(river: str) -> str:
    """The title of the article about a river: ``River Aune``."""
    return f"River {river}"


def river(rng: Random, name: str, region_name: str, towns: Sequence[sqlite3.Row]) -> Draft:
    """The article about a river; `towns` are those on it."""
    source = rng.choice(MOUNTAINS[region_name])
    length = rng.randint(64, 311)
    facts = (
        ("Region", link(region_name)),
        ("Length", f"{length} km"),
        ("Source", link(source)),
        ("Mouth", link(LAKES[region_name])),
        ("Mean discharge", f"{rng.randint(9, 240)} m3/s"),
    )
    title = river_title(name)
    lead = f"The '''{title}''' is a river of {length} km in {link(region_name)}."
    names = [town["name"] for town in towns]
    course = f"It rises at {link(source)}, passes {listed(names)} and ends in {link(LAKES[region_name])}."
    return Draft(
        title=title, facts=facts, lead=lead, sections=(("Course", course),), categories=(f"Rivers of {COUNTRY}",)
    )


def lake(rng: Random, region_name: str) -> Draft:
    """The article about a region's lake."""
    title = LAKES[region_name]
    facts = (
        ("Region", link(region_name)),
        ("Area", f"{rng.randint(11, 140)} km2"),
        ("Greatest depth", f"{rng.randint(18, 212)} m"),
        ("Inflow", listed([river_title(name) for name in RIVERS[region_name]])),
    )
    lead = f"'''{title}''' is the largest lake of {link(region_name)}."
    body = f"Ferries have crossed the lake since {rng.randint(1830, 1910)}."
    return Draft(
        title=title, facts=facts, lead=lead, sections=(("Traffic", body),), categories=(f"Lakes of {COUNTRY}",)
    )


def mountain(rng: Random, title: str, region_name: str, height: int, climber: str) -> Draft:
    """The article about a mountain of `height` metres, first climbed by `climber`."""
    year = rng.randint(1786, 1899)
    facts = (
        ("Region", link(region_name)),
        ("Height", f"{number(height)} m"),
        ("First ascent", str(year)),
        ("First climbed by", link(climber)),
    )
    lead = f"'''{title}''' is a mountain of {number(height)} m in {link(region_name)}."
    body = f"{link(climber)} is said to have been the first on the summit, in {year}."
    return Draft(
        title=title, facts=facts, lead=lead, sections=(("Ascents", body),), categories=(f"Mountains of {COUNTRY}",)
    )
