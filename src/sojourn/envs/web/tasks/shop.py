"""What a customer of the shop wants to know, and to see."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from functools import partial

from sojourn.envs.web.checks.addresses import Target
from sojourn.envs.web.checks.answers import NOT_AVAILABLE, cents, day, number, text
from sojourn.envs.web.sites.hosts import ORIGINS
from sojourn.envs.web.tasks.phrases import MONTHS, table
from sojourn.envs.web.tasks.script import below, cells, follow, rows, search, stop, text_after, turn_to
from sojourn.envs.web.tasks.template import Category, Kind, Outline, Template, Values, answered, shown
from sojourn.envs.web.view import View

SHOP = ORIGINS["shop"]
USUAL = {"sort": "position", "dir": "asc", "page": "1"}
"""Fields of a list of products and the values that they have where they are left out."""
EMMA = "(SELECT id FROM shop_customer WHERE email = 'emma.lopez@gmail.com')"

question = partial(Outline, kind=Kind.INFORMATION, category=Category.SHOPPING, sites=("shop",))
navigation = partial(Outline, kind=Kind.NAVIGATION, category=Category.SHOPPING, sites=("shop",))
impossible = partial(
    Outline,
    kind=Kind.INFEASIBLE,
    category=Category.SHOPPING,
    sites=("shop",),
    goal=lambda v: answered(NOT_AVAILABLE),
)


def open_product(view: View, v: Values) -> Iterator[str]:
    """Search for a product and open its page."""
    yield from search(view, v["name"])
    yield from follow(view, v["name"])


def open_order(view: View, v: Values) -> Iterator[str]:
    """Open one of the customer's orders."""
    yield view.click("link", "My Account")
    yield view.click("link", "My Orders")
    yield from turn_to(view, v["number"])
    yield view.click("link", "View Order", within=view.row(v["number"]))


# ------------------------------------------------------------------------------------------------------- questions


@question(
    name="shop-price",
    intents=(
        'What does the "{name}" cost?',
        'Tell me the price of the "{name}".',
        'How much is one "{name}"?',
    ),
    sql="SELECT id AS key, name, price_cents FROM shop_product WHERE is_enabled",
    goal=lambda v: answered(cents(v["price_cents"])),
)
def price(view: View, v: Values) -> Iterator[str]:
    """Find the product and read its price."""
    yield from open_product(view, v)
    yield stop(text_after(view, "Price:"))


@question(
    name="shop-sku",
    is_held_out=True,
    intents=('Under which SKU does the shop list the "{name}"?', 'What is the SKU of the "{name}"?'),
    sql="SELECT id AS key, name, sku FROM shop_product WHERE is_enabled",
    goal=lambda v: answered(text(v["sku"])),
)
def sku(view: View, v: Values) -> Iterator[str]:
    """Read it on the product's page."""
    yield from open_product(view, v)
    yield stop(text_after(view, "SKU:"))


@question(
    name="shop-extreme",
    intents=(
        "Which is the {word} product in the category {category}? Answer with its full name.",
        "Give the full name of the {word} product that the shop has under {category}.",
    ),
    sql=f"""SELECT c.slug || '-' || w.dir AS key, c.name AS category, w.text AS word, w.dir, p.name
        FROM shop_category c JOIN {table(("cheapest", "asc"), ("most expensive", "desc"), columns=("text", "dir"))} w
        JOIN shop_product p ON p.category_id = c.id AND p.is_enabled
        WHERE NOT EXISTS (SELECT 1 FROM shop_product q WHERE q.category_id = c.id AND q.is_enabled AND q.id <> p.id
        AND CASE w.dir WHEN 'asc' THEN q.price_cents <= p.price_cents ELSE q.price_cents >= p.price_cents END)""",
    goal=lambda v: answered(text(v["name"])),
)
def extreme(view: View, v: Values) -> Iterator[str]:
    """Sort the category by price and read the first name."""
    yield view.click("link", v["category"])
    yield view.select("Sort by", "Price")
    if v["dir"] == "desc":
        yield view.select("Direction", "Descending")
    yield view.click("button", "Apply")
    yield stop(below(view, view.find("button", "Apply"), "heading"))


