"""Articles about towns and the places, clubs and festivals in them; what the map says, they say too."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from sojourn.envs.web.sites.data.land import COUNTRY
from sojourn.envs.web.sites.wiki.draft import MONTHS, Draft, bullets, link, number
from sojourn.envs.web.sites.wiki.nature import river_title

WITH_ARTICLE = ("museum", "university", "theatre", "library", "stadium", "station", "park", "hospital")
"""The categories of places that have an article each."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TownNews:
    """What an article about a town says beyond the map."""

    mayor: str
    club: str
    festival: str
    partner: str
    sights: Sequence[str]


def town(rng: Random, row: sqlite3.Row, news: TownNews) -> Draft:
    """The article about a town; `row` is the map's."""
    name, river = row["name"], river_title(row["river"])
    facts = (
        ("Country", link(COUNTRY)),
        ("Region", link(row["region"])),
        ("Population", number(row["population"])),
        ("Founded", str(row["founded"])),
        ("Mayor", link(news.mayor)),
        ("River", link(river)),
        ("Elevation", f"{row['elevation']} m"),
        ("Postcode", row["postcode"]),
        ("Partner town", link(news.partner)),
        ("Football club", link(news.club)),
    )
    lead = (
        f"'''{name}''' is a town of {number(row['population'])} people in {link(row['region'])} on the {link(river)}."
    )
    trade = rng.choice(("salt", "cloth", "glass", "timber", "paper", "copper", "wool", "barley"))
    history = (
        f"{name} was founded in {row['founded']} and grew through the trade in {trade}."
        f" The town walls were taken down in {rng.randint(1795, 1880)}."
        f" The first train came in {rng.randint(1838, 1899)}."
    )
    economy = (
        f"The largest employers are {rng.choice(('the hospital', 'the university', 'a shipyard', 'a paper mill'))} and"
        f" {rng.choice(('a brewery', 'a maker of clocks', 'an insurer', 'a publisher'))}."
    )
    culture = f"The {link(news.festival)} is held here every year. Among the sights are:\n{bullets(news.sights)}"
    return Draft(
        title=name,
        facts=facts,
        lead=lead,
        sections=(("History", history), ("Economy", economy), ("Culture", culture)),
        categories=(f"Towns of {COUNTRY}", f"Towns in {row['region']}"),
    )


def _numbers(rng: Random, category: str, architect: str) -> tuple[tuple[str, str], ...]:
    """The facts that only one category has."""
    year = ("Opened", str(rng.randint(1846, 2004)))
    if category == "museum":
        objects = ("Objects", number(rng.randint(12, 900) * 100))
        return (
            ("Opened", str(rng.randint(1820, 1998))),
            objects,
            ("Visitors a year", number(rng.randint(90, 6_000) * 100)),
        )
    if category == "university":
        return ("Founded", str(rng.randint(1410, 1899))), ("Students", number(rng.randint(2_100, 38_000)))
    if category == "theatre":
        return year, ("Seats", number(rng.randint(24, 190) * 10)), ("Architect", link(architect))
    if category == "library":
        return year, ("Volumes", number(rng.randint(40, 1_900) * 1_000)), ("Architect", link(architect))
    if category == "stadium":
        return year, ("Capacity", number(rng.randint(40, 580) * 100))
    if category == "station":
        return year, ("Platforms", str(rng.randint(2, 18))), ("Passengers a day", number(rng.randint(12, 980) * 100))
    if category == "park":
        return year, ("Area", f"{rng.randint(3, 210)} ha")
    return year, ("Beds", number(rng.randint(12, 140) * 10))


_ABOUT: dict[str, tuple[str, ...]] = {
    "museum": (
        "The oldest part of the collection was left by a wine merchant.",
        "A new wing was added for its centenary.",
    ),
    "university": ("The faculty of medicine is the largest.", "Its library is open to everyone in town."),
    "theatre": (
        "The house burnt down once and was rebuilt within two years.",
        "The company plays eight pieces a season.",
    ),
    "library": ("The reading room is known for its painted ceiling.", "Its newspapers go back two hundred years."),
    "stadium": ("The west stand was rebuilt after a storm.", "Concerts are held there in summer."),
    "station": ("The hall is a listed building.", "Trams stop in front of the main entrance."),
    "park": ("Its oldest oak is said to be four hundred years old.", "A brass band plays there on Sundays."),
    "hospital": ("It trains nurses for the whole region.", "The old wards are now a nursing school."),
}


def place(rng: Random, row: sqlite3.Row, architect: str, club: str) -> Draft:
    """The article about a place of the map; `row` joins the place and its town."""
    name, category, town_name = row["name"], row["category"], row["city"]
    facts = [("Location", link(town_name)), ("Address", f"{row['house']} {row['street']}")]
    facts += _numbers(rng, category, architect)
    if row["named_after"]:
        facts.append(("Named after", link(row["named_after"])))
    if category == "stadium":
        facts.append(("Home of", link(club)))
    lead = f"'''{name}''' is a {category} in {link(town_name)} at {row['house']} {row['street']}."
    body = f"{rng.choice(_ABOUT[category])} It was last renovated in {rng.randint(2005, 2023)}."
    plural = {"university": "universities", "library": "libraries"}.get(category, f"{category}s").capitalize()
    return Draft(
        title=name,
        facts=tuple(facts),
        lead=lead,
        sections=(("History", body),),
        categories=(f"{plural} in {COUNTRY}", f"Buildings and places in {town_name}"),
    )


def club(rng: Random, title: str, town_name: str, ground: str | None, player: str) -> Draft:
    """The article about a town's football club."""
    founded, titles = rng.randint(1878, 1931), rng.randint(0, 14)
    colours = rng.choice(("red and white", "blue and white", "green", "black and yellow", "claret", "sky blue"))
    facts = [("Town", link(town_name)), ("Founded", str(founded)), ("Colours", colours), ("League titles", str(titles))]
    if ground:
        facts.append(("Ground", link(ground)))
    facts.append(("Captain", player))
    lead = f"'''{title}''' is a football club from {link(town_name)}, founded in {founded}."
    body = f"The club has won the league {titles} times. It plays in {colours}. Its captain is {player}."
    return Draft(
        title=title, facts=tuple(facts), lead=lead, sections=(("Honours", body),), categories=("Football clubs",)
    )


def festival(rng: Random, title: str, town_name: str) -> Draft:
    """The article about a town's festival."""
    month, first, visitors = rng.choice(MONTHS), rng.randint(1921, 1999), number(rng.randint(20, 1_400) * 100)
    facts = (("Town", link(town_name)), ("Month", month), ("First held", str(first)), ("Visitors", visitors))
    lead = f"The '''{title}''' is a festival held in {link(town_name)} every {month} since {first}."
    body = f"About {visitors} people come each year, most of them from the neighbouring towns."
    return Draft(title=title, facts=facts, lead=lead, sections=(("Visitors", body),), categories=("Festivals",))


def battle(rng: Random, title: str, town_name: str, victor: str, loser: str) -> Draft:
    """The article about a battle near a town."""
    year = rng.randint(1410, 1710)
    facts = (
        ("Date", f"{rng.randint(1, 28)} {rng.choice(MONTHS)} {year}"),
        ("Place", f"near {link(town_name)}"),
        ("Victor", link(victor)),
        ("Opponent", link(loser)),
    )
    lead = f"The '''{title}''' was fought near {link(town_name)} in {year} between {link(victor)} and {link(loser)}."
    body = f"The army of {link(victor)} crossed the river at night and won before noon."
    return Draft(title=title, facts=facts, lead=lead, sections=(("The day", body),), categories=("Battles",))
