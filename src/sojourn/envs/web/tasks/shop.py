"""What a customer asks of the shop."""

from __future__ import annotations

from collections.abc import Iterator

from sojourn.envs.web.checks.addresses import Target
from sojourn.envs.web.checks.answers import NOT_AVAILABLE, cents, text
from sojourn.envs.web.checks.states import Added
from sojourn.envs.web.sites.hosts import NOW, ORIGINS
from sojourn.envs.web.tasks.script import below, cells, fact, follow, search, stop, turn_to
from sojourn.envs.web.tasks.script import text as text_after
from sojourn.envs.web.tasks.template import Category, Kind, Outline, Template, Values, answered, changed, shown
from sojourn.envs.web.view import View

SHOP = ORIGINS["shop"]
USUAL = {"sort": "position", "dir": "asc", "page": "1"}
"""Fields of a list of products and the values they have where they are left out."""
EMMA = "(SELECT id FROM shop_customer WHERE email = 'emma.lopez@gmail.com')"


def open_product(view: View, v: Values) -> Iterator[str]:
    """Search for a product and open its page."""
    yield from search(view, v["name"])
    yield from follow(view, v["name"])


# ------------------------------------------------------------------------------------------------------- questions


@Outline(
    name="shop-price",
    kind=Kind.INFORMATION,
    category=Category.SHOPPING,
    sites=("shop",),
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


@Outline(
    name="shop-cheapest",
    kind=Kind.INFORMATION,
    category=Category.SHOPPING,
    sites=("shop",),
    intents=(
        "Which is the cheapest product in the category {category}? Answer with its full name.",
        "Give the full name of the product of the category {category} that costs least.",
    ),
    sql="""SELECT c.slug AS key, c.name AS category, p.name FROM shop_category c JOIN shop_product p
        ON p.category_id = c.id AND p.is_enabled
        WHERE c.parent_id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM shop_product q WHERE q.category_id = c.id
        AND q.is_enabled AND q.id <> p.id AND q.price_cents <= p.price_cents)""",
    goal=lambda v: answered(text(v["name"])),
)
def cheapest(view: View, v: Values) -> Iterator[str]:
    """Sort the category by price."""
    yield view.click("link", v["category"])
    yield view.select("Sort by", "Price")
    yield view.click("button", "Apply")
    yield stop(below(view, view.find("button", "Apply") + 1, "heading"))


@Outline(
    name="shop-order-total",
    kind=Kind.INFORMATION,
    category=Category.SHOPPING,
    sites=("shop",),
    accounts=("shop",),
    intents=(
        "What was the total of my order {number}?",
        "How much did I pay for order {number} in all?",
    ),
    sql=f"SELECT number AS key, number, total_cents FROM shop_order WHERE customer_id = {EMMA}",
    goal=lambda v: answered(cents(v["total_cents"])),
)
def order_total(view: View, v: Values) -> Iterator[str]:
    """Look it up among all orders."""
    yield view.click("link", "My Account")
    yield view.click("link", "My Orders")
    yield from turn_to(view, v["number"])
    yield stop(cells(view, view.row(v["number"]))[3])


# ------------------------------------------------------------------------------------------------------ navigation


@Outline(
    name="shop-open-category",
    kind=Kind.NAVIGATION,
    category=Category.SHOPPING,
    sites=("shop",),
    intents=("Open the category {category}.", "Show me what there is under {category}."),
    sql="SELECT slug AS key, slug, name AS category FROM shop_category",
    goal=lambda v: shown(Target(url=f"{SHOP}/category/{v['slug']}", usual=USUAL)),
)
def open_category(view: View, v: Values) -> Iterator[str]:
    """One click."""
    yield view.click("link", v["category"])
    yield stop()


@Outline(
    name="shop-sort-category",
    kind=Kind.NAVIGATION,
    category=Category.SHOPPING,
    sites=("shop",),
    start="/category/{slug}",
    intents=(
        "Sort the category {category} by {by}, {direction}.",
        "List the products of {category} by {by}, {direction}.",
    ),
    sql="""SELECT c.slug || '-' || s.sort || '-' || d.dir AS key, c.slug, c.name AS category, s.*, d.*
        FROM shop_category c
        JOIN (SELECT 'price' AS sort, 'price' AS by UNION ALL SELECT 'name', 'product name'
              UNION ALL SELECT 'rating', 'rating') s
        JOIN (SELECT 'asc' AS dir, 'ascending' AS direction UNION ALL SELECT 'desc', 'descending') d
        WHERE c.parent_id IS NOT NULL""",
    goal=lambda v: shown(Target(url=f"{SHOP}/category/{v['slug']}?sort={v['sort']}&dir={v['dir']}", usual=USUAL)),
)
def sort_category(view: View, v: Values) -> Iterator[str]:
    """Choose the order, apply it."""
    yield view.select("Sort by", {"price": "Price", "name": "Product name", "rating": "Rating"}[v["sort"]])
    if v["dir"] == "desc":
        yield view.select("Direction", "Descending")
    yield view.click("button", "Apply")
    yield stop()


# --------------------------------------------------------------------------------------------------------- errands


def in_cart(product_id: int, quantity: int) -> tuple[Added, Added]:
    """A cart of Emma's that holds this and nothing else; she has none at the start."""
    return (
        Added(table="shop_cart", values={"customer_id": 1, "session_id": None, "coupon_code": ""}),
        Added(table="shop_cart_item", values={"cart_id": 1, "product_id": product_id, "quantity": quantity}),
    )


@Outline(
    name="shop-add-to-cart",
    kind=Kind.MUTATION,
    category=Category.SHOPPING,
    sites=("shop",),
    accounts=("shop",),
    start="/product/{slug}",
    intents=("Put this product into my cart.", "Add one of the product on this page to the cart."),
    sql="SELECT id AS key, id, slug, name FROM shop_product WHERE is_enabled AND stock > 0",
    goal=lambda v: changed(*in_cart(v["id"], 1)),
)
def add_to_cart(view: View, v: Values) -> Iterator[str]:
    """One click."""
    yield view.click("button", "Add to Cart")
    yield stop()


@Outline(
    name="shop-add-quantity",
    kind=Kind.MUTATION,
    category=Category.SHOPPING,
    sites=("shop",),
    accounts=("shop",),
    intents=(
        'I need {quantity} pieces of the "{name}": put them into my cart.',
        'Add {quantity} of the "{name}" to my cart.',
    ),
    sql="SELECT id AS key, id, name, 2 + id % 4 AS quantity FROM shop_product WHERE is_enabled AND stock >= 10",
    goal=lambda v: changed(*in_cart(v["id"], v["quantity"])),
)
def add_quantity(view: View, v: Values) -> Iterator[str]:
    """Set the quantity on the product's page."""
    yield from open_product(view, v)
    yield view.type("textbox", "Qty", str(v["quantity"]))
    yield view.click("button", "Add to Cart")
    yield stop()


@Outline(
    name="shop-wish",
    kind=Kind.MUTATION,
    category=Category.SHOPPING,
    sites=("shop",),
    accounts=("shop",),
    intents=('Put the "{name}" on my wish list.', 'Add the "{name}" to my wish list.'),
    sql=f"""SELECT id AS key, id, name FROM shop_product WHERE is_enabled
        AND id NOT IN (SELECT product_id FROM shop_wish WHERE customer_id = {EMMA})""",
    goal=lambda v: changed(Added(table="shop_wish", values={"customer_id": 1, "product_id": v["id"], "added_at": NOW})),
)
def wish(view: View, v: Values) -> Iterator[str]:
    """Open it and click."""
    yield from open_product(view, v)
    yield view.click("button", "Add to Wish List")
    yield stop()


# -------------------------------------------------------------------------------------------------------- impossible


@Outline(
    name="shop-price-of-nothing",
    kind=Kind.INFEASIBLE,
    category=Category.SHOPPING,
    sites=("shop",),
    intents=price.intents,
    sql="""SELECT p.id AS key, b.brand || substr(p.name, length(p.brand) + 1) AS name FROM shop_product p
        JOIN (SELECT DISTINCT brand FROM shop_product) b
        WHERE (p.id * 31 + unicode(b.brand)) % 40 = 0 AND NOT EXISTS (SELECT 1 FROM shop_product q
        WHERE q.name = b.brand || substr(p.name, length(p.brand) + 1)) GROUP BY p.id""",
    goal=lambda v: answered(NOT_AVAILABLE),
)
def price_of_nothing(view: View, v: Values) -> Iterator[str]:
    """Search and find nothing of the name."""
    yield from search(view, v["name"])
    yield stop("N/A")


@Outline(
    name="shop-attribute",
    kind=Kind.INFORMATION,
    category=Category.SHOPPING,
    sites=("shop",),
    is_held_out=True,
    intents=('Which {attribute} does the shop state for the "{name}"?',),
    sql="""SELECT p.id || '-' || lower(replace(a.name, ' ', '-')) AS key, p.name, a.name AS attribute, a.value
        FROM shop_attribute a JOIN shop_product p ON p.id = a.product_id WHERE p.is_enabled AND a.value <> 'None'""",
    goal=lambda v: answered(text(v["value"])),
)
def attribute(view: View, v: Values) -> Iterator[str]:
    """Read the table of details."""
    yield from open_product(view, v)
    yield stop(fact(view, v["attribute"]))


TEMPLATES: tuple[Template, ...] = (
    price,
    cheapest,
    order_total,
    open_category,
    sort_category,
    add_to_cart,
    add_quantity,
    wish,
    price_of_nothing,
    attribute,
)