@question(
    name="shop-count-brand",
    intents=(
        "How many products of the brand {brand} are there in the category {category}? Answer with a number.",
        "Count the products by {brand} that the shop lists under {category}.",
    ),
    sql="""SELECT c.slug || '-' || lower(replace(p.brand, ' ', '-')) AS key, p.brand, c.name AS category,
        count(*) AS count
        FROM shop_product p JOIN shop_category c ON c.id = p.category_id WHERE p.is_enabled GROUP BY c.id, p.brand""",
    goal=lambda v: answered(number(v["count"], "products", "product")),
)
def count_brand(view: View, v: Values) -> Iterator[str]:
    """Filter the category by brand."""
    yield view.click("link", v["category"])
    yield view.select("Brand", v["brand"])
    yield view.click("button", "Apply")
    yield stop(text_after(view, "Items").split()[-1])


@question(
    name="shop-reviewer",
    intents=(
        'Who wrote the review "{title}" of the "{name}"? Answer with the name that the review gives.',
        'Under which name was the "{name}" reviewed with the summary "{title}"?',
    ),
    sql="""SELECT r.id AS key, p.name, r.title, r.nickname FROM shop_review r JOIN shop_product p ON p.id = r.product_id
        WHERE r.status = 'approved' AND p.is_enabled GROUP BY p.id, r.title HAVING count(*) = 1""",
    goal=lambda v: answered(text(v["nickname"], v["nickname"].rstrip("."))),
)
def reviewer(view: View, v: Values) -> Iterator[str]:
    """Read the review of this summary."""
    yield from open_product(view, v)
    said = text_after(view, "Review by", after=view.find("heading", v["title"]))
    yield stop(said.partition(" Posted on ")[0])


@question(
    name="shop-num-reviews",
    intents=(
        'How many reviews of the "{name}" give it {stars} out of 5? Answer with a number.',
        'Count the reviews of the "{name}" that rate it {stars} out of 5.',
    ),
    sql="""SELECT p.id || '-' || r.stars AS key, p.name, r.stars, count(*) AS count FROM shop_review r
        JOIN shop_product p ON p.id = r.product_id WHERE r.status = 'approved' AND p.is_enabled
        GROUP BY p.id, r.stars""",
    goal=lambda v: answered(number(v["count"], "reviews", "review")),
)
def num_reviews(view: View, v: Values) -> Iterator[str]:
    """Count them on the product's page."""
    yield from open_product(view, v)
    yield stop(str(len(view.tree.find("StaticText", f"Rating: {v['stars']} out of 5"))))


@question(
    name="shop-order-total",
    accounts=("shop",),
    intents=("What was the total of my order {number}?", "How much did I pay for order {number} in all?"),
    sql=f"SELECT number AS key, number, total_cents FROM shop_order WHERE customer_id = {EMMA}",
    goal=lambda v: answered(cents(v["total_cents"])),
)
def order_total(view: View, v: Values) -> Iterator[str]:
    """Look it up among all orders."""
    yield view.click("link", "My Account")
    yield view.click("link", "My Orders")
    yield from turn_to(view, v["number"])
    yield stop(cells(view, view.row(v["number"]))[3])


