"""Tasks of a customer of the shop (Oscar)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sojourn.envs.web.checks.answers import NOT_AVAILABLE, RightAnswer, money, number, text
from sojourn.envs.web.checks.diff import ALL
from sojourn.envs.web.checks.states import Added, EndState, Updated
from sojourn.envs.web.webapps.hosts import CUSTOMER, SHOP_HOST
from sojourn.envs.web.webapps.tasks.task import UNCHANGED, AppTask, Data, Look, Script, goto, stop

HOME = f"http://{SHOP_HOST}/"
DB = "django"

_PRODUCT = """SELECT p.id, p.title, p.upc, s.price, s.num_in_stock, p.slug FROM catalogue_product p
    JOIN partner_stockrecord s ON s.product_id = p.id"""
_IN_CATEGORY = """ JOIN catalogue_productcategory pc ON pc.product_id = p.id
    JOIN catalogue_category c ON c.id = pc.category_id WHERE c.name = ?"""
_ORDER = "SELECT number, total_incl_tax, status FROM order_order WHERE user_id = ? ORDER BY date_placed DESC"


def product(data: Data, title_part: str) -> tuple[int, str, str, float, int, str]:
    """Id, title, number, price, stock and slug of the one product whose title begins so."""
    found: tuple[int, str, str, float, int, str] = data.only(DB, f"{_PRODUCT} WHERE p.title LIKE ?", f"{title_part}%")
    return found


def open_product(look: Look, title: str) -> Iterator[str]:
    """Search for a product and open its page."""
    yield look.type("Search", title, enter=True)
    yield look.click("link", title)


def in_basket(data: Data, product_id: int, quantity: int) -> EndState:
    """The basket holds this and nothing else."""
    stock = data.only(DB, "SELECT id FROM partner_stockrecord WHERE product_id = ?", product_id)
    line = {"product_id": product_id, "stockrecord_id": stock, "quantity": quantity}
    return EndState(expected=(Added(table="basket_line", values=line),))


def shop_tasks(data: Data) -> list[AppTask]:
    """All of them."""
    rosa = data.only(DB, "SELECT id FROM auth_user WHERE email = ?", CUSTOMER.user)
    return [*_questions(data, rosa), *_baskets(data), *_account(data, rosa), _purchase(data, rosa)]


def _task(
    name: str, goal: str, solve: Script, *, answer: RightAnswer | None = None, end: EndState = UNCHANGED, **more: Any
) -> AppTask:
    return AppTask(
        name=f"shop-{name}", category="shop", goal=goal, start=HOME, solve=solve, answer=answer, end=end, **more
    )


# -------------------------------------------------------------------------------------------------------- questions


def _questions(data: Data, rosa: int) -> list[AppTask]:
    return [
        *(_price(data, title) for title in ("Corvane Moka Pot", "Dunmoor Bivouac Shelter")),
        *(_extreme(data, category, order) for category, order in (("Knives", "asc"), ("Tents", "desc"))),
        _unavailable(data, "Lighting"),
        *(_upc(data, title) for title in ("Brightwell Folding Cup",)),
        *(_order_total(data, rosa, place) for place in (1, 4)),
        _dearest_line(data, rosa),
        _num_reviews(data),
        _reviewer(data),
        _impossible(),
    ]


def _price(data: Data, title_part: str) -> AppTask:
    _, title, upc, price, *_ = product(data, title_part)

    def solve(look: Look) -> Iterator[str]:
        yield from open_product(look, title)
        yield stop(look.text_after("Price (incl. tax)"))

    return _task(f"price-{upc}", f"What does the {title} cost?", solve, answer=money(price))


def _extreme(data: Data, category: str, order: str) -> AppTask:
    rows = data.rows(DB, f"{_PRODUCT}{_IN_CATEGORY} ORDER BY s.price {order}", category)
    assert rows[0][3] != rows[1][3], "unique by construction: prices of a category differ"
    word = {"asc": "cheapest", "desc": "most expensive"}[order]
    number_ = data.only(DB, "SELECT id FROM catalogue_category WHERE name = ?", category)
    sorted_list = f"{HOME}catalogue/category/{_slugs(data, number_)}_{number_}/?sort_by=price-{order}"

    def solve(look: Look) -> Iterator[str]:
        yield look.click("link", category, after="Show results for")
        # the list's own menu of orders needs a script to take effect; its address does not
        yield goto(sorted_list)
        yield stop(look.text_after("Sort by", place=10))

    goal = f"Which is the {word} product in the category {category}? Answer with its full name."
    return _task(f"{order}-{category.lower()}", goal, solve, answer=text(rows[0][1]))


def _slugs(data: Data, category: int) -> str:
    path = data.only(DB, "SELECT path FROM catalogue_category WHERE id = ?", category)
    steps = [path[: 4 * (n + 1)] for n in range(len(path) // 4)]
    return "/".join(data.only(DB, "SELECT slug FROM catalogue_category WHERE path = ?", step) for step in steps)


def _unavailable(data: Data, category: str) -> AppTask:
    rows = data.rows(DB, f"{_PRODUCT}{_IN_CATEGORY} AND s.num_in_stock = 0", category)

    def solve(look: Look) -> Iterator[str]:
        yield look.click("link", category, after="Show results for")
        yield stop(str(look.count("StaticText", "Unavailable")))

    goal = f"How many products of the category {category} are unavailable at the moment?"
    return _task(f"unavailable-{category.lower()}", goal, solve, answer=number(len(rows), "products", "product"))


def _upc(data: Data, title_part: str) -> AppTask:
    _, title, upc, *_ = product(data, title_part)

    def solve(look: Look) -> Iterator[str]:
        yield from open_product(look, title)
        yield stop(look.text_after("UPC"))

    return _task(f"upc-{upc}", f"What is the UPC of the {title}?", solve, answer=text(upc))


def _order_total(data: Data, rosa: int, place: int) -> AppTask:
    order, total, _ = data.rows(DB, _ORDER, rosa)[place]

    def solve(look: Look) -> Iterator[str]:
        yield look.click("link", "Account")
        yield look.click("link", "Order History")
        yield stop(look.text_after(order, place=3))

    return _task(f"total-{order}", f"What was the total of my order {order}?", solve, answer=money(total))


def _dearest_line(data: Data, rosa: int) -> AppTask:
    order = data.rows(DB, _ORDER, rosa)[0][0]
    lines = data.rows(
        DB,
        "SELECT l.title, l.line_price_incl_tax FROM order_line l JOIN order_order o ON o.id = l.order_id "
        "WHERE o.number = ? ORDER BY l.line_price_incl_tax DESC",
        order,
    )
    assert lines[0][1] > lines[1][1], "unique by the choice of the order"

    def solve(look: Look) -> Iterator[str]:
        yield look.click("link", "Account")
        yield look.click("link", "Order History")
        yield look.click("link", order)
        yield stop(lines[0][0])

    goal = f"On which product did I spend most in my order {order}, all pieces of it together? Answer with its name."
    return _task(f"dearest-{order}", goal, solve, answer=text(lines[0][0]))


def _num_reviews(data: Data) -> AppTask:
    title, count = data.rows(
        DB,
        "SELECT p.title, count(*) AS n FROM reviews_productreview r JOIN catalogue_product p ON p.id = r.product_id "
        "GROUP BY p.id HAVING n = 3 ORDER BY p.id",
    )[5]

    def solve(look: Look) -> Iterator[str]:
        yield from open_product(look, title)
        yield stop(look.text_after("Number of reviews"))

    return _task(
        "reviews", f"How many reviews does the {title} have?", solve, answer=number(count, "reviews", "review")
    )


def _reviewer(data: Data) -> AppTask:
    title, review, first, last = data.rows(
        DB,
        "SELECT p.title, r.title, u.first_name, u.last_name FROM reviews_productreview r "
        "JOIN catalogue_product p ON p.id = r.product_id JOIN auth_user u ON u.id = r.user_id "
        "GROUP BY p.id, r.title HAVING count(*) = 1 AND r.title = 'Arrived scratched' ORDER BY p.id",
    )[2]

    def solve(look: Look) -> Iterator[str]:
        yield from open_product(look, title)
        yield stop(look.text_after("Reviewed by", after=review))

    goal = f'Who wrote the review "{review}" of the {title}? Answer with the full name.'
    return _task("reviewer", goal, solve, answer=text(f"{first} {last}"))


def _impossible() -> AppTask:
    def solve(look: Look) -> Iterator[str]:
        yield look.type("Search", "Alderton Espresso Machine", enter=True)
        yield stop("N/A")

    goal = "What does the Alderton Espresso Machine cost? Answer N/A if the shop has none."
    return _task("price-none", goal, solve, answer=NOT_AVAILABLE)


# ---------------------------------------------------------------------------------------------------------- baskets


def _baskets(data: Data) -> list[AppTask]:
    return [
        *(_add_one(data, title) for title in ("Alderton Bench", "Dunmoor Gel Pen")),
        _add_several(data, "Dunmoor Hip Bag", 3),
        _add_cheapest(data, "Desks"),
        _log_in_and_add(data, "Alderton Hammock"),
        _wish(data, "Brightwell Desk Lamp"),
        _alert(data),
    ]


def _available(data: Data, title_part: str) -> tuple[int, str]:
    """The first product in stock whose title begins so, or the next of its brand."""
    brand = title_part.split()[0]
    rows = data.rows(DB, f"{_PRODUCT} WHERE s.num_in_stock >= 8 AND p.title LIKE ?", f"{title_part}%")
    rows = rows or data.rows(DB, f"{_PRODUCT} WHERE s.num_in_stock >= 8 AND p.title LIKE ? ORDER BY p.id", f"{brand}%")
    return int(rows[0][0]), str(rows[0][1])


def _add_one(data: Data, title_part: str) -> AppTask:
    number_, title = _available(data, title_part)

    def solve(look: Look) -> Iterator[str]:
        yield from open_product(look, title)
        yield look.click("button", "Add to basket")
        yield stop()

    return _task(f"add-{number_}", f"Put one {title} into my basket.", solve, end=in_basket(data, number_, 1))


def _add_several(data: Data, title_part: str, quantity: int) -> AppTask:
    number_, title = _available(data, title_part)

    def solve(look: Look) -> Iterator[str]:
        yield from open_product(look, title)
        yield look.click("button", "Add to basket")
        yield look.click("link", "View basket")
        yield look.type("", str(quantity), role="spinbutton", after=title)
        yield look.click("button", "Update")
        yield stop()

    goal = f"I need {quantity} pieces of the {title}: put them into my basket, and nothing else."
    return _task(f"add-{quantity}-{number_}", goal, solve, end=in_basket(data, number_, quantity))


def _add_cheapest(data: Data, category: str) -> AppTask:
    number_, title = data.rows(DB, f"{_PRODUCT}{_IN_CATEGORY} AND s.num_in_stock > 0 ORDER BY s.price", category)[0][:2]

    def solve(look: Look) -> Iterator[str]:
        yield look.click("link", category, after="Show results for")
        yield look.click("link", title)
        yield look.click("button", "Add to basket")
        yield stop()

    goal = f"Put the cheapest product of the category {category} that is in stock into my basket, one piece."
    return _task(f"add-cheapest-{category.lower()}", goal, solve, end=in_basket(data, number_, 1))


def _log_in_and_add(data: Data, title_part: str) -> AppTask:
    number_, title = _available(data, title_part)

    def solve(look: Look) -> Iterator[str]:
        yield look.click("link", "Login or register")
        yield look.type("Email address", CUSTOMER.user)
        yield look.type("Password", CUSTOMER.password)
        yield look.click("button", "Log In")
        yield from open_product(look, title)
        yield look.click("button", "Add to basket")
        yield stop()

    goal = f"Log in as {CUSTOMER.user} with the password {CUSTOMER.password}, then put one {title} into the basket."
    return _task(f"log-in-add-{number_}", goal, solve, end=in_basket(data, number_, 1), shop_user=None)


def _wish(data: Data, title_part: str) -> AppTask:
    number_, title, *_ = product(data, title_part)

    def solve(look: Look) -> Iterator[str]:
        yield from open_product(look, title)
        yield look.click("button", "Add to wish list")
        yield stop()

    line = Added(table="wishlists_line", values={"product_id": number_, "quantity": 1, "title": title})
    made = Added(table="wishlists_wishlist", values={"name": "Default", "visibility": "Private"})
    return _task(f"wish-{number_}", f"Put the {title} on my wish list.", solve, end=EndState(expected=(line, made)))


def _alert(data: Data) -> AppTask:
    number_, title = data.rows(DB, f"{_PRODUCT} WHERE s.num_in_stock = 0 ORDER BY p.id DESC")[3][:2]

    def solve(look: Look) -> Iterator[str]:
        yield from open_product(look, title)
        yield look.click("button", "Notify me")
        yield stop()

    alert = Added(table="customer_productalert", values={"product_id": number_, "status": "Active"})
    goal = f"The {title} is sold out. Have me notified when it is back."
    return _task(f"alert-{number_}", goal, solve, end=EndState(expected=(alert,)))


# ---------------------------------------------------------------------------------------------------------- account


def _account(data: Data, rosa: int) -> list[AppTask]:
    return [_review(data, rosa, "Corvane Water Filter"), _new_address(rosa), _rename(rosa)]


def _review(data: Data, rosa: int, title_part: str) -> AppTask:
    number_, title, *_ = product(data, title_part)
    values = {"title": "Does what it should", "body": "Clear water on every trip.", "score": 4}

    def solve(look: Look) -> Iterator[str]:
        yield from open_product(look, title)
        yield look.click("link", "Write a review")
        yield look.type("Title", str(values["title"]))
        yield look.select("Score", "4")
        yield look.type("Body", str(values["body"]))
        yield look.click("button", "Save review")
        yield stop()

    end = EndState(
        expected=(Added(table="reviews_productreview", values={**values, "product_id": number_, "user_id": rosa}),),
        allowed={"catalogue_product": ("rating", "date_updated")},
    )
    goal = f'Review the {title} with 4 of 5, the title "{values["title"]}" and the text "{values["body"]}"'
    return _task(f"review-{number_}", goal, solve, end=end)


def _new_address(rosa: int) -> AppTask:
    fields = {
        "First name": ("first_name", "Jana"),
        "Last name": ("last_name", "Novak"),
        "First line of address": ("line1", "9 Lighthouse Lane"),
        "City": ("line4", "Norhaven"),
        "Post/Zip-code": ("postcode", "02177"),
    }

    def solve(look: Look) -> Iterator[str]:
        yield look.click("link", "Account")
        yield look.click("link", "Address Book")
        yield look.click("link", "Add a new address")
        for label, (_, value) in fields.items():
            yield look.type(label, value)
        yield look.select("Country", "United States")
        yield look.click("button", "Save")
        yield stop()

    row = dict(fields.values()) | {"user_id": rosa, "country_id": "US"}
    goal = "Add this address to my address book: Jana Novak, 9 Lighthouse Lane, Norhaven, 02177, United States."
    return _task("address", goal, solve, end=EndState(expected=(Added(table="address_useraddress", values=row),)))


def _rename(rosa: int) -> AppTask:
    def solve(look: Look) -> Iterator[str]:
        yield look.click("link", "Account")
        yield look.click("link", "Edit profile")
        yield look.type("Last name", "Lind-Novak")
        yield look.click("button", "Save")
        yield stop()

    changed = Updated(table="auth_user", where={"id": rosa}, values={"last_name": "Lind-Novak"})
    return _task(
        "rename",
        "I have married: change my last name in the shop to Lind-Novak.",
        solve,
        end=EndState(expected=(changed,)),
    )


def _purchase(data: Data, rosa: int) -> AppTask:
    number_, title = _available(data, "Corvane Notebook")
    price = data.only(DB, "SELECT price FROM partner_stockrecord WHERE product_id = ?", number_)

    def solve(look: Look) -> Iterator[str]:
        yield from open_product(look, title)
        yield look.click("button", "Add to basket")
        yield look.click("link", "Checkout now")
        yield look.click("button", "Ship to*")
        yield look.click("link", "Continue")
        yield look.click("button", "Place order")
        yield stop()

    order = {"user_id": rosa, "total_incl_tax": price, "status": "Pending", "currency": "USD"}
    address = {"line1": "28 Quay Street", "last_name": "Lind"}
    line = {"product_id": number_, "quantity": 1}
    end = EndState(
        expected=(
            Added(table="order_order", values=order),
            Added(table="order_line", values=line),
            Added(table="order_lineprice", values={"quantity": 1, "price_incl_tax": price}),
            Added(table="order_shippingaddress", values=address),
            Added(table="basket_line", values=line),
            Updated(
                table="partner_stockrecord",
                where={"product_id": number_},
                values={"num_allocated": 1},
                also=("date_updated",),
            ),
        ),
        allowed={
            "address_useraddress": ("num_orders_as_shipping_address", "num_orders_as_billing_address", "date_created"),
            "communication_email": (ALL,),
        },
    )
    return _task("buy", f"Buy one {title} and have it sent to my default address.", solve, end=end)
