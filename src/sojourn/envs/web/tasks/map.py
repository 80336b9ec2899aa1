"""What the map and the encyclopedia are asked, and which of their pages."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime
from functools import partial

from sojourn.envs.web.checks.addresses import Target
from sojourn.envs.web.checks.answers import (
    NOT_AVAILABLE,
    DateAnswer,
    DurationAnswer,
    LengthAnswer,
    PhoneAnswer,
    number,
    text,
)
from sojourn.envs.web.sites.hosts import ORIGINS
from sojourn.envs.web.tasks.phrases import table
from sojourn.envs.web.tasks.script import fact, follow, rows, search, stop, text_after
from sojourn.envs.web.tasks.template import Category, Kind, Outline, Template, Values, answered, shown
from sojourn.envs.web.view import View

MAP, WIKI = ORIGINS["map"], ORIGINS["wiki"]

question = partial(Outline, kind=Kind.INFORMATION, category=Category.MAP, sites=("map",))
navigation = partial(Outline, kind=Kind.NAVIGATION, category=Category.MAP, sites=("map",))
impossible = partial(
    Outline, kind=Kind.INFEASIBLE, category=Category.MAP, sites=("map",), goal=lambda v: answered(NOT_AVAILABLE)
)
_MODES = table(("car", "By car"), ("bike", "By bike"), ("foot", "On foot"), columns=("mode", "label"))


def open_place(view: View, name: str) -> Iterator[str]:
    """Search for a place and open its page."""
    yield from search(view, name)
    yield from follow(view, name)


def directions(view: View, start: str, end: str, label: str) -> Iterator[str]:
    """Ask for the way."""
    yield view.click("link", "Directions")
    yield view.type("textbox", "From", start)
    yield view.type("textbox", "To", end)
    if label != "By car":
        yield view.select("Mode", label)
    yield view.click("button", "Get directions")


def read_article(view: View, title: str) -> Iterator[str]:
    """Search for an article and open it."""
    yield from search(view, title, "Search Wikipedia")
    yield view.click("link", title)


# ---------------------------------------------------------------------------------------------- questions: places


@question(
    name="map-phone",
    intents=("What is the phone number of {name}?", "Under which phone number can I reach {name}?"),
    sql="SELECT id AS key, name, phone FROM map_place",
    texts=("{name}",),
    goal=lambda v: answered(PhoneAnswer(value=v["phone"])),
)
def phone(view: View, v: Values) -> Iterator[str]:
    """Read the page of the place."""
    yield from open_place(view, v["name"])
    yield stop(fact(view, "Phone"))


@question(
    name="map-address",
    intents=(
        "What is the address of {name}? Answer with street and house number.",
        "In which street, and in which house, is {name}?",
    ),
    sql="SELECT id AS key, name, street, house FROM map_place",
    texts=("{name}",),
    goal=lambda v: answered(text(f"{v['house']} {v['street']}", f"{v['street']} {v['house']}")),
)
def address(view: View, v: Values) -> Iterator[str]:
    """Read the page of the place."""
    yield from open_place(view, v["name"])
    yield stop(fact(view, "Address").partition(",")[0])


@question(
    name="map-hours",
    is_held_out=True,
    intents=(
        "From when to when is {name} open on a {day}? Answer as in 09:00-17:00, or closed.",
        "What are the opening hours of {name} on {day}s? Answer as in 09:00-17:00, or closed.",
    ),
    sql=f"""SELECT p.id || '-' || d.n AS key, p.name, d.text AS day,
        CASE d.n WHEN 0 THEN saturday_hours ELSE sunday_hours END AS hours FROM map_place p
        JOIN {table("Saturday", "Sunday")} d WHERE p.saturday_hours <> p.sunday_hours""",
    texts=("{name}",),
    goal=lambda v: answered(text(v["hours"], v["hours"].replace("-", " - "), v["hours"].replace("-", " to "))),
)
def hours(view: View, v: Values) -> Iterator[str]:
    """Read the page of the place."""
    yield from open_place(view, v["name"])
    yield stop(fact(view, v["day"]))


@question(
    name="map-count",
    intents=(
        "How many places of the category {category} are there in {city}? Answer with a number.",
        "Count the places on the map that are in {city} and of the category {category}.",
    ),
    sql="""SELECT lower(c.name) || '-' || p.category AS key, c.name AS city, p.category, count(*) AS count
        FROM map_place p JOIN map_city c ON c.id = p.city_id GROUP BY c.id, p.category""",
    goal=lambda v: answered(number(v["count"], "places")),
)
def count(view: View, v: Values) -> Iterator[str]:
    """Read the page of the town."""
    yield view.click("link", v["city"])
    name = next(line.name for line in view.tree.lines if line.name.startswith(f"{v['category']} ("))
    yield stop(name.partition("(")[2].rstrip(")"))


@question(
    name="map-best",
    intents=(
        "Which place of the category {category} in {city} has the best rating? Answer with its name.",
        "Name the best rated {category} of {city}.",
    ),
    sql="""WITH rated AS (SELECT p.id, p.name, p.category, c.name AS city, avg(r.stars) AS mean FROM map_place p
        JOIN map_city c ON c.id = p.city_id JOIN map_review r ON r.place_id = p.id GROUP BY p.id)
        SELECT lower(a.city) || '-' || a.category AS key, a.* FROM rated a WHERE NOT EXISTS (SELECT 1 FROM rated b
        WHERE b.id <> a.id AND b.city = a.city AND b.category = a.category AND b.mean > a.mean - 0.1)
        AND (SELECT count(*) FROM map_place p JOIN map_city c ON c.id = p.city_id WHERE c.name = a.city
        AND p.category = a.category) > 1""",
    goal=lambda v: answered(text(v["name"])),
)
def best(view: View, v: Values) -> Iterator[str]:
    """Sort the places of the category by their rating."""
    yield view.click("link", v["category"])
    yield view.select("Town", v["city"])
    yield view.select("Sort by", "Rating")
    yield view.click("button", "Filter")
    yield stop(rows(view)[0][0])


@question(
    name="map-nearest",
    intents=(
        "Which place of the category {category} is nearest to {name}? Answer with its name.",
        "Starting from {name}, what is the nearest place of the category {category}?",
    ),
    sql="""WITH pairs AS (SELECT p.id, p.name, q.category, q.name AS nearest,
        (p.x - q.x) * (p.x - q.x) + (p.y - q.y) * (p.y - q.y) AS square FROM map_place p JOIN map_place q
        ON q.id <> p.id AND q.city_id = p.city_id WHERE p.category IN ('station', 'hotel', 'museum', 'university')
        AND q.category IN ('pharmacy', 'restaurant', 'supermarket', 'cafe', 'hotel', 'park'))
        SELECT a.id || '-' || a.category AS key, a.name, a.category, a.nearest FROM pairs a
        WHERE a.square < 4000000 AND NOT EXISTS (SELECT 1 FROM pairs b WHERE b.id = a.id AND b.category = a.category
        AND b.nearest <> a.nearest AND b.square < a.square + 10000)""",
    texts=("{name}",),
    goal=lambda v: answered(text(v["nearest"])),
)
def nearest(view: View, v: Values) -> Iterator[str]:
    """Ask what is nearby."""
    yield view.click("link", "Nearby")
    yield view.type("textbox", "Near (place or town)", v["name"])
    yield view.select("Category", v["category"])
    yield view.click("button", "Find nearby")
    yield stop(rows(view)[0][0])


# ------------------------------------------------------------------------------------------------- questions: ways


@question(
    name="map-distance",
    intents=(
        "How far is it from {start} to {end} by car? Answer in kilometres, as in 12.3 km.",
        "How many kilometres does one drive from {start} to {end}? Answer as in 12.3 km.",
    ),
    sql="""SELECT lower(a.name) || '-' || lower(b.name) AS key, a.name AS start, b.name AS 'end', r.metres
        FROM map_route r JOIN map_city a ON a.id = r.start_id JOIN map_city b ON b.id = r.end_id WHERE r.by_car""",
    texts=("{start}", "{end}"),
    goal=lambda v: answered(LengthAnswer(metres=v["metres"], tolerance=50)),
)
def distance(view: View, v: Values) -> Iterator[str]:
    """Ask for the way by car."""
    yield from directions(view, v["start"], v["end"], "By car")
    yield stop(text_after(view, "Distance:"))


@question(
    name="map-duration",
    intents=(
        "How long does it take from {start} to {end}: {way}? Answer as in 1 h 5 min.",
        "{way}, how much time does one need from {start} to {end}? Answer as in 1 h 5 min.",
    ),
    sql=f"""SELECT lower(a.name) || '-' || lower(b.name) || '-' || m.mode AS key, a.name AS start, b.name AS 'end',
        m.label AS way, (SELECT sum(d.metres * 36 / (10 * CASE m.mode WHEN 'bike' THEN 15 WHEN 'foot' THEN 5
            ELSE CASE d.kind WHEN 'motorway' THEN 108 ELSE 72 END END))
            FROM json_each('[' || r.roads || ']') j JOIN map_road d ON d.id = j.value) AS seconds
        FROM {_MODES} m JOIN map_route r ON r.by_car = (m.mode = 'car')
        JOIN map_city a ON a.id = r.start_id JOIN map_city b ON b.id = r.end_id""",
    texts=("{start}", "{end}"),
    goal=lambda v: answered(DurationAnswer(minutes=-(-v["seconds"] // 60))),
)
def duration(view: View, v: Values) -> Iterator[str]:
    """Ask for the way in this mode."""
    yield from directions(view, v["start"], v["end"], v["way"])
    yield stop(text_after(view, "Time:"))


# ------------------------------------------------------------------------------------------ questions: encyclopedia

_PERSON = """wiki_article a JOIN wiki_fact f ON f.article_id = a.id AND f.name = 'Born'"""


@question(
    name="wiki-born",
    sites=("wiki",),
    intents=("When was {person} born? Answer with the date.", "Give the date of birth of {person}."),
    sql=f"SELECT a.id AS key, a.title AS person, f.value AS born FROM {_PERSON} WHERE f.value LIKE '% % %'",
    texts=("{person}",),
    goal=lambda v: answered(DateAnswer(day=_day(v["born"]))),
)
def born(view: View, v: Values) -> Iterator[str]:
    """Read the table of the article."""
    yield from read_article(view, v["person"])
    yield stop(fact(view, "Born"))


def _day(value: str) -> date:
    return datetime.strptime(value, "%d %B %Y").date()


@question(
    name="wiki-town",
    sites=("wiki",),
    intents=(
        "According to the encyclopedia, what is stated under {fact} for {town}?",
        "Look up {town} in the encyclopedia: what does its table say under {fact}?",
    ),
    sql="""SELECT lower(a.title) || '-' || lower(replace(f.name, ' ', '-')) AS key, a.title AS town, f.name AS fact,
        replace(replace(f.value, '[[', ''), ']]', '') AS value FROM wiki_article a JOIN map_city c ON c.name = a.title
        JOIN wiki_fact f ON f.article_id = a.id WHERE f.name NOT IN ('Country', 'Elevation')
        AND f.value NOT LIKE '%|%'""",
    goal=lambda v: answered(text(v["value"], v["value"].replace(",", ""))),
)
def town(view: View, v: Values) -> Iterator[str]:
    """Open it from the main page."""
    yield view.click("link", v["town"])
    yield stop(fact(view, v["fact"]))


@question(
    name="wiki-two-steps",
    is_held_out=True,
    sites=("wiki",),
    intents=(
        "Who is the mayor of the town in which {person} was born?",
        "{person} was born in a town: what is the name of its mayor?",
    ),
    sql=f"""SELECT a.id AS key, a.title AS person, replace(replace(m.value, '[[', ''), ']]', '') AS mayor
        FROM {_PERSON} JOIN wiki_fact p ON p.article_id = a.id AND p.name = 'Birthplace'
        JOIN wiki_article t ON p.value = '[[' || t.title || ']]' JOIN wiki_fact m ON m.article_id = t.id
        AND m.name = 'Mayor'""",
    texts=("{person}",),
    goal=lambda v: answered(text(v["mayor"])),
)
def two_steps(view: View, v: Values) -> Iterator[str]:
    """From the person to the town."""
    yield from read_article(view, v["person"])
    yield view.click("link", fact(view, "Birthplace"))
    yield stop(fact(view, "Mayor"))


# ------------------------------------------------------------------------------------------------------ navigation


@navigation(
    name="map-open-place",
    intents=("Show {name} on the map.", "Open the page of {name}."),
    sql="SELECT id AS key, id, name FROM map_place",
    texts=("{name}",),
    goal=lambda v: shown(Target(url=f"{MAP}/place/{v['id']}")),
)
def show_place(view: View, v: Values) -> Iterator[str]:
    """Search for it."""
    yield from open_place(view, v["name"])
    yield stop()


@navigation(
    name="map-open-town",
    start="/city/{start}",
    intents=(
        "Show me the {category} places of this town, {start}.",
        "List what {start} has of the category {category}.",
    ),
    sql="""SELECT lower(c.name) || '-' || p.category AS key, c.name AS start, p.category, count(*) AS count
        FROM map_place p JOIN map_city c ON c.id = p.city_id GROUP BY c.id, p.category""",
    goal=lambda v: shown(
        Target(url=f"{MAP}/search?category={v['category']}&city={v['start']}", usual={"sort": "name", "page": "1"})
    ),
)
def open_town(view: View, v: Values) -> Iterator[str]:
    """One click."""
    yield view.click("link", f"{v['category']} ({v['count']})")
    yield stop()


@navigation(
    name="map-directions",
    intents=("Show me the way from {start} to {end}: {way}.", "Directions from {start} to {end}, {way}, please."),
    sql=f"""SELECT lower(a.name) || '-' || lower(b.name) || '-' || m.mode AS key, a.name AS start, b.name AS 'end',
        m.mode, m.label AS way FROM map_city a JOIN map_city b ON b.id <> a.id JOIN {_MODES} m""",
    texts=("{start}", "{end}"),
    goal=lambda v: shown(
        Target(url=f"{MAP}/directions?from={v['start']}&to={v['end']}&mode={v['mode']}", usual={"mode": "car"})
    ),
)
def show_way(view: View, v: Values) -> Iterator[str]:
    """Fill the form."""
    yield from directions(view, v["start"], v["end"], v["way"])
    yield stop()


@navigation(
    name="wiki-open-town",
    sites=("wiki",),
    intents=("Open the article about {town}.", "Show me what the encyclopedia says about {town}."),
    sql="SELECT lower(name) AS key, name AS town FROM map_city",
    goal=lambda v: shown(Target(url=f"{WIKI}/wiki/{v['town']}")),
)
def open_article(view: View, v: Values) -> Iterator[str]:
    """One click."""
    yield view.click("link", v["town"])
    yield stop()


# ------------------------------------------------------------------------------------------------------ impossible


@impossible(
    name="map-phone-of-nothing",
    intents=phone.intents,
    sql="""SELECT p.id || '-' || c.id AS key, replace(p.name, d.name, c.name) AS name FROM map_place p
        JOIN map_city d ON d.id = p.city_id JOIN map_city c ON c.id <> d.id WHERE instr(p.name, d.name)
        AND (p.id + c.id) % 5 = 0 AND NOT EXISTS (SELECT 1 FROM map_place q
        WHERE q.name = replace(p.name, d.name, c.name)) GROUP BY 2""",
    texts=("{name}",),
)
def phone_of_nothing(view: View, v: Values) -> Iterator[str]:
    """Search and find nothing of the name."""
    yield from search(view, v["name"])
    yield stop("N/A")


@impossible(
    name="wiki-born-nothing",
    sites=("wiki",),
    intents=born.intents,
    sql=f"""SELECT a.id AS key, substr(a.title, 1, instr(a.title, ' ')) || substr(b.title, instr(b.title, ' ') + 1)
        AS person FROM {_PERSON} JOIN wiki_article b ON b.id = (SELECT min(c.id) FROM wiki_article c
        JOIN wiki_fact g ON g.article_id = c.id AND g.name = 'Born' WHERE c.id > a.id + 20)
        WHERE NOT EXISTS (SELECT 1 FROM wiki_article w WHERE w.title = substr(a.title, 1, instr(a.title, ' '))
        || substr(b.title, instr(b.title, ' ') + 1)) GROUP BY person""",
    texts=("{person}",),
)
def born_nothing(view: View, v: Values) -> Iterator[str]:
    """There is no such article."""
    yield from search(view, v["person"], "Search Wikipedia")
    yield stop("N/A")


TEMPLATES: tuple[Template, ...] = (
    phone,
    open_article,
    distance,
    show_place,
    count,
    phone_of_nothing,
    best,
    show_way,
    nearest,
    open_town,
    duration,
    born,
    town,
    address,
    born_nothing,
    hours,
    two_steps,
)
