"""What the wiki holds: articles about the map's towns and places, about people, and how they came to be."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random

from sojourn.envs.web.sites.data.dates import seconds_ago
from sojourn.envs.web.sites.data.land import MOUNTAINS, REGIONS, RIVERS
from sojourn.envs.web.sites.data.names import full_names
from sojourn.envs.web.sites.wiki import nature, people, places
from sojourn.envs.web.sites.wiki.draft import Draft
from sojourn.envs.web.sites.wiki.store import save

NUM_PEOPLE = 96
"""Persons of note beside mayors; those whom places honour are among them."""
_EDITORS = (
    "Inkwell",
    "Fernleaf",
    "OldMapper",
    "Quillon",
    "Brassbound",
    "Marginalia",
    "NightOwl12",
    "Tessera",
    "Pagefold",
)
_FAIRS = ("Lantern Festival", "Harvest Fair", "Jazz Week", "Book Fair", "Kite Festival", "Winter Market", "Cheese Fair")


@dataclass(kw_only=True, slots=True)
class _Cast:
    """Who and what is there to be linked."""

    towns: list[sqlite3.Row]
    places: list[sqlite3.Row]
    clubs: dict[str, str]
    """Town -> its football club."""
    festivals: dict[str, str]
    mayors: dict[str, str]
    persons: dict[str, str]
    """Name -> occupation."""
    fresh: Iterator[str]
    """Names that nobody has yet."""
    heights: dict[str, int] = field(default_factory=dict)

    def named(self, occupation: str) -> list[str]:
        """Persons of an occupation."""
        return [name for name, work in self.persons.items() if work == occupation]

    def of_category(self, category: str) -> list[str]:
        """Names of the places of a category."""
        return [row["name"] for row in self.places if row["category"] == category]


def generate(db: sqlite3.Connection, rng: Random) -> None:
    """Fill the wiki's tables from the map's."""
    cast = _make_cast(db, rng)
    drafts = [*_nature(rng, cast), *_towns(rng, cast), *_places(rng, cast), *_people(rng, cast)]
    for draft in sorted(drafts, key=lambda draft: draft.title):
        _write(db, rng, draft)


def _make_cast(db: sqlite3.Connection, rng: Random) -> _Cast:
    towns = db.execute("SELECT * FROM map_city ORDER BY id").fetchall()
    marks = ",".join("?" * len(places.WITH_ARTICLE))
    found = db.execute(
        "SELECT p.*, c.name AS city FROM map_place p JOIN map_city c ON c.id = p.city_id"
        f" WHERE p.category IN ({marks}) ORDER BY p.id",
        places.WITH_ARTICLE,
    ).fetchall()
    honoured = [row["named_after"] for row in found if row["named_after"]]
    fresh = full_names(rng, set(honoured))
    names = [*honoured, *(next(fresh) for _ in range(NUM_PEOPLE - len(honoured)))]
    occupations = [people.OCCUPATIONS[index % len(people.OCCUPATIONS)] for index in range(len(names))]
    endings = ("United", "Rovers", "Athletic", "Wanderers")
    return _Cast(
        towns=towns,
        places=found,
        clubs={row["name"]: f"{row['name']} {rng.choice(endings)}" for row in towns},
        festivals={row["name"]: f"{row['name']} {rng.choice(_FAIRS)}" for row in towns},
        mayors={row["name"]: next(fresh) for row in towns},
        persons=dict(zip(names, occupations, strict=True)),
        fresh=fresh,
    )


def _nature(rng: Random, cast: _Cast) -> Iterator[Draft]:
    yield nature.country(cast.towns)
    peaks = [peak for region in REGIONS for peak in MOUNTAINS[region]]
    heights = rng.sample(range(310, 2_900), len(peaks))
    for region in REGIONS:
        towns = [town for town in cast.towns if town["region"] == region]
        yield nature.region(rng, region, towns)
        yield nature.lake(rng, region)
        for river in RIVERS[region]:
            yield nature.river(rng, river, region, [town for town in towns if town["river"] == river])
        for peak in MOUNTAINS[region]:
            yield nature.mountain(rng, peak, region, heights[peaks.index(peak)], rng.choice(cast.named("explorer")))


def _towns(rng: Random, cast: _Cast) -> Iterator[Draft]:
    names = [town["name"] for town in cast.towns]
    grounds = {row["city"]: row["name"] for row in cast.places if row["category"] == "stadium"}
    for town in cast.towns:
        name = town["name"]
        sights = [row["name"] for row in cast.places if row["city"] == name and row["category"] in ("museum", "park")]
        news = places.TownNews(
            mayor=cast.mayors[name],
            club=cast.clubs[name],
            festival=cast.festivals[name],
            partner=rng.choice([other for other in names if other != name]),
            sights=sights,
        )
        yield places.town(rng, town, news)
        yield places.club(rng, cast.clubs[name], name, grounds.get(name), next(cast.fresh))
        yield places.festival(rng, cast.festivals[name], name)
    for name in rng.sample(names, 6):
        victor, loser = rng.sample(REGIONS, 2)
        yield places.battle(rng, f"Battle of {name}", name, victor, loser)


def _places(rng: Random, cast: _Cast) -> Iterator[Draft]:
    for row in cast.places:
        yield places.place(rng, row, rng.choice(cast.named("architect")), cast.clubs[row["city"]])


def _people(rng: Random, cast: _Cast) -> Iterator[Draft]:
    towns = [town["name"] for town in cast.towns]
    universities, clubs = cast.of_category("university"), list(cast.clubs.values())
    honours = {row["named_after"]: row["name"] for row in cast.places if row["named_after"]}
    taken: set[str] = set()
    for name, occupation in cast.persons.items():
        yield people.person(
            rng,
            name,
            occupation=occupation,
            towns=towns,
            universities=universities,
            clubs=clubs,
            taken=taken,
            honoured_by=honours.get(name),
        )
    for town, name in cast.mayors.items():
        yield people.mayor(rng, name, town=town, towns=towns, universities=universities)


def _write(db: sqlite3.Connection, rng: Random, draft: Draft) -> None:
    """Save an article; some were shorter before, some had a figure wrong."""
    history: list[tuple[Draft, str]] = []
    if len(draft.sections) > 1 and rng.random() < 0.4:
        history.append((draft.with_sections(1), "Created the article"))
    counted = [name for name, value in draft.facts if value.replace(",", "").isdigit()]
    if counted and rng.random() < 0.3:
        name = rng.choice(counted)
        value = int(draft.fact(name).replace(",", ""))
        wrong = value + rng.randint(1, max(1, value // 50))
        shown = f"{wrong:,}" if "," in draft.fact(name) else str(wrong)
        history.append((draft.with_fact(name, shown), "Created the article" if not history else "Added sections"))
        history.append((draft, f"Corrected {name}"))
    elif history:
        history.append((draft, "Added sections"))
    else:
        history.append((draft, "Created the article"))
    stamps = sorted(rng.sample(range(86_400, 900 * 86_400), len(history)), reverse=True)
    for (version, summary), ago in zip(history, stamps, strict=True):
        author, created = rng.choice(_EDITORS), seconds_ago(ago)
        save(db, draft.title, author=author, created=created, summary=summary, text=version.text)
