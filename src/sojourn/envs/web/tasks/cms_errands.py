"""What is to be changed in the back office of the shop."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial

from sojourn.envs.web.checks.states import Added, Removed, Updated
from sojourn.envs.web.sites.hosts import NOW
from sojourn.envs.web.tasks.cms import filtered, open_order, open_product
from sojourn.envs.web.tasks.phrases import table
from sojourn.envs.web.tasks.script import stop
from sojourn.envs.web.tasks.template import Category, Goal, Kind, Outline, Template, Values, changed
from sojourn.envs.web.view import View

errand = partial(
    Outline,
    kind=Kind.MUTATION,
    category=Category.CMS,
    sites=("admin",),
    accounts=("admin",),
    start="/admin",
)


# -------------------------------------------------------------------------------------------------------- products


@errand(
    name="cms-set-price",
    intents=(
        'Set the price of the "{name}" to "{price}" dollars.',
        'The "{name}" should cost "{price}" dollars from now on.',
    ),
    sql="""SELECT id AS key, id, name, printf('%d.%02d', (price_cents + 150 + id) / 100, (price_cents + 150 + id) % 100)
        AS price, price_cents + 150 + id AS price_cents FROM shop_product""",
    goal=lambda v: changed(
        Updated(table="shop_product", where={"id": v["id"]}, values={"price_cents": v["price_cents"]})
    ),
)
def set_price(view: View, v: Values) -> Iterator[str]:
    """Type it into the product's form."""
    yield from open_product(view, v["name"])
    yield view.type("textbox", "Price", v["price"])
    yield view.click("button", "Save")
    yield stop()


@errand(
    name="cms-restock",
    intents=(
        'A delivery of {pieces} pieces of the "{name}" has arrived: add them to its quantity.',
        'Raise the quantity of the "{name}" by {pieces}.',
    ),
    sql="""SELECT id AS key, id, name, stock, 10 + id % 50 AS pieces FROM shop_product""",
    goal=lambda v: changed(
        Updated(table="shop_product", where={"id": v["id"]}, values={"stock": v["stock"] + v["pieces"]})
    ),
)
def restock(view: View, v: Values) -> Iterator[str]:
    """Read the quantity and type the sum."""
    yield from open_product(view, v["name"])
    field = view.find("textbox", "Quantity")
    now = next((line.name for _, line in view.tree.inside(field)), "0")
    yield view.type("textbox", "Quantity", str(int(now) + v["pieces"]))
    yield view.click("button", "Save")
    yield stop()


@errand(
    name="cms-disable",
    intents=('Take the "{name}" out of the shop: disable it.', 'Disable the product "{name}".'),
    sql="SELECT id AS key, id, name FROM shop_product WHERE is_enabled",
    goal=lambda v: changed(Updated(table="shop_product", where={"id": v["id"]}, values={"is_enabled": 0})),
)
def disable(view: View, v: Values) -> Iterator[str]:
    """Clear its check box."""
    yield from open_product(view, v["name"])
    yield view.click("checkbox", "Enable Product")
    yield view.click("button", "Save")
    yield stop()


# --------------------------------------------------------------------------------------------------------- reviews

_ONE_PENDING = """SELECT r.id AS key, r.id, p.name, r.nickname FROM shop_review r
    JOIN shop_product p ON p.id = r.product_id WHERE r.status = 'pending' AND NOT EXISTS (SELECT 1 FROM shop_review s
    JOIN shop_product q ON q.id = s.product_id WHERE s.id <> r.id AND s.status = 'pending'
    AND instr(q.name, p.name) AND instr(s.nickname, r.nickname))"""


def _open_review(view: View, v: Values) -> Iterator[str]:
    yield from filtered(view, "Reviews", Status="Pending", Product=v["name"], Nickname=v["nickname"])
    first = view.row(v["name"], v["nickname"])
    yield view.click("link", within=first)