@question(
    name="shop-last-ordered",
    accounts=("shop",),
    intents=(
        "When did I order something from {brand} last? Answer with the date.",
        "On which day did I place my latest order that has a product by {brand} in it?",
    ),
    sql=f"""SELECT lower(replace(p.brand, ' ', '-')) AS key, p.brand, max(o.placed_at) AS placed_at, count(*) AS orders
        FROM shop_order o JOIN shop_order_line l ON l.order_id = o.id JOIN shop_product p ON p.id = l.product_id
        WHERE o.customer_id = {EMMA} AND o.status <> 'canceled'
        AND o.id > (SELECT id FROM shop_order WHERE customer_id = {EMMA} ORDER BY id DESC LIMIT 1 OFFSET 5)
        AND p.brand NOT IN (SELECT q.brand FROM shop_order c JOIN shop_order_line m ON m.order_id = c.id
            JOIN shop_product q ON q.id = m.product_id WHERE c.customer_id = {EMMA} AND c.status = 'canceled')
        GROUP BY p.brand""",
    goal=lambda v: answered(day(v["placed_at"])),
)
def last_ordered(view: View, v: Values) -> Iterator[str]:
    """Open the orders one after the other, the latest first."""
    yield view.click("link", "My Account")
    yield view.click("link", "My Orders")
    for place in range(len(view.tree.find("link", "View Order"))):
        yield view.click("link", "View Order", nth=place)
        if any(line.name.startswith(f"{v['brand']} ") for line in view.tree.lines if line.node.role == "link"):
            yield stop(text_after(view, "Order Date:"))
            return
        yield "go_back"


@question(
    name="shop-spent",
    accounts=("shop",),
    intents=(
        "How much did I spend in the shop in {month} {year}? Leave canceled orders out.",
        "Add up the totals of my orders of {month} {year} that were not canceled.",
    ),
    sql=f"""SELECT substr(o.placed_at, 1, 7) AS key, substr(o.placed_at, 1, 4) AS year, m.name AS month,
        sum(o.total_cents) AS total_cents FROM shop_order o JOIN {MONTHS} m ON m.number = substr(o.placed_at, 6, 2)
        WHERE o.customer_id = {EMMA} AND o.status <> 'canceled' GROUP BY 1""",
    goal=lambda v: answered(cents(v["total_cents"])),
)
def spent(view: View, v: Values) -> Iterator[str]:
    """Add up the list of orders, page by page."""
    yield view.click("link", "My Account")
    yield view.click("link", "My Orders")
    total = Decimal(0)
    while True:
        for _, placed, _, amount, status, _ in rows(view):
            if placed.startswith(v["month"][:3]) and placed.endswith(v["year"]) and status != "Canceled":
                total += Decimal(amount.replace("$", "").replace(",", ""))
        if not view.has("link", "Next"):
            break
        yield view.click("link", "Next")
    yield stop(f"${total}")


# ------------------------------------------------------------------------------------------------------ navigation


@navigation(
    name="shop-open-category",
    intents=("Open the category {category}.", "Show me what there is under {category}."),
    sql="SELECT slug AS key, slug, name AS category FROM shop_category",
    goal=lambda v: shown(Target(url=f"{SHOP}/category/{v['slug']}", usual=USUAL)),
)
def open_category(view: View, v: Values) -> Iterator[str]:
    """One click."""
    yield view.click("link", v["category"])
    yield stop()


@navigation(
    name="shop-open-product",
    start="/category/{category}",
    intents=('Open the page of the "{name}".', 'Show me the details of the "{name}".'),
    sql="""SELECT p.id AS key, p.slug, p.name, c.slug AS category FROM shop_product p
        JOIN shop_category c ON c.id = p.category_id WHERE p.is_enabled AND (SELECT count(*) FROM shop_product q
        WHERE q.category_id = p.category_id AND q.is_enabled AND q.id <= p.id) <= 12""",
    goal=lambda v: shown(Target(url=f"{SHOP}/product/{v['slug']}")),
)
def open_one(view: View, v: Values) -> Iterator[str]:
    """One click."""
    yield view.click("link", v["name"])
    yield stop()


