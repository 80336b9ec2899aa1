"""What is to be changed on the map, in the encyclopedia and on the scratchpad of the home page."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from sojourn.envs.web.checks.states import Added, Removed, Updated
from sojourn.envs.web.sites.hosts import NOW
from sojourn.envs.web.tasks.map import open_place
from sojourn.envs.web.tasks.phrases import table
from sojourn.envs.web.tasks.script import stop
from sojourn.envs.web.tasks.template import Category, Kind, Outline, Template, Values, changed
from sojourn.envs.web.view import View

errand = partial(Outline, kind=Kind.MUTATION, category=Category.MAP, sites=("map",))

_NOTES = table("ask for the garden", "closed in winter?", "go there by bike", "a tip from Nora", "book a table")


@errand(
    name="map-save",
    intents=(
        'Save {name} to the list {list} with the note "{note}".',
        'Put {name} into my list {list} and note "{note}" there.',
    ),
    sql=f"""SELECT p.id || '-' || l.id AS key, p.id, p.name, l.id AS list_id, l.name AS list, n.text AS note
        FROM map_place p JOIN map_list l JOIN {_NOTES} n ON n.n = p.id % 5
        WHERE NOT EXISTS (SELECT 1 FROM map_saved s WHERE s.place_id = p.id AND s.list_id = l.id)""",
    texts=("{name}",),
    goal=lambda v: changed(
        Added(table="map_saved", values={"list_id": v["list_id"], "place_id": v["id"], "note": v["note"]})
    ),
)
def save(view: View, v: Values) -> Iterator[str]:
    """Fill the form on the page of the place."""
    yield from open_place(view, v["name"])
    yield view.select("List", v["list"])
    yield view.type("textbox", "Note", v["note"])
    yield view.click("button", "Save place")
    yield stop()


@errand(
    name="map-unsave",
    intents=("Remove {name} from the list {list}.", "Take {name} out of my list {list}."),
    sql="""SELECT p.id || '-' || l.id AS key, p.id, p.name, l.id AS list_id, l.name AS list FROM map_saved s
        JOIN map_place p ON p.id = s.place_id JOIN map_list l ON l.id = s.list_id""",
    goal=lambda v: changed(Removed(table="map_saved", where={"list_id": v["list_id"], "place_id": v["id"]})),
)
def unsave(view: View, v: Values) -> Iterator[str]:
    """Remove it on the page of the list."""
    yield view.click("link", "Saved places")
    yield view.click("link", v["list"])
    yield view.click("button", f"Remove {v['name']}")
    yield stop()


@errand(
    name="map-new-list",
    intents=('Create a list of places called "{name}".', 'I need a new list "{name}" for saved places.'),
    sql=f"""SELECT c.id || '-' || n.n AS key, n.text || ' ' || c.name AS name FROM map_city c
        JOIN {table("Weekend in", "Food in", "Museums of", "Rainy day in", "Walks around")} n""",
    goal=lambda v: changed(Added(table="map_list", values={"name": v["name"]})),
)
def new_list(view: View, v: Values) -> Iterator[str]:
    """Fill the form below the lists."""
    yield view.click("link", "Saved places")
    yield view.type("textbox", "Name", v["name"])
    yield view.click("button", "Create list")
    yield stop()


@errand(
    name="map-rename-list",
    is_held_out=True,
    intents=('Rename the list {list} to "{name}".',),
    sql=f"""SELECT l.id || '-' || n.n AS key, l.id, l.name AS list, n.text AS name FROM map_list l
        JOIN {table("Next summer", "With the children", "Near the water", "Quiet places", "Done")} n""",
    goal=lambda v: changed(Updated(table="map_list", where={"id": v["id"]}, values={"name": v["name"]})),
)
def rename_list(view: View, v: Values) -> Iterator[str]:
    """Fill the form on the page of the list."""
    yield view.click("link", "Saved places")
    yield view.click("link", v["list"])
    yield view.type("textbox", "Name", v["name"])
    yield view.click("button", "Rename list")
    yield stop()


_REVIEWS = table(
    (5, "Could not be better."),
    (4, "We will come back."),
    (3, "Nothing special."),
    (2, "Noisy and crowded."),
    (1, "Never again."),
    columns=("stars", "body"),
)


@errand(
    name="map-review",
    intents=(
        'Review {name}: {stars} of 5 stars and the text "{body}".',
        'Publish a review of {name} that says "{body}" and gives {stars} of 5 stars.',
    ),
    sql=f"""SELECT p.id AS key, p.id, p.name, r.stars, r.body FROM map_place p JOIN {_REVIEWS} r ON r.n = p.id % 5""",
    texts=("{name}",),
    goal=lambda v: changed(
        Added(
            table="map_review",
            values={
                "place_id": v["id"],
                "author": "You",
                "stars": v["stars"],
                "body": v["body"],
                "created": NOW,
            },
        )
    ),
)
def review(view: View, v: Values) -> Iterator[str]:
    """Fill the form on the page of the place."""
    yield from open_place(view, v["name"])
    yield view.select("Rating", "1 star" if v["stars"] == 1 else f"{v['stars']} stars")
    yield view.type("textbox", "Review", v["body"])
    yield view.click("button", "Publish review")
    yield stop()


@errand(
    name="wiki-new-article",
    sites=("wiki",),
    start="/wiki/{path}",
    intents=(
        'Write the article "{title}" that is missing here. Its whole text: "{body}" Leave the summary empty.',
        'There is no article "{title}" yet: create it with the text "{body}" and without a summary.',
    ),
    sql=f"""SELECT c.id || '-' || n.n AS key, n.text || ' ' || c.name AS title,
        replace(n.text || ' ' || c.name, ' ', '_') AS path, n.body || ' ' || c.name || '.' AS body FROM map_city c
        JOIN {
        table(
            ("Old bridges of", "A list of the old bridges of"),
            ("Carnival in", "What is known of the carnival in"),
            ("Trams of", "The history of the trams of"),
            columns=("text", "body"),
        )
    } n""",
    goal=lambda v: changed(
        Added(table="wiki_article", values={"title": v["title"], "revision_id": lambda number: number > 0}),
        Added(
            table="wiki_revision",
            values={
                "article_id": lambda number: number > 0,
                "author": "Visitor",
                "created": NOW,
                "summary": "",
                "text": v["body"],
            },
        ),
    ),
)
def new_article(view: View, v: Values) -> Iterator[str]:
    """Fill the form that the page of a missing article links to."""
    create = next(line.name for line in view.tree.lines if line.node.role == "link" and "reate" in line.name)
    yield view.click("link", create)
    yield view.type("textbox", "Text", v["body"])
    yield view.click("button", "Save page")
    yield stop()


_JOTTINGS = table(
    ("Phone", "Call the plumber on Monday."),
    ("Idea", "A shelf above the door."),
    ("Birthday", "Book and flowers for Irma."),
    ("Bike", "New tires, 28 inch."),
    ("Recipe", "Twice the flour, half the sugar."),
    ("Keys", "The spare key is with Tom."),
    ("Travel", "Take the early train."),
    ("Garden", "Tulips before the frost."),
    columns=("title", "body"),
)
_DAYS = table("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


@errand(
    name="home-note",
    sites=("home",),
    start="/scratchpad",
    intents=(
        'Make a note "{title}" on the scratchpad with the text "{body}".',
        'Note down "{body}" on the scratchpad under the title "{title}".',
    ),
    sql=f"""SELECT d.n || '-' || j.n AS key, j.title || ' ' || d.text AS title, j.body FROM {_JOTTINGS} j
        JOIN {_DAYS} d""",
    goal=lambda v: changed(Added(table="home_note", values={"title": v["title"], "body": v["body"], "created": NOW})),
)
def note(view: View, v: Values) -> Iterator[str]:
    """Fill the form."""
    yield view.type("textbox", "Title", v["title"])
    yield view.type("textbox", "Text", v["body"])
    yield view.click("button", "Save note")
    yield stop()


TEMPLATES: tuple[Template, ...] = (
    save,
    note,
    new_list,
    review,
    new_article,
    unsave,
    rename_list,
)
