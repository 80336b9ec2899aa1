"""Tasks that need two sites: find something on the one, use it on the other."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from sojourn.envs.web.checks.answers import DurationAnswer, LengthAnswer, PhoneAnswer, several, text
from sojourn.envs.web.checks.states import Added, Updated
from sojourn.envs.web.sites.hosts import NOW
from sojourn.envs.web.tasks.cms import open_order
from sojourn.envs.web.tasks.code import PATH, open_project, tab
from sojourn.envs.web.tasks.code_errands import NEXT, issue, write_issue
from sojourn.envs.web.tasks.forum import ME, SEEN
from sojourn.envs.web.tasks.forum_errands import message, submission
from sojourn.envs.web.tasks.map import directions, open_place, read_article
from sojourn.envs.web.tasks.script import below, cells, fact, rows, search, stop, text_after, visit
from sojourn.envs.web.tasks.shop import EMMA, open_product
from sojourn.envs.web.tasks.template import Category, Kind, Outline, Template, Values, answered, changed
from sojourn.envs.web.view import View

errand = partial(Outline, kind=Kind.MUTATION)
question = partial(Outline, kind=Kind.INFORMATION)


def note(view: View, title: str, body: str) -> Iterator[str]:
    """Write a note on the scratchpad of the home page."""
    yield visit("home", "/scratchpad")
    yield view.type("textbox", "Title", title)
    yield view.type("textbox", "Text", body)
    yield view.click("button", "Save note")


def noted(title: str, body: str) -> Added:
    """A note on the scratchpad."""
    return Added(table="home_note", values={"title": title, "body": body, "created": NOW})


# ------------------------------------------------------------------------------------------------------------ shop


@errand(
    name="across-price-post",
    category=Category.SHOPPING,
    sites=("shop", "forum"),
    accounts=("shop", "forum"),
    intents=(
        'Find out what the "{name}" costs in the shop, then submit a text to the forum {forum} on reddit.com: the '
        'title is "{title}", and the body is the price alone, as in $12.99.',
    ),
    sql="""SELECT p.id AS key, p.name, p.price_cents, f.name AS forum, f.id AS forum_id,
        'What I paid for ' || p.sku AS title FROM shop_product p JOIN forum_forum f ON f.id = 1 + p.id % 16
        WHERE p.is_enabled AND p.price_cents < 100000""",
    goal=lambda v: changed(
        submission(v["forum_id"], v["title"], f"${v['price_cents'] // 100}.{v['price_cents'] % 100:02}")
    ),
)
def price_post(view: View, v: Values) -> Iterator[str]:
    """Read the price, write the submission."""
    yield from open_product(view, v)
    price = text_after(view, "Price:")
    yield visit("forum", f"/submit/{v['forum']}")
    yield view.type("textbox", "Title", v["title"])
    yield view.type("textbox", "Body (for a text)", price)
    yield view.click("button", "Create submission")
    yield stop()


@errand(
    name="across-sku-note",
    category=Category.SHOPPING,
    sites=("shop", "home"),
    intents=(
        'Make a note on the scratchpad of homepage.com: its title is "{name}", its text the SKU that the shop gives '
        "for this product, and nothing else.",
        'Look up the SKU of the "{name}" in the shop and note it on the scratchpad of homepage.com, under the name of '
        "the product as the title.",
    ),
    sql="SELECT id AS key, name, sku FROM shop_product WHERE is_enabled AND length(name) <= 100",
    goal=lambda v: changed(noted(v["name"], v["sku"])),
)
def sku_note(view: View, v: Values) -> Iterator[str]:
    """Read the number, write the note."""
    yield from open_product(view, v)
    yield from note(view, v["name"], text_after(view, "SKU:"))
    yield stop()


# --------------------------------------------------------------------------------------------------------- back office


@errand(
    name="across-tracking-note",
    category=Category.CMS,
    sites=("admin", "home"),
    accounts=("admin",),
    start="/admin",
    intents=(
        'Note the tracking number of order {number} on the scratchpad of homepage.com: title "Order {number}", and as '
        "the text the tracking number alone.",
    ),
    sql="""SELECT o.number AS key, o.number, s.tracking_number FROM shop_order o
        JOIN shop_shipment s ON s.order_id = o.id""",
    goal=lambda v: changed(noted(f"Order {v['number']}", v["tracking_number"])),
)
def tracking_note(view: View, v: Values) -> Iterator[str]:
    """Read the order, write the note."""
    yield from open_order(view, v["number"])
    number = fact(view, "Tracking").split()[-1]
    yield from note(view, f"Order {v['number']}", number)
    yield stop()


@errand(
    name="across-order-comment",
    category=Category.CMS,
    sites=("shop", "admin"),
    accounts=("shop", "admin"),
    is_held_out=True,
    intents=(
        "I am logged in to the shop as a customer, and to luma.com as admin. Look up the {place} order of the customer "
        'in the shop, then add the comment "{text}" to it in the back office. It is not for the customer, and the '
        "status stays.",
    ),
    sql=f"""SELECT o.number AS key, o.id, o.status, 'Checked ' || o.number AS text, CASE o.place WHEN 1 THEN 'latest'
        WHEN 2 THEN 'second latest' WHEN 3 THEN 'third latest' WHEN 4 THEN 'fourth latest' ELSE 'fifth latest' END
        AS place, o.place AS nth FROM (SELECT *, row_number() OVER (ORDER BY id DESC) AS place FROM shop_order
        WHERE customer_id = {EMMA}) o WHERE o.place <= 5""",
    goal=lambda v: changed(
        Added(
            table="shop_order_note",
            values={"order_id": v["id"], "text": v["text"], "status": v["status"], "is_visible": 0, "created_at": NOW},
        )
    ),
)
def order_comment(view: View, v: Values) -> Iterator[str]:
    """Find the number, comment on it."""
    yield view.click("link", "My Account")
    number = rows(view)[v["nth"] - 1][0]
    yield visit("admin", "/admin")
    yield from open_order(view, number)
    yield view.type("textbox", "Comment", v["text"])
    yield view.click("button", "Submit Comment")
    yield stop()


@errand(
    name="across-page-address",
    category=Category.CMS,
    sites=("admin", "map"),
    accounts=("admin",),
    start="/admin",
    intents=(
        'Our pickup desk has moved into {name}. In the back office, rename the page "{page}" to "Pickup: " followed by '
        "the street and house number of {name} as openstreetmap.org shows them, as in Pickup: 12 Mill Lane.",
    ),
    sql="""SELECT m.id || '-' || p.id AS key, m.name, m.house || ' ' || m.street AS address, p.id, p.title AS page
        FROM map_place m JOIN shop_page p WHERE m.category IN ('supermarket', 'station', 'library')""",
    texts=("{name}",),
    goal=lambda v: changed(
        Updated(
            table="shop_page",
            where={"id": v["id"]},
            values={"title": f"Pickup: {v['address']}", "updated_at": NOW},
        )
    ),
)
def page_address(view: View, v: Values) -> Iterator[str]:
    """Read the address, rename the page."""
    yield visit("map")
    yield from open_place(view, v["name"])
    address = fact(view, "Address").partition(",")[0]
    yield visit("admin", "/admin/pages")
    yield view.click("link", v["page"], within=view.row(v["page"]))
    yield view.type("textbox", "Page Title", f"Pickup: {address}")
    yield view.click("button", "Save Page")
    yield stop()


# -------------------------------------------------------------------------------------------------- map, encyclopedia


@question(
    name="across-birthplaces",
    category=Category.MAP,
    sites=("wiki", "map"),
    intents=(
        "How far is it by car from the town where {one} was born to the town where {other} was born? Look the people "
        "up on wikipedia.org and the way on openstreetmap.org; answer in kilometres, as in 12.3 km.",
    ),
    sql="""WITH born AS (SELECT a.id, a.title, c.id AS city FROM wiki_article a JOIN wiki_fact f ON f.article_id = a.id
        AND f.name = 'Birthplace' JOIN map_city c ON f.value = '[[' || c.name || ']]')
        SELECT a.id || '-' || b.id AS key, a.title AS one, b.title AS other, r.metres FROM born a JOIN born b
        ON b.city <> a.city AND (a.id * 5 + b.id) % 41 = 0
        JOIN map_route r ON r.start_id = a.city AND r.end_id = b.city AND r.by_car""",
    texts=("{one}", "{other}"),
    goal=lambda v: answered(LengthAnswer(metres=v["metres"], tolerance=50)),
)
def birthplaces(view: View, v: Values) -> Iterator[str]:
    """Two articles, one way."""
    yield from read_article(view, v["one"])
    start = fact(view, "Birthplace")
    yield from read_article(view, v["other"])
    end = fact(view, "Birthplace")
    yield visit("map")
    yield from directions(view, start, end, "By car")
    yield stop(text_after(view, "Distance:"))


@question(
    name="across-namesake-phone",
    category=Category.MAP,
    sites=("wiki", "map"),
    is_held_out=True,
    intents=(
        "On wikipedia.org, find out what is named after {person}; then answer with its phone number from "
        "openstreetmap.org.",
        "A place is named after {person}, as wikipedia.org tells. What is its phone number on openstreetmap.org?",
    ),
    sql="""SELECT p.id AS key, p.named_after AS person, p.name, p.phone FROM map_place p
        JOIN wiki_article a ON a.title = p.named_after JOIN wiki_article w ON w.title = p.name
        GROUP BY p.named_after HAVING count(*) = 1""",
    texts=("{person}",),
    goal=lambda v: answered(PhoneAnswer(value=v["phone"])),
)
def namesake_phone(view: View, v: Values) -> Iterator[str]:
    """Of what links to the person, that which has the name."""
    yield from read_article(view, v["person"])
    yield view.click("link", "What links here")
    surname = v["person"].split()[-1]
    main = view.tree.lines[view.find("main") :]
    name = next(line.name for line in main if line.node.role == "link" and surname in line.name.split())
    yield visit("map")
    yield from open_place(view, name)
    yield stop(fact(view, "Phone"))


@errand(
    name="across-town-note",
    category=Category.MAP,
    sites=("wiki", "home"),
    intents=(
        'Look up the {fact} of {town} on wikipedia.org and note it on the scratchpad of homepage.com: title "{title}", '
        "and as the text what the table of the article says, nothing else.",
    ),
    sql="""SELECT lower(c.name) || '-' || lower(replace(f.name, ' ', '-')) AS key, c.name AS town, f.name AS fact,
        f.name || ' of ' || c.name AS title, replace(replace(f.value, '[[', ''), ']]', '') AS value
        FROM map_city c JOIN wiki_article a ON a.title = c.name JOIN wiki_fact f ON f.article_id = a.id
        WHERE f.name IN ('Mayor', 'Population', 'Founded', 'River', 'Partner town', 'Postcode')""",
    goal=lambda v: changed(noted(v["title"], v["value"])),
)
def town_note(view: View, v: Values) -> Iterator[str]:
    """Read the table, write the note."""
    yield view.click("link", v["town"])
    value = fact(view, v["fact"])
    yield from note(view, v["title"], value)
    yield stop()


@question(
    name="across-way-to-birthplace",
    category=Category.MAP,
    sites=("wiki", "map"),
    intents=(
        "By bike, how long does it take from {town} to the town where {person} was born? Ask wikipedia.org and "
        "openstreetmap.org; answer as in 1 h 5 min.",
    ),
    sql="""SELECT a.id || '-' || s.id AS key, a.title AS person, s.name AS town, (SELECT sum(d.metres * 36 / 150)
        FROM json_each('[' || r.roads || ']') j JOIN map_road d ON d.id = j.value) AS seconds
        FROM wiki_article a JOIN wiki_fact f ON f.article_id = a.id AND f.name = 'Birthplace'
        JOIN map_city c ON f.value = '[[' || c.name || ']]' JOIN map_city s ON s.id <> c.id AND (a.id + s.id) % 7 = 0
        JOIN map_route r ON r.start_id = s.id AND r.end_id = c.id AND NOT r.by_car""",
    texts=("{person}", "{town}"),
    goal=lambda v: answered(DurationAnswer(minutes=-(-v["seconds"] // 60))),
)
def way_to_birthplace(view: View, v: Values) -> Iterator[str]:
    """An article, a way."""
    yield from read_article(view, v["person"])
    end = fact(view, "Birthplace")
    yield visit("map")
    yield from directions(view, v["town"], end, "By bike")
    yield stop(text_after(view, "Time:"))


# ----------------------------------------------------------------------------------------------------------- code host


@errand(
    name="across-founding-issue",
    category=Category.GITLAB,
    sites=("code", "wiki"),
    accounts=("code",),
    intents=(
        'Open an issue in {path} with the title "{title}"; its description is the year in which {town} was founded, '
        "as wikipedia.org states it, and nothing else.",
    ),
    sql=f"""SELECT p.id || '-' || c.id AS key, p.id AS project_id, {PATH}, {NEXT}, c.name AS town,
        'Founding year of ' || c.name AS title, f.value AS year FROM code_project p JOIN map_city c
        ON (p.id + c.id) % 3 = 0 JOIN wiki_article a ON a.title = c.name JOIN wiki_fact f ON f.article_id = a.id
        AND f.name = 'Founded'""",
    texts=("{project}",),
    goal=lambda v: changed(issue(v, v["title"], v["year"])),
)
def founding_issue(view: View, v: Values) -> Iterator[str]:
    """Read the article, write the issue."""
    yield visit("wiki")
    yield view.click("link", v["town"])
    year = fact(view, "Founded")
    yield visit("code")
    yield from write_issue(view, v["path"], v["title"], year)
    yield view.click("button", "Create issue")
    yield stop()


@errand(
    name="across-milestone-note",
    category=Category.GITLAB,
    sites=("code", "home"),
    accounts=("code",),
    intents=(
        "Note when the milestone {milestone} of {path} is due on the scratchpad of homepage.com: the title is "
        '"{title}", the text is the date as GitLab shows it, as in Jul 2, 2024.',
    ),
    sql=f"""SELECT m.id AS key, {PATH}, m.title AS milestone, p.name || ' ' || m.title AS title, m.due
        FROM code_milestone m JOIN code_project p ON p.id = m.project_id WHERE m.due <> ''""",
    texts=("{project}",),
    goal=lambda v: changed(noted(v["title"], as_shown(v["due"]))),
)
def milestone_note(view: View, v: Values) -> Iterator[str]:
    """Read the list of milestones, write the note."""
    yield from open_project(view, v["path"])
    yield tab(view, "Milestones")
    due = cells(view, view.row(v["milestone"]))[3]
    yield from note(view, v["title"], due)
    yield stop()


def as_shown(day: str) -> str:
    """A day as the sites show it: ``2024-07-02`` is ``Jul 2, 2024``."""
    year, month, number = day.split("-")
    names = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
    return f"{names[int(month) - 1]} {int(number)}, {year}"


# --------------------------------------------------------------------------------------------------------------- forum


@errand(
    name="across-phone-message",
    category=Category.REDDIT,
    sites=("forum", "map"),
    accounts=("forum",),
    start="/f/{forum}/{post}",
    intents=(
        'Send {user} a message with the subject "{subject}"; its text is the phone number of {name} as '
        "openstreetmap.org shows it, and nothing else.",
    ),
    sql=f"""SELECT p.id AS key, p.name, p.phone, 'Phone of ' || p.name AS subject, f.name AS forum, u.id AS user_id,
        u.name AS user, (SELECT min(s.id) FROM forum_submission s WHERE s.user_id = u.id AND {SEEN}
        AND s.forum_id = f.id) AS post FROM map_place p
        JOIN (SELECT u.id, u.name, min(s.forum_id) AS forum_id, row_number() OVER (ORDER BY u.id) AS n
            FROM forum_user u JOIN forum_submission s ON s.user_id = u.id WHERE u.id <> {ME} AND {SEEN} GROUP BY u.id) u
        ON u.n = 1 + p.id % 100 JOIN forum_forum f ON f.id = u.forum_id""",
    texts=("{name}",),
    goal=lambda v: changed(message(v["user_id"], v["subject"], v["phone"])),
)
def phone_message(view: View, v: Values) -> Iterator[str]:
    """Read the phone number in a second tab, write the message in the first."""
    yield view.click("link", v["user"])
    yield "new_tab"
    yield visit("map")
    yield from open_place(view, v["name"])
    phone = fact(view, "Phone")
    yield "tab_focus [0]"
    yield view.click("link", "Send message")
    yield view.type("textbox", "Subject", v["subject"])
    yield view.type("textbox", "Message", phone)
    yield view.click("button", "Send message")
    yield stop()


@errand(
    name="across-project-comment",
    category=Category.REDDIT,
    sites=("forum", "code"),
    accounts=("forum", "code"),
    start="/f/{forum}/{id}",
    intents=(
        "Comment on this submission. The comment is the description of the project {path} as gitlab.com shows it, and "
        "nothing else.",
    ),
    sql=f"""SELECT s.id AS key, s.id, f.name AS forum, {PATH}, p.description FROM forum_submission s
        JOIN forum_forum f ON f.id = s.forum_id JOIN code_project p ON p.id = 1 + s.id % 34 WHERE {SEEN}""",
    texts=("{project}",),
    goal=lambda v: changed(
        Added(
            table="forum_comment",
            values={
                "submission_id": v["id"],
                "parent_id": None,
                "user_id": 1,
                "body": v["description"],
                "created": NOW,
                "edited": None,
                "ups": 1,
                "downs": 0,
            },
        )
    ),
)
def project_comment(view: View, v: Values) -> Iterator[str]:
    """Read the description, come back, write the comment."""
    yield visit("code")
    yield from search(view, v["project"], "Search GitLab")
    description = cells(view, view.row(v["path"].replace("/", " / ")))[1]
    yield visit("forum", f"/f/{v['forum']}/{v['id']}")
    yield view.type("textbox", "Comment", description)
    yield view.click("button", "Post comment")
    yield stop()


@question(
    name="across-author-email",
    category=Category.REDDIT,
    sites=("forum", "code"),
    accounts=("forum", "code"),
    is_held_out=True,
    start="/f/{forum}",
    intents=(
        'Who submitted "{title}" to reddit.com, and what is the email address of the user {username} of gitlab.com? '
        "Answer with the user name, a semicolon, and the address.",
    ),
    sql=f"""SELECT s.id AS key, s.title, f.name AS forum, u.name AS author, c.email, c.username
        FROM forum_submission s JOIN forum_forum f ON f.id = s.forum_id JOIN forum_user u ON u.id = s.user_id
        JOIN code_user c ON c.id = 2 + s.id % 80 WHERE {SEEN}""",
    texts=("{username}",),
    goal=lambda v: answered(several([text(v["author"]), text(v["email"])], is_ordered=True)),
)
def author_email(view: View, v: Values) -> Iterator[str]:
    """Read the one, read the other."""
    yield from search(view, v["title"], "Search query")
    yield view.click("link", v["title"])
    author = below(view, view.find("StaticText", "Submitted by"), "link")
    yield visit("code", f"/{v['username']}")
    yield stop(f"{author}; {fact(view, 'Email')}")


TEMPLATES: tuple[Template, ...] = (
    price_post,
    sku_note,
    tracking_note,
    order_comment,
    page_address,
    birthplaces,
    namesake_phone,
    town_note,
    way_to_birthplace,
    founding_issue,
    milestone_note,
    phone_message,
    project_comment,
    author_email,
)