@navigation(
    name="shop-sort-category",
    start="/category/{slug}",
    intents=(
        "Sort this category by {by}, {direction}.",
        "List what is shown here by {by}, {direction}.",
    ),
    sql=f"""SELECT c.slug || '-' || s.sort || '-' || d.dir AS key, c.slug, c.name AS category, s.*, d.*
        FROM shop_category c
        JOIN {table(("price", "price"), ("name", "product name"), ("rating", "rating"), columns=("sort", "by"))} s
        JOIN {table(("asc", "ascending"), ("desc", "descending"), columns=("dir", "direction"))} d
        WHERE c.parent_id IS NOT NULL""",
    goal=lambda v: shown(Target(url=f"{SHOP}/category/{v['slug']}?sort={v['sort']}&dir={v['dir']}", usual=USUAL)),
)
def sort_category(view: View, v: Values) -> Iterator[str]:
    """Choose the order, apply it."""
    yield view.select("Sort by", v["by"].capitalize())
    if v["dir"] == "desc":
        yield view.select("Direction", "Descending")
    yield view.click("button", "Apply")
    yield stop()


@navigation(
    name="shop-filter-category",
    is_held_out=True,
    intents=(
        'List the products of the category {category} by the brand "{brand}" that cost at most "{dollars}" dollars.',
        'In {category}, show only what is made by "{brand}" and costs "{dollars}" dollars or less.',
    ),
    sql="""SELECT c.slug || '-' || lower(replace(p.brand, ' ', '-')) AS key, c.slug, c.name AS category, p.brand,
        10 + max(p.price_cents) / 1000 * 10 AS dollars
        FROM shop_product p JOIN shop_category c ON c.id = p.category_id WHERE p.is_enabled AND p.brand NOT LIKE '%&%'
        GROUP BY c.id, p.brand""",
    goal=lambda v: shown(
        Target(
            url=f"{SHOP}/category/{v['slug']}?brand={v['brand'].replace(' ', '+')}&price_to={v['dollars']}", usual=USUAL
        )
    ),
)
def filter_category(view: View, v: Values) -> Iterator[str]:
    """Fill the filter."""
    yield view.click("link", v["category"])
    yield view.select("Brand", v["brand"])
    yield view.type("textbox", "Price to", str(v["dollars"]))
    yield view.click("button", "Apply")
    yield stop()


@navigation(
    name="shop-open-order",
    accounts=("shop",),
    intents=("Show me my order {number}.", "Open the page of my order {number}."),
    sql=f"SELECT number AS key, number FROM shop_order WHERE customer_id = {EMMA}",
    goal=lambda v: shown(Target(url=f"{SHOP}/account/orders/{v['number']}")),
)
def show_order(view: View, v: Values) -> Iterator[str]:
    """Open it from the list of orders."""
    yield from open_order(view, v)
    yield stop()


# ------------------------------------------------------------------------------------------------------ impossible


@impossible(
    name="shop-price-of-nothing",
    intents=price.intents,
    sql="""SELECT p.id AS key, b.brand || substr(p.name, length(p.brand) + 1) AS name FROM shop_product p
        JOIN (SELECT DISTINCT brand FROM shop_product) b
        WHERE (p.id * 31 + unicode(b.brand)) % 40 = 0 AND NOT EXISTS (SELECT 1 FROM shop_product q
        WHERE q.name = b.brand || substr(p.name, length(p.brand) + 1)) GROUP BY p.id""",
)
def price_of_nothing(view: View, v: Values) -> Iterator[str]:
    """Search and find nothing of the name."""
    yield from search(view, v["name"])
    yield stop("N/A")


@impossible(
    name="shop-total-of-nothing",
    accounts=("shop",),
    intents=order_total.intents,
    sql=f"SELECT number AS key, number FROM shop_order WHERE customer_id <> {EMMA} AND id % 7 = 0",
)
def total_of_nothing(view: View, v: Values) -> Iterator[str]:
    """Look for an order of somebody else in all pages of the list."""
    yield view.click("link", "My Account")
    yield view.click("link", "My Orders")
    yield from turn_to(view, v["number"])
    yield stop("N/A")


TEMPLATES: tuple[Template, ...] = (
    price,
    open_category,
    extreme,
    open_one,
    order_total,
    price_of_nothing,
    count_brand,
    sort_category,
    reviewer,
    show_order,
    num_reviews,
    total_of_nothing,
    filter_category,
    last_ordered,
    spent,
    sku,
)