@errand(
    name="cms-approve-review",
    intents=(
        'Approve the pending review of the "{name}" by "{nickname}".',
        '"{nickname}" has reviewed the "{name}": approve that review.',
    ),
    sql=_ONE_PENDING,
    goal=lambda v: changed(Updated(table="shop_review", where={"id": v["id"]}, values={"status": "approved"})),
)
def approve_review(view: View, v: Values) -> Iterator[str]:
    """Set its status."""
    yield from _open_review(view, v)
    yield view.select("Status", "Approved")
    yield view.click("button", "Save Review")
    yield stop()


@errand(
    name="cms-delete-review",
    is_held_out=True,
    intents=('Delete the pending review of the "{name}" by "{nickname}".',),
    sql=_ONE_PENDING,
    goal=lambda v: changed(Removed(table="shop_review", where={"id": v["id"]})),
)
def delete_review(view: View, v: Values) -> Iterator[str]:
    """Delete it on its page."""
    yield from _open_review(view, v)
    yield view.click("button", "Delete Review")
    yield stop()


# ---------------------------------------------------------------------------------------------------------- orders


def _status(v: Values, status: str) -> Updated:
    return Updated(table="shop_order", where={"id": v["id"]}, values={"status": status})


@errand(
    name="cms-hold",
    intents=("Put order {number} on hold.", "Order {number} has to wait: put it on hold."),
    sql="SELECT number AS key, id, number FROM shop_order WHERE status IN ('pending', 'processing')",
    goal=lambda v: changed(_status(v, "on hold")),
)
def hold(view: View, v: Values) -> Iterator[str]:
    """One button."""
    yield from open_order(view, v["number"])
    yield view.click("button", "Hold")
    yield stop()


@errand(
    name="cms-cancel",
    intents=("Cancel order {number}.", "The customer does not want order {number} any more: cancel it."),
    sql="""SELECT o.number AS key, o.id, o.number, json_group_array(json_array(p.id, p.stock + l.quantity)) AS stocks
        FROM shop_order o JOIN shop_order_line l ON l.order_id = o.id JOIN shop_product p ON p.id = l.product_id
        WHERE o.status IN ('pending', 'on hold') AND o.id NOT IN (SELECT order_id FROM shop_invoice)
        AND o.id NOT IN (SELECT order_id FROM shop_shipment) GROUP BY o.id""",
    goal=lambda v: changed(
        _status(v, "canceled"),
        *(
            Updated(table="shop_product", where={"id": product}, values={"stock": stock})
            for product, stock in json.loads(v["stocks"])
        ),
    ),
)
def cancel(view: View, v: Values) -> Iterator[str]:
    """One button."""
    yield from open_order(view, v["number"])
    yield view.click("button", "Cancel")
    yield stop()


_CARRIERS = table("United Parcel Service", "Federal Express", "DHL", "United States Postal Service")


def _shipped(v: Values) -> Goal:
    shipment = {
        "order_id": v["id"],
        "carrier": v["carrier"],
        "tracking_number": v["tracking"],
        "created_at": NOW,
    }
    status = "complete" if v["is_invoiced"] else "processing"
    found = [Added(table="shop_shipment", values=shipment)]
    return changed(*found, *([] if v["status"] == status else [_status(v, status)]))


@errand(
    name="cms-ship",
    intents=(
        'Ship order {number} with {carrier} under the tracking number "{tracking}".',
        'Order {number} has left with {carrier}, tracking number "{tracking}": enter the shipment.',
    ),
    sql=f"""SELECT o.number || '-' || c.n AS key, o.id, o.number, o.status, c.text AS carrier,
        'TN' || (40000 + 37 * o.id + c.n) AS tracking,
        o.id IN (SELECT order_id FROM shop_invoice) AS is_invoiced FROM shop_order o JOIN {_CARRIERS} c
        WHERE o.status IN ('pending', 'processing') AND o.id NOT IN (SELECT order_id FROM shop_shipment)""",
    goal=_shipped,
)
def ship(view: View, v: Values) -> Iterator[str]:
    """Fill the form of the shipment."""
    yield from open_order(view, v["number"])
    yield view.select("Carrier", v["carrier"])
    yield view.type("textbox", "Tracking Number", v["tracking"])
    yield view.click("button", "Submit Shipment")
    yield stop()


