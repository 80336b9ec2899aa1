"""Articles about people: those whom places honour, mayors, and other persons of note."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from sojourn.envs.web.sites.data.land import COUNTRY
from sojourn.envs.web.sites.wiki.draft import MONTHS, Draft, link

_WORKS: dict[str, tuple[str, tuple[str, ...]]] = {
    "painter": ("the painting", ("The {a} Shore", "{a} Harvest", "Woman with a {b}", "The {b} at Dusk")),
    "novelist": ("the novel", ("The {a} House", "A {b} for Winter", "{a} Years", "The {b} Keeper")),
    "poet": ("the collection", ("{a} Verses", "Songs of the {b}", "The {a} Alphabet")),
    "composer": ("the opera", ("The {a} Crown", "The {b} Maker", "{a} Night")),
    "physicist": ("work on", ("{b} resonance", "the {a} effect", "{b} spectra")),
    "botanist": ("the description of", ("the {a} orchid", "the {b} fern", "the {a} moss")),
    "engineer": ("the design of", ("the {a} Viaduct", "the {b} Lock", "the {a} Dam")),
    "architect": ("the design of", ("the {a} Hall", "the {b} Arcade", "the {a} Tower")),
    "historian": ("the book", ("A History of the {b}", "The {a} Century", "{b} and Crown")),
    "explorer": ("the voyage of", ("the {a} Star", "the {b}", "the {a} Gull")),
    "footballer": ("a career with", ()),
}
OCCUPATIONS = tuple(_WORKS)
_FIRST_WORDS = ("Pale", "Crimson", "Distant", "Broken", "Silent", "Northern", "Golden", "Hollow", "Restless", "Winter")
_SECOND_WORDS = ("Lantern", "Compass", "Sparrow", "Mirror", "Bell", "Ribbon", "Anchor", "Clock", "Harp", "Salt")
PARTIES = ("Reform Party", "Civic Union", "Farmers' League", "Green Alliance")


def _date(rng: Random, year: int) -> str:
    return f"{rng.randint(1, 28)} {rng.choice(MONTHS)} {year}"


def work_of(rng: Random, occupation: str, taken: set[str]) -> str:
    """What a person of an occupation is known for; nobody in `taken` is known for it, and it enters `taken`."""
    patterns = _WORKS[occupation][1]
    while True:
        work = rng.choice(patterns).format(a=rng.choice(_FIRST_WORDS), b=rng.choice(_SECOND_WORDS))
        if work not in taken:
            taken.add(work)
            return work


def person(
    rng: Random,
    name: str,
    *,
    occupation: str,
    towns: Sequence[str],
    universities: Sequence[str],
    clubs: Sequence[str],
    taken: set[str],
    honoured_by: str | None = None,
) -> Draft:
    """An article about a person of note, born in one of `towns`; what it says of works enters `taken`."""
    town = rng.choice(towns)
    is_living = honoured_by is None and rng.random() < 0.3
    born = rng.randint(1948, 1990) if is_living or occupation == "footballer" else rng.randint(1760, 1915)
    facts = [("Born", _date(rng, born)), ("Birthplace", link(town))]
    end = born + rng.randint(52, 91)
    if end < 2020 and not is_living:
        facts += [("Died", _date(rng, end)), ("Place of death", link(rng.choice(towns)))]
    facts.append(("Occupation", occupation))
    phrase = _WORKS[occupation][0]
    if occupation == "footballer":
        known = link(rng.choice(clubs))
        facts += [("Club", known), ("Matches", str(rng.randint(90, 480))), ("Goals", str(rng.randint(12, 210)))]
    else:
        known = work_of(rng, occupation, taken)
        facts += [("Alma mater", link(rng.choice(universities))), ("Known for", known)]
    year = born + rng.randint(21, 45)
    verb = "was" if any(key == "Died" for key, _ in facts) else "is"
    article = "an" if occupation[0] in "aeiou" else "a"
    lead = f"'''{name}''' {verb} {article} {occupation} from {link(town)}, best known for {phrase} {known}."
    early = (
        f"{name} was born in {link(town)} as the {rng.choice(('first', 'second', 'third', 'fourth'))} child of a"
        f" {rng.choice(('miller', 'teacher', 'ferryman', 'weaver', 'notary', 'baker', 'smith'))} and left school at"
        f" {rng.randint(13, 18)}."
    )
    career = (
        f"The breakthrough came in {year}, with {phrase} {known}."
        f" {rng.choice(('Critics were divided.', 'It was admired at once.', 'Few took notice at first.'))}"
    )
    sections = [("Early life", early), ("Career", career)]
    if honoured_by is not None:
        sections.append(("Legacy", f"{link(honoured_by)} is named after {name.partition(' ')[0]}."))
    categories = (f"{occupation.capitalize()}s", f"People from {town}")
    return Draft(title=name, facts=tuple(facts), lead=lead, sections=tuple(sections), categories=categories)


def mayor(rng: Random, name: str, *, town: str, towns: Sequence[str], universities: Sequence[str]) -> Draft:
    """An article about the mayor of `town`."""
    since, party, birthplace = rng.randint(2009, 2023), rng.choice(PARTIES), rng.choice(towns)
    study = rng.choice(universities)
    facts = (
        ("Born", _date(rng, rng.randint(1950, 1984))),
        ("Birthplace", link(birthplace)),
        ("Occupation", "politician"),
        ("Party", party),
        ("Office", f"Mayor of {link(town)}"),
        ("In office since", str(since)),
        ("Alma mater", link(study)),
    )
    lead = f"'''{name}''' is a politician of the {party} and has been mayor of {link(town)} since {since}."
    body = (
        f"{name} was born in {link(birthplace)}, studied {rng.choice(('law', 'history', 'economics', 'medicine'))}"
        f" at the {link(study)} and joined the town council of {link(town)} in {since - rng.randint(3, 12)}."
    )
    plans = (
        f"The programme named {rng.choice(('cheaper trams', 'a new library', 'clean rivers', 'more housing'))} and"
        f" {rng.choice(('longer school days', 'a second bridge', 'lower rents', 'new parks'))}."
    )
    return Draft(
        title=name,
        facts=facts,
        lead=lead,
        sections=(("Life", body), ("Politics", plans)),
        categories=(f"Mayors in {COUNTRY}", f"People from {birthplace}"),
    )
