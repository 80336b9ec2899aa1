"""What the back office of the shop is asked, and which of its pages."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from sojourn.envs.web.checks.addresses import Target
from sojourn.envs.web.checks.answers import NOT_AVAILABLE, cents, number, text
from sojourn.envs.web.sites.hosts import ORIGINS
from sojourn.envs.web.tasks.phrases import MONTHS, table
from sojourn.envs.web.tasks.script import cells, fact, follow, rows, stop, text_after
from sojourn.envs.web.tasks.template import Category, Kind, Outline, Template, Values, answered, shown
from sojourn.envs.web.view import View

ADMIN = ORIGINS["admin"]

question = partial(
    Outline,
    kind=Kind.INFORMATION,
    category=Category.CMS,
    sites=("admin",),
    accounts=("admin",),
    start="/admin",
)
navigation = partial(
    Outline,
    kind=Kind.NAVIGATION,
    category=Category.CMS,
    sites=("admin",),
    accounts=("admin",),
    start="/admin",
)
impossible = partial(
    Outline,
    kind=Kind.INFEASIBLE,
    category=Category.CMS,
    sites=("admin",),
    accounts=("admin",),
    start="/admin",
    goal=lambda v: answered(NOT_AVAILABLE),
)
_MONTH = f"""(SELECT substr(o.placed_at, 1, 7) AS month, m.name || ' ' || substr(o.placed_at, 1, 4) AS month_name,
    date(substr(o.placed_at, 1, 7) || '-01', '+1 month', '-1 day') AS last FROM shop_order o
    JOIN {MONTHS} m ON m.number = substr(o.placed_at, 6, 2) GROUP BY 1)"""
"""Months in which something was ordered: ``month`` (2024-05), ``month_name``, and the ``last`` day."""


def filtered(view: View, page: str, **fields: str) -> Iterator[str]:
    """Open a list from the menu and fill its filters; names of fields have underscores for blanks."""
    yield view.click("link", page)
    for name, value in fields.items():
        label = name.replace("_", " ")
        if view.has("combobox", label):
            yield view.select(label, value)
        else:
            yield view.type("textbox", label, value)
    yield view.click("button", "Apply Filters")


def open_order(view: View, order: str) -> Iterator[str]:
    """Open an order by its number."""
    yield view.click("link", "Orders")
    yield view.type("textbox", "Order #", order)
    yield view.click("button", "Apply Filters")
    yield view.click("link", order)


def open_product(view: View, name: str) -> Iterator[str]:
    """Open a product by its name."""
    yield from filtered(view, "Products", Name=name)
    yield view.click("link", name)


def report(view: View, page: str, month: str, last: str) -> Iterator[str]:
    """Open a report from the menu for a month."""
    yield view.click("link", page)
    yield view.type("textbox", "From (YYYY-MM-DD)", f"{month}-01")
    yield view.type("textbox", "To (YYYY-MM-DD)", last)
    yield view.click("button", "Show Report")


# ------------------------------------------------------------------------------------------------------- questions


@question(
    name="cms-order-email",
    intents=(
        "What is the email address of the customer who placed order {number}?",
        "Whose order is {number}? Answer with the email address of the customer.",
    ),
    sql="""SELECT o.number AS key, o.number, c.email FROM shop_order o JOIN shop_customer c ON c.id = o.customer_id""",
    goal=lambda v: answered(text(v["email"])),
)
def order_email(view: View, v: Values) -> Iterator[str]:
    """Read the page of the order."""
    yield from open_order(view, v["number"])
    yield stop(fact(view, "Email"))


@question(
    name="cms-tracking",
    intents=(
        "Under which tracking number was order {number} shipped?",
        "What is the tracking number of the shipment of order {number}?",
    ),
    sql="""SELECT o.number AS key, o.number, s.tracking_number FROM shop_order o
        JOIN shop_shipment s ON s.order_id = o.id""",
    goal=lambda v: answered(text(v["tracking_number"])),
)
def tracking(view: View, v: Values) -> Iterator[str]:
    """Read the page of the order."""
    yield from open_order(view, v["number"])
    yield stop(fact(view, "Tracking").split()[-1])


@question(
    name="cms-stock",
    intents=(
        'How many pieces of the "{name}" are on stock? Answer with a number.',
        'What quantity of the "{name}" do we have?',
    ),
    sql="SELECT id AS key, name, stock FROM shop_product",
    goal=lambda v: answered(number(v["stock"], "pieces", "piece")),
)
def stock(view: View, v: Values) -> Iterator[str]:
    """Find it in the list of products."""
    yield from filtered(view, "Products", Name=v["name"])
    yield stop(cells(view, view.row(v["name"]))[5])


@question(
    name="cms-count-orders",
    intents=(
        'How many orders placed in {month_name} have the status "{status}" now? Answer with a number.',
        'Count the orders of {month_name} whose status is "{status}".',
    ),
    sql=f"""SELECT m.month || '-' || replace(o.status, ' ', '-') AS key, m.*, upper(substr(o.status, 1, 1)) ||
        substr(o.status, 2) AS status, count(*) AS count
        FROM {_MONTH} m JOIN shop_order o ON substr(o.placed_at, 1, 7) = m.month GROUP BY m.month, o.status""",
    goal=lambda v: answered(number(v["count"], "orders", "order")),
)
def count_orders(view: View, v: Values) -> Iterator[str]:
    """Filter the list by status and day."""
    yield from filtered(view, "Orders", Status=v["status"], Purchased_from=f"{v['month']}-01", Purchased_to=v["last"])
    count = next(line.name for line in view.tree.lines if line.name.endswith(" found"))
    yield stop(count.split()[0])


@question(
    name="cms-month-sales",
    intents=(
        "What was the sales total of {month_name} according to the sales report?",
        "Look up in the sales report for how much we sold in {month_name}: the sales total.",
    ),
    sql=f"""SELECT m.month AS key, m.*, sum(o.total_cents) AS total_cents FROM {_MONTH} m JOIN shop_order o
        ON substr(o.placed_at, 1, 7) = m.month AND o.status <> 'canceled' WHERE m.month < '2024-06' GROUP BY m.month""",
    goal=lambda v: answered(cents(v["total_cents"])),
)
def month_sales(view: View, v: Values) -> Iterator[str]:
    """Read the row of the month."""
    yield from report(view, "Sales Report", v["month"], v["last"])
    yield stop(cells(view, view.row(v["month"]))[3])


@question(
    name="cms-bestseller",
    is_held_out=True,
    intents=(
        "Which product was ordered most often in {month_name}, counted in pieces? Answer with its full name.",
        "Give the full name of the product of which most pieces were ordered in {month_name}, without canceled orders.",
    ),
    sql=f"""WITH sold AS (SELECT substr(o.placed_at, 1, 7) AS month, p.name, sum(l.quantity) AS pieces
        FROM shop_order o JOIN shop_order_line l ON l.order_id = o.id JOIN shop_product p ON p.id = l.product_id
        WHERE o.status <> 'canceled' GROUP BY 1, p.id)
        SELECT m.month AS key, m.*, s.name FROM {_MONTH} m JOIN sold s ON s.month = m.month
        WHERE NOT EXISTS (SELECT 1 FROM sold t WHERE t.month = s.month AND t.name <> s.name
        AND t.pieces >= s.pieces)""",
    goal=lambda v: answered(text(v["name"])),
)
def bestseller(view: View, v: Values) -> Iterator[str]:
    """Read the first row of the report."""
    yield from report(view, "Products Ordered", v["month"], v["last"])
    yield stop(rows(view)[0][0])


@question(
    name="cms-customer-orders",
    intents=(
        "How many orders has {name} placed, canceled ones left out? Answer with a number.",
        "According to the order count report, how many orders are there of {name}?",
    ),
    sql="""SELECT c.id AS key, c.first_name || ' ' || c.last_name AS name, count(*) AS count FROM shop_customer c
        JOIN shop_order o ON o.customer_id = c.id AND o.status <> 'canceled'
        WHERE (SELECT count(*) FROM shop_customer d WHERE d.first_name = c.first_name AND d.last_name = c.last_name) = 1
        GROUP BY c.id""",
    goal=lambda v: answered(number(v["count"], "orders", "order")),
)
def customer_orders(view: View, v: Values) -> Iterator[str]:
    """Find the customer in the report."""
    yield view.click("link", "Order Count")
    while not view.has("link", v["name"]):
        yield view.click("link", "Next")
    yield stop(cells(view, view.row(v["name"]))[2])


@question(
    name="cms-count-reviews",
    intents=(
        'How many reviews with a rating of {stars} has the "{name}" had, whatever their status? Answer with a number.',
        'Count all reviews, also pending ones, that rate the "{name}" {stars} out of 5.',
    ),
    sql="""SELECT p.id || '-' || r.stars AS key, p.name, r.stars, count(*) AS count FROM shop_review r
        JOIN shop_product p ON p.id = r.product_id
        WHERE NOT EXISTS (SELECT 1 FROM shop_product q WHERE q.id <> p.id AND instr(q.name, p.name))
        GROUP BY p.id, r.stars""",
    goal=lambda v: answered(number(v["count"], "reviews", "review")),
)
def count_reviews(view: View, v: Values) -> Iterator[str]:
    """Filter the list of reviews."""
    stars = str(v["stars"])
    yield from filtered(view, "Reviews", Product=v["name"], Rating_from=stars, Rating_to=stars)
    count = next(line.name for line in view.tree.lines if line.name.endswith(" found"))
    yield stop(count.split()[0])


@question(
    name="cms-search-term",
    intents=(
        'How often did customers search for "{term}"? Answer with a number.',
        'Look up in the search terms report how many uses "{term}" has.',
    ),
    sql="SELECT id AS key, term, uses FROM shop_search_term",
    goal=lambda v: answered(number(v["uses"], "uses", "times", "searches")),
)
def search_term(view: View, v: Values) -> Iterator[str]:
    """Find it in the report."""
    yield view.click("link", "Search Terms")
    while not view.has("cell", v["term"]):
        yield view.click("link", "Next")
    row = next(cells for cells in rows(view) if cells[0] == v["term"])
    yield stop(row[2])


# ------------------------------------------------------------------------------------------------------ navigation

_MENU = table(
    ("Orders", "/admin/orders"),
    ("Products", "/admin/products"),
    ("Customers", "/admin/customers"),
    ("Reviews", "/admin/reviews"),
    ("Cart Price Rules", "/admin/coupons"),
    ("Pages", "/admin/pages"),
    ("Messages", "/admin/messages"),
    ("Sales Report", "/admin/reports/sales"),
    ("Products Ordered", "/admin/reports/products"),
    ("Order Count", "/admin/reports/customers"),
    ("Search Terms", "/admin/reports/search-terms"),
    ("Low Stock", "/admin/reports/low-stock"),
    columns=("page", "path"),
)


@navigation(
    name="cms-menu",
    start="{start}",
    intents=("Open {page}.", "Go to the page {page} of the back office."),
    sql=f"""SELECT lower(replace(a.page, ' ', '-')) || '-from-' || b.n AS key, a.page, a.path, b.path AS start
        FROM {_MENU} a JOIN {_MENU} b ON b.n <> a.n""",
    goal=lambda v: shown(Target(url=ADMIN + v["path"])),
)
def menu(view: View, v: Values) -> Iterator[str]:
    """One click."""
    yield view.click("link", v["page"])
    yield stop()


@navigation(
    name="cms-orders-by-status",
    start="/admin/orders",
    intents=(
        "List the orders with the status {status} that were placed since {day}.",
        "Filter the orders: status {status}, purchased from {day} on.",
    ),
    sql=f"""SELECT m.month || '-' || s.n AS key, s.text AS status, lower(s.text) AS value, m.month || '-01' AS day
        FROM {_MONTH} m JOIN {table("Pending", "Processing", "Complete", "Canceled", "On hold")} s""",
    goal=lambda v: shown(
        Target(
            url=f"{ADMIN}/admin/orders?status={v['value'].replace(' ', '+')}&date_from={v['day']}", usual={"page": "1"}
        )
    ),
    texts=("{day}",),
)
def orders_by_status(view: View, v: Values) -> Iterator[str]:
    """Fill the filters."""
    yield view.select("Status", v["status"])
    yield view.type("textbox", "Purchased from", v["day"])
    yield view.click("button", "Apply Filters")
    yield stop()


@navigation(
    name="cms-open-customer",
    intents=("Open the page of the customer {email}.", "Show me what we know about the customer with {email}."),
    sql="SELECT id AS key, id, email, first_name || ' ' || last_name AS name FROM shop_customer",
    goal=lambda v: shown(Target(url=f"{ADMIN}/admin/customers/{v['id']}")),
)
def open_customer(view: View, v: Values) -> Iterator[str]:
    """Filter by mail address."""
    yield from filtered(view, "Customers", Email=v["email"])
    yield from follow(view, v["name"])
    yield stop()


# ------------------------------------------------------------------------------------------------------ impossible


@impossible(
    name="cms-tracking-of-nothing",
    intents=tracking.intents,
    sql="""SELECT number AS key, number FROM shop_order
        WHERE id NOT IN (SELECT order_id FROM shop_shipment)""",
)
def tracking_of_nothing(view: View, v: Values) -> Iterator[str]:
    """The order has not been shipped."""
    yield from open_order(view, v["number"])
    yield stop("N/A")


@impossible(
    name="cms-email-of-nothing",
    intents=order_email.intents,
    sql="""SELECT printf('%09d', 500 + 7 * id) AS key, printf('%09d', 500 + 7 * id) AS number FROM shop_customer""",
)
def email_of_nothing(view: View, v: Values) -> Iterator[str]:
    """There is no such order."""
    yield view.click("link", "Orders")
    yield view.type("textbox", "Order #", v["number"])
    yield view.click("button", "Apply Filters")
    text_after(view, "0 records found")
    yield stop("N/A")


TEMPLATES: tuple[Template, ...] = (
    order_email,
    menu,
    stock,
    orders_by_status,
    count_orders,
    tracking_of_nothing,
    month_sales,
    open_customer,
    customer_orders,
    email_of_nothing,
    tracking,
    count_reviews,
    search_term,
    bestseller,
)
