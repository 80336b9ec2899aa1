"""What a customer of the shop wants done."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial

from sojourn.envs.web.checks.states import Added, Removed, Updated
from sojourn.envs.web.sites.hosts import NOW
from sojourn.envs.web.tasks.phrases import table
from sojourn.envs.web.tasks.script import stop
from sojourn.envs.web.tasks.shop import EMMA, open_order, open_product
from sojourn.envs.web.tasks.template import Category, Goal, Kind, Outline, Template, Values, changed
from sojourn.envs.web.view import View

errand = partial(Outline, kind=Kind.MUTATION, category=Category.SHOPPING, sites=("shop",), accounts=("shop",))


def in_cart(quantities: dict[int, int], coupon: str = "") -> Goal:
    """Emma's cart, of which she has none at the start, holds these products and nothing else."""
    cart = Added(table="shop_cart", values={"customer_id": 1, "session_id": None, "coupon_code": coupon})
    items = [
        Added(table="shop_cart_item", values={"cart_id": 1, "product_id": product, "quantity": quantity})
        for product, quantity in quantities.items()
    ]
    return changed(cart, *items)


@errand(
    name="shop-add-to-cart",
    start="/product/{slug}",
    intents=("Put this product, {name}, into my cart.", "Add one {name} to the cart."),
    sql="SELECT id AS key, id, slug, name FROM shop_product WHERE is_enabled AND stock > 0",
    goal=lambda v: in_cart({v["id"]: 1}),
)
def add_to_cart(view: View, v: Values) -> Iterator[str]:
    """One click."""
    yield view.click("button", "Add to Cart")
    yield stop()


@errand(
    name="shop-add-quantity",
    intents=(
        'I need {quantity} pieces of the "{name}": put them into my cart.',
        'Add {quantity} of the "{name}" to my cart.',
    ),
    sql="SELECT id AS key, id, name, 2 + id % 4 AS quantity FROM shop_product WHERE is_enabled AND stock >= 10",
    goal=lambda v: in_cart({v["id"]: v["quantity"]}),
)
def add_quantity(view: View, v: Values) -> Iterator[str]:
    """Set the quantity on the product's page."""
    yield from open_product(view, v)
    yield view.type("textbox", "Qty", str(v["quantity"]))
    yield view.click("button", "Add to Cart")
    yield stop()


@errand(
    name="shop-coupon",
    intents=(
        'Put one "{name}" into my cart and use the discount code "{code}" for it.',
        'I want to buy one "{name}" with the coupon "{code}": prepare my cart, but do not order yet.',
    ),
    sql="""SELECT p.id || '-' || c.code AS key, p.id, p.name, c.code FROM shop_product p JOIN shop_coupon c
        ON c.is_active AND c.expires_on > '2024-06-15' AND p.price_cents >= c.minimum_cents
        WHERE p.is_enabled AND p.stock > 0 AND (p.id + c.id) % 3 = 0""",
    goal=lambda v: in_cart({v["id"]: 1}, v["code"]),
)
def coupon(view: View, v: Values) -> Iterator[str]:
    """Add it, enter the code in the cart."""
    yield from open_product(view, v)
    yield view.click("button", "Add to Cart")
    yield view.click("link", "My Cart (1)")
    yield view.type("textbox", "Discount code", v["code"])
    yield view.click("button", "Apply Discount")
    yield stop()


@errand(
    name="shop-reorder",
    is_held_out=True,
    intents=("Put everything from my order {number} into the cart again.", "Reorder {number}, but do not check out."),
    sql=f"""SELECT o.number AS key, o.number,
        json_group_array(json_array(l.product_id, l.quantity)) AS lines FROM shop_order o
        JOIN shop_order_line l ON l.order_id = o.id WHERE o.customer_id = {EMMA} AND NOT EXISTS (
        SELECT 1 FROM shop_order_line m JOIN shop_product p ON p.id = m.product_id WHERE m.order_id = o.id
        AND (NOT p.is_enabled OR p.stock < m.quantity)) GROUP BY o.id""",
    goal=lambda v: in_cart(dict(json.loads(v["lines"]))),
)
def reorder(view: View, v: Values) -> Iterator[str]:
    """Open the order, click."""
    yield from open_order(view, v)
    yield view.click("button", "Reorder")
    yield stop()


