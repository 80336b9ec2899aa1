"""Tasks of the shop's merchant (Oscar's dashboard)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sojourn.envs.web.checks.answers import RightAnswer, money, number, text
from sojourn.envs.web.checks.states import Added, EndState, Updated
from sojourn.envs.web.webapps.hosts import MERCHANT, SHOP_HOST
from sojourn.envs.web.webapps.tasks.shop import DB, product
from sojourn.envs.web.webapps.tasks.task import UNCHANGED, AppTask, Data, Look, Script, stop

HOME = f"http://{SHOP_HOST}/dashboard/"


def dashboard_tasks(data: Data) -> list[AppTask]:
    """All of them."""
    return [
        *(_reprice(data, *row) for row in (("Alderton Pruning Shears", "44.50"), ("Corvane Fountain Pen", "18.25"))),
        _restock(data, "Brightwell French Press", 75),
        _hide(data, "Dunmoor Cleaver"),
        _describe(data, "Alderton Tarp"),
        _note(data),
        _advance(data, "Pending", "Being processed"),
        _advance(data, "Being processed", "Complete"),
        _reject(data),
        _category(data),
        _num_orders(data, "Hanna", "Virtanen"),
        _num_with_status(data, "Cancelled"),
        _buyer(data),
        _stock(data, "Dunmoor Solar Lantern"),
        _order_total(data),
    ]


def _task(
    name: str, goal: str, solve: Script, *, answer: RightAnswer | None = None, end: EndState = UNCHANGED
) -> AppTask:
    return AppTask(
        name=f"dashboard-{name}",
        category="dashboard",
        goal=goal,
        start=HOME,
        solve=solve,
        answer=answer,
        end=end,
        shop_user=MERCHANT.user,
    )


# --------------------------------------------------------------------------------------------------------- products


def _open_product(look: Look, title: str, upc: str) -> Iterator[str]:
    yield look.click("link", "Products")
    yield look.type("UPC:", upc)
    yield look.click("button", "Search")
    yield look.click("link", title)


def _edited(number_: int, table: str, key: str, **values: Any) -> EndState:
    """A product's row has these values; that it was saved shows in its times."""
    row = Updated(table=table, where={key: number_}, values=values, also=("date_updated",))
    return EndState(expected=(row,), allowed={"catalogue_product": ("date_updated",)})


def _reprice(data: Data, title_part: str, price: str) -> AppTask:
    number_, title, upc, *_ = product(data, title_part)

    def solve(look: Look) -> Iterator[str]:
        yield from _open_product(look, title, upc)
        yield look.type("", price, role="spinbutton", after="USD")
        yield look.click("button", "Save")
        yield stop()

    end = EndState(
        expected=(
            Updated(
                table="partner_stockrecord",
                where={"product_id": number_},
                values={"price": float(price)},
                also=("date_updated",),
            ),
        ),
        allowed={"catalogue_product": ("date_updated",)},
    )
    return _task(f"reprice-{upc}", f"Set the price of the {title} to ${price}.", solve, end=end)


def _restock(data: Data, title_part: str, count: int) -> AppTask:
    number_, title, upc, *_ = product(data, title_part)

    def solve(look: Look) -> Iterator[str]:
        yield from _open_product(look, title, upc)
        yield look.type("", str(count), role="spinbutton", after="Delete?")
        yield look.click("button", "Save")
        yield stop()

    end = _edited(number_, "partner_stockrecord", "product_id", num_in_stock=count)
    return _task(f"restock-{upc}", f"We now have {count} pieces of the {title} in stock: enter that.", solve, end=end)


def _hide(data: Data, title_part: str) -> AppTask:
    number_, title, upc, *_ = product(data, title_part)

    def solve(look: Look) -> Iterator[str]:
        yield from _open_product(look, title, upc)
        yield look.click("checkbox", "Is public")
        yield look.click("button", "Save")
        yield stop()

    end = _edited(number_, "catalogue_product", "id", is_public=False)
    return _task(f"hide-{upc}", f"Customers must not see the {title} any more; don't delete it.", solve, end=end)


def _describe(data: Data, title_part: str) -> AppTask:
    number_, title, upc, *_ = product(data, title_part)
    description = "A light tarp of three by four metres."

    def solve(look: Look) -> Iterator[str]:
        yield from _open_product(look, title, upc)
        yield look.type("Description", description)
        yield look.click("button", "Save")
        yield stop()

    end = _edited(number_, "catalogue_product", "id", description=description)
    return _task(f"describe-{upc}", f'Change the description of the {title} to "{description}"', solve, end=end)


def _stock(data: Data, title_part: str) -> AppTask:
    _, title, upc, _, stock, _ = product(data, title_part)

    def solve(look: Look) -> Iterator[str]:
        yield from _open_product(look, title, upc)
        yield stop(look.content("spinbutton", after="Delete?"))

    goal = f"How many pieces of the {title} are in stock, by the dashboard?"
    return _task(f"stock-{upc}", goal, solve, answer=number(stock, "pieces", "in stock"))