_COMMENTS = table(
    "Called the customer, no answer.",
    "The parcel was left with a neighbor.",
    "Asked the warehouse to check the stock.",
    "The customer will pick it up.",
)


@errand(
    name="cms-comment",
    intents=(
        'Add the comment "{text}" to order {number}. Do not show it to the customer, and leave the status as it is.',
        'Note "{text}" on order {number}, for us only; the status stays.',
    ),
    sql=f"""SELECT o.number AS key, o.id, o.number, o.status, c.text FROM shop_order o
        JOIN {_COMMENTS} c ON c.n = o.id % 4""",
    goal=lambda v: changed(
        Added(
            table="shop_order_note",
            values={
                "order_id": v["id"],
                "text": v["text"],
                "status": v["status"],
                "is_visible": 0,
                "created_at": NOW,
            },
        )
    ),
)
def comment(view: View, v: Values) -> Iterator[str]:
    """Fill the form below the order."""
    yield from open_order(view, v["number"])
    yield view.type("textbox", "Comment", v["text"])
    yield view.click("button", "Submit Comment")
    yield stop()


# ------------------------------------------------------------------------------------------- customers and coupons


@errand(
    name="cms-customer-group",
    intents=("Move the customer {email} to the group {group}.", "Make {email} a customer of the group {group}."),
    sql="""SELECT c.id || '-' || lower(g.name) AS key, c.id, c.email, c.first_name || ' ' || c.last_name AS name,
        g.name AS 'group' FROM shop_customer c JOIN (SELECT DISTINCT group_name AS name FROM shop_customer) g
        ON g.name <> c.group_name""",
    goal=lambda v: changed(Updated(table="shop_customer", where={"id": v["id"]}, values={"group_name": v["group"]})),
)
def customer_group(view: View, v: Values) -> Iterator[str]:
    """Choose the group on the customer's page."""
    yield from filtered(view, "Customers", Email=v["email"])
    yield view.click("link", v["name"])
    yield view.select("Group", v["group"])
    yield view.click("button", "Save Customer")
    yield stop()


@errand(
    name="cms-new-coupon",
    intents=(
        'Create an active cart price rule "{rule}" with the coupon code "{code}": {percent} percent of the price off, '
        'minimum order amount "{minimum}" dollars, until "{until}".',
    ),
    sql=f"""SELECT o.n || '-' || p.n AS key, o.text || ' ' || p.percent AS rule,
        upper(substr(o.text, 1, 4)) || p.percent AS code, p.percent, 10 * (1 + (o.n + p.n) % 6) AS minimum,
        '2024-' || printf('%02d', 7 + (o.n + 2 * p.n) % 6) || '-28' AS until
        FROM {table("Picnic week", "Garden days", "Back to school", "Rainy season", "Members only", "Long weekend")} o
        JOIN {table((5,), (8,), (12,), (18,), (22,), columns=("percent",))} p""",
    goal=lambda v: changed(
        Added(
            table="shop_coupon",
            values={
                "code": v["code"],
                "name": v["rule"],
                "kind": "percent",
                "value": v["percent"],
                "minimum_cents": 100 * v["minimum"],
                "is_active": 1,
                "expires_on": v["until"],
            },
        )
    ),
)
def new_coupon(view: View, v: Values) -> Iterator[str]:
    """Fill the form of a new rule."""
    yield view.click("link", "Cart Price Rules")
    yield view.click("link", "Add New Rule")
    yield view.type("textbox", "Rule Name", v["rule"])
    yield view.type("textbox", "Coupon Code", v["code"])
    yield view.type("textbox", "Discount Amount", str(v["percent"]))
    yield view.type("textbox", "Minimum Order Amount", str(v["minimum"]))
    yield view.type("textbox", "Ends on (YYYY-MM-DD)", v["until"])
    if ("checked", "true") not in view.tree.lines[view.find("checkbox", "Active") - 1].node.properties:
        yield view.click("checkbox", "Active")
    yield view.click("button", "Save")
    yield stop()


TEMPLATES: tuple[Template, ...] = (
    set_price,
    approve_review,
    comment,
    restock,
    hold,
    ship,
    disable,
    customer_group,
    cancel,
    new_coupon,
    delete_review,
)