@errand(
    name="shop-wish",
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


@errand(
    name="shop-unwish",
    intents=('Take the "{name}" off my wish list.', 'I no longer wish for the "{name}": remove it from my list.'),
    sql=f"""SELECT p.id AS key, p.id, p.name FROM shop_wish w JOIN shop_product p ON p.id = w.product_id
        WHERE w.customer_id = {EMMA} AND p.is_enabled""",
    goal=lambda v: changed(Removed(table="shop_wish", where={"customer_id": 1, "product_id": v["id"]})),
)
def unwish(view: View, v: Values) -> Iterator[str]:
    """Remove it from the list."""
    yield view.click("link", "My Wish List")
    yield view.click("button", "Remove", within=view.row(v["name"]))
    yield stop()


_REVIEWS = table(
    (5, "Just right", "It does all that I hoped for."),
    (4, "Good value", "Well made for what it costs."),
    (3, "So so", "It is fine, but I have seen better."),
    (2, "Not for me", "It came late and feels cheap."),
    (1, "Broken", "It stopped working on the second day."),
    columns=("stars", "title", "body"),
)


@errand(
    name="shop-review",
    intents=(
        'Review the "{name}": {stars} stars, summary "{title}", review "{body}". Leave the nickname as it is.',
        'Rate the "{name}" with {stars} stars; the summary is "{title}" and the text "{body}". Keep my nickname.',
    ),
    sql=f"""SELECT p.id AS key, p.id, p.name, r.stars, r.title, r.body FROM shop_product p
        JOIN {_REVIEWS} r ON r.n = p.id % 5 WHERE p.is_enabled""",
    goal=lambda v: changed(
        Added(
            table="shop_review",
            values={
                "product_id": v["id"],
                "customer_id": 1,
                "nickname": "Emma",
                "title": v["title"],
                "text": v["body"],
                "stars": v["stars"],
                "status": "pending",
                "created_at": NOW,
            },
        )
    ),
)
def review(view: View, v: Values) -> Iterator[str]:
    """Fill the form on the product's page."""
    yield from open_product(view, v)
    yield view.select("Your rating", "1 star" if v["stars"] == 1 else f"{v['stars']} stars")
    yield view.type("textbox", "Summary", v["title"])
    yield view.type("textbox", "Review", v["body"])
    yield view.click("button", "Submit Review")
    yield stop()


_MESSAGES = table(
    "My parcel has not arrived yet.",
    "Please send me an invoice for it.",
    "One of the products came damaged.",
    "Can I still change the address?",
)


@errand(
    name="shop-contact",
    intents=(
        'Write to the shop through the contact form: "Order {number}: {text}" Leave name and email as they are.',
        'Use the contact form to send "Order {number}: {text}" and change nothing else in it.',
    ),
    sql=f"""SELECT o.number || '-' || m.n AS key, o.number, m.text FROM shop_order o JOIN {_MESSAGES} m
        WHERE o.customer_id = {EMMA}""",
    goal=lambda v: changed(
        Added(
            table="shop_message",
            values={
                "name": "Emma Lopez",
                "email": "emma.lopez@gmail.com",
                "phone": "",
                "text": f"Order {v['number']}: {v['text']}",
                "created_at": NOW,
            },
        )
    ),
)
def contact(view: View, v: Values) -> Iterator[str]:
    """Fill the contact form."""
    yield view.click("link", "Contact us")
    yield view.type("textbox", "What's on your mind?", f"Order {v['number']}: {v['text']}")
    yield view.click("button", "Submit")
    yield stop()


@errand(
    name="shop-address",
    intents=(
        'Add an address to my address book: "{street}", "{city}", "{state}", zip code "{postcode}", phone "{phone}". '
        "The name stays Emma Lopez, and it is not the default one.",
    ),
    sql="""SELECT id AS key, (1 + id % 97) || ' ' || substr(street, instr(street, ' ') + 1) AS street, city, state,
        postcode, '555-201-' || (1000 + id) AS phone FROM shop_address WHERE customer_id <> 1""",
    goal=lambda v: changed(
        Added(
            table="shop_address",
            values={
                "customer_id": 1,
                "name": "Emma Lopez",
                "is_default": 0,
                **{name: v[name] for name in ("street", "city", "state", "postcode", "phone")},
            },
        )
    ),
)
def address(view: View, v: Values) -> Iterator[str]:
    """Fill the form of the address book."""
    yield view.click("link", "My Account")
    yield view.click("link", "Address Book")
    yield view.click("link", "Add New Address")
    for label, column in (
        ("Street Address", "street"),
        ("City", "city"),
        ("State/Province", "state"),
        ("Zip/Postal Code", "postcode"),
        ("Phone Number", "phone"),
    ):
        yield view.type("textbox", label, v[column])
    yield view.click("button", "Save Address")
    yield stop()


_HOME = {
    "name": "Emma Lopez",
    "street": "46 Mill Road",
    "city": "Austin",
    "state": "Texas",
    "postcode": "78704",
    "phone": "555-745-8094",
}


def _order(v: Values) -> Goal:
    free_from = v["free_from_cents"]
    shipping = 0 if free_from is not None and v["price_cents"] >= free_from else v["shipping_price"]
    order = Added(
        table="shop_order",
        values={
            "number": "000000449",
            "customer_id": 1,
            "placed_at": NOW,
            "status": "pending",
            **_HOME,
            "shipping_method": v["code"],
            "payment_method": v["payment"],
            "coupon_code": "",
            "subtotal_cents": v["price_cents"],
            "discount_cents": 0,
            "shipping_cents": shipping,
            "total_cents": v["price_cents"] + shipping,
        },
    )
    line = {"order_id": 449, "product_id": v["id"], "price_cents": v["price_cents"], "quantity": 1}
    stock = Updated(table="shop_product", where={"id": v["id"]}, values={"stock": v["stock"] - 1})
    return changed(order, Added(table="shop_order_line", values=line), stock)


@errand(
    name="shop-buy",
    intents=(
        'Buy one "{name}": ship it to my default address with {shipping}, pay by {payment}.',
        'Order a single "{name}" to my default address. Shipping: {shipping}. Payment: {payment}.',
    ),
    sql=f"""SELECT p.id AS key, p.id, p.name, p.price_cents, p.stock, m.code, m.name AS shipping,
        m.price_cents AS shipping_price, m.free_from_cents, y.text AS payment FROM shop_product p
        JOIN (SELECT *, row_number() OVER (ORDER BY code) - 1 AS n FROM shop_shipping_method) m ON m.n = p.id % 4
        JOIN {table("Check / Money order", "Credit card")} y ON y.n = p.id / 4 % 2
        WHERE p.is_enabled AND p.stock > 0""",
    goal=_order,
)
def buy(view: View, v: Values) -> Iterator[str]:
    """From the search to the order."""
    yield from open_product(view, v)
    yield view.click("button", "Add to Cart")
    yield view.click("link", "My Cart (1)")
    yield view.click("link", "Proceed to Checkout")
    method = next(line.name for line in view.tree.lines if line.name.startswith(f"{v['shipping']}, "))
    yield view.click("radio", method)
    yield view.click("radio", v["payment"])
    yield view.click("button", "Place Order")
    yield stop()


TEMPLATES: tuple[Template, ...] = (
    add_to_cart,
    add_quantity,
    wish,
    review,
    buy,
    contact,
    coupon,
    address,
    unwish,
    reorder,
)