def _category(data: Data) -> AppTask:
    name, parent = "Picnic", "Outdoors"
    count = data.only(DB, "SELECT numchild FROM catalogue_category WHERE name = ?", parent)

    def solve(look: Look) -> Iterator[str]:
        yield look.click("link", "Categories")
        yield look.click("link", "Create new category")
        yield look.type("Name", name)
        yield look.select("Relative to", parent)
        yield look.click("button", "Save")
        yield stop()

    end = EndState(
        expected=(
            Added(table="catalogue_category", values={"name": name, "depth": 2, "is_public": True}),
            Updated(table="catalogue_category", where={"name": parent}, values={"numchild": count + 1}),
        ),
        # the categories beside it make room
        allowed={"catalogue_category": ("path",)},
    )
    return _task("category", f"Add a category {name} to the category {parent}.", solve, end=end)


# ----------------------------------------------------------------------------------------------------------- orders


def _open_order(look: Look, order: str) -> Iterator[str]:
    yield look.click("link", "Orders")
    yield look.type("Order number: Order number", order, enter=True)


def _note(data: Data) -> AppTask:
    order, key = data.rows(DB, "SELECT number, id FROM order_order ORDER BY id")[19]
    message = "Customer asked for delivery after 6 pm."

    def solve(look: Look) -> Iterator[str]:
        yield from _open_order(look, order)
        yield look.type("Message", message)
        yield look.click("button", "Save note")
        yield stop()

    note = Added(table="order_ordernote", values={"order_id": key, "message": message})
    return _task(f"note-{order}", f'Add this note to order {order}: "{message}"', solve, end=EndState(expected=(note,)))


def _advance(data: Data, before: str, after: str) -> AppTask:
    order, key = data.rows(DB, "SELECT number, id FROM order_order WHERE status = ? ORDER BY id", before)[2]

    def solve(look: Look) -> Iterator[str]:
        yield from _open_order(look, order)
        yield look.select("New order status", after)
        yield look.click("button", "Change status")
        yield stop()

    end = EndState(
        expected=(
            Updated(table="order_order", where={"id": key}, values={"status": after}),
            Added(table="order_orderstatuschange", values={"order_id": key, "old_status": before, "new_status": after}),
            Added(table="order_ordernote", values={"order_id": key, "note_type": "System"}),
        )
    )
    goal = f"Change the status of order {order} from {before} to {after}."
    return _task(f"status-{order}", goal, solve, end=end)


def _num_orders(data: Data, first: str, last: str) -> AppTask:
    count = data.only(
        DB,
        "SELECT count(*) FROM order_order o JOIN auth_user u ON u.id = o.user_id "
        "WHERE u.first_name = ? AND u.last_name = ?",
        first,
        last,
    )

    def solve(look: Look) -> Iterator[str]:
        yield look.click("link", "Customers")
        yield look.type("Name:", last, enter=True)
        yield stop(look.text_after(f"{first} {last}", place=4))

    return _task(
        "customer-orders", f"How many orders has {first} {last} placed?", solve, answer=number(count, "orders", "order")
    )


def _num_with_status(data: Data, status: str) -> AppTask:
    count = data.only(DB, "SELECT count(*) FROM order_order WHERE status = ?", status)

    def solve(look: Look) -> Iterator[str]:
        yield look.click("link", "Orders")
        yield look.select("Status", status)
        yield look.click("button", "Search", after="Get results as")
        yield stop(str(look.count("cell", status)))

    goal = f"How many orders have the status {status}?"
    return _task(f"count-{status.lower()}", goal, solve, answer=number(count, "orders", "order"))


def _buyer(data: Data) -> AppTask:
    order, first, last = data.rows(
        DB, "SELECT o.number, u.first_name, u.last_name FROM order_order o JOIN auth_user u ON u.id = o.user_id"
    )[41]

    def solve(look: Look) -> Iterator[str]:
        yield from _open_order(look, order)
        yield stop(look.text_after("Email address", place=2))

    goal = f"Who placed order {order}? Answer with the full name."
    return _task(f"buyer-{order}", goal, solve, answer=text(f"{first} {last}"))


def _order_total(data: Data) -> AppTask:
    order, total = data.rows(DB, "SELECT number, total_incl_tax FROM order_order ORDER BY id")[63]

    def solve(look: Look) -> Iterator[str]:
        yield from _open_order(look, order)
        yield stop(look.text_after("Order total", place=2))

    return _task(f"total-{order}", f"What is the total of order {order}?", solve, answer=money(total))


def _reject(data: Data) -> AppTask:
    key, title, product_title, first, last = data.rows(
        DB,
        "SELECT r.id, r.title, p.title, u.first_name, u.last_name FROM reviews_productreview r "
        "JOIN catalogue_product p ON p.id = r.product_id JOIN auth_user u ON u.id = r.user_id "
        "WHERE r.title = 'Broke within a month' ORDER BY r.id",
    )[4]

    def solve(look: Look) -> Iterator[str]:
        yield look.click("link", "Reviews")
        yield look.type("Keyword:", title)
        yield look.type("Customer name:", last)
        yield look.click("button", "Search")
        yield look.click("link", "Edit", after=product_title)
        yield look.select("Status:", "Rejected")
        yield look.click("button", "Save")
        yield stop()

    end = EndState(
        expected=(Updated(table="reviews_productreview", where={"id": key}, values={"status": 2}),),
        allowed={"catalogue_product": ("rating", "date_updated")},
    )
    goal = f'Reject the review "{title}" that {first} {last} wrote of the {product_title}.'
    return _task(f"reject-{key}", goal, solve, end=end)
