"""The back office: what it lists, what each of its forms changes, and who gets in."""

from __future__ import annotations

import html
import re
from typing import Any

import pytest
from tests.web_client import Client, Page, changed_tables

from sojourn.envs.web.sites.admin.site import SITE
from sojourn.envs.web.sites.hosts import NOW
from sojourn.envs.web.sites.world import World, template


@pytest.fixture
def world() -> World:
    return World.restore(template())


@pytest.fixture
def admin(world: World) -> Client:
    return Client(world, "admin").log_in("admin", "admin")


def one(world: World, query: str, *values: object) -> Any:
    """The first column of the first row."""
    return world.db.execute(query, values).fetchone()[0]


def cells(page: Page) -> list[list[str]]:
    """The rows of a page's tables as texts, without those of headings."""
    rows = re.findall(r"<tr>(.*?)</tr>", page.html, flags=re.DOTALL)
    found = [re.findall(r"<td>(.*?)</td>", row, flags=re.DOTALL) for row in rows]
    return [[html.unescape(re.sub(r"<[^>]*>", "", cell)) for cell in row] for row in found if row]


def counted(page: Page) -> int:
    """How many records a list says it found."""
    match = re.search(r"(\d+) records? found", page.html)
    assert match
    return int(match[1])


# ------------------------------------------------------------------------------------------------------ who gets in


def test_every_page_but_the_log_in_is_private(world: World) -> None:
    client = Client(world, "admin")
    for method, path in SITE.paths():
        page = client.request(method, path.replace("<int:key>", "1"))
        if path == "/":
            assert page.headers["Location"] == "/admin"
        elif path != "/admin/login":
            assert page.status == 303, path
            assert page.headers["Location"].startswith("/admin/login?next="), path
    assert changed_tables(world, template()) == {}


def test_a_customer_is_no_admin(world: World) -> None:
    shop = Client(world, "shop").log_in("shop", "emma.lopez@gmail.com")
    client = Client(world, "admin")
    client.cookies = dict(shop.cookies)
    assert client.request("GET", "/admin").status == 303


def test_a_log_in_and_out(world: World) -> None:
    client = Client(world, "admin")
    page = client.get("/admin/orders?status=pending")
    assert client.send(page.form("/admin/login"), username="admin", password="admin").status == 422
    page = client.send(page.form("/admin/login"), username="admin", password="admin1234")
    assert "<h1>Orders</h1>" in page.html  # where the user was going
    assert page.url.endswith("?status=pending")
    assert "You have logged out." in client.send(page.form("/admin/logout")).html


# ------------------------------------------------------------------------------------------------------------- lists


def test_the_dashboard_sums_up(world: World, admin: Client) -> None:
    page = admin.get("/admin")
    sales = one(world, "SELECT sum(total_cents) FROM shop_order WHERE status != 'canceled'")
    assert f"Lifetime Sales: ${sales / 100:,.2f}" in page.html
    best = world.db.execute(
        "SELECT p.name, sum(quantity) FROM shop_order_line l JOIN shop_product p ON p.id = l.product_id"
        " JOIN shop_order o ON o.id = l.order_id WHERE o.status != 'canceled' GROUP BY p.id"
        " ORDER BY 2 DESC, p.id LIMIT 1"
    ).fetchone()
    assert any(row[0] == best[0] and row[-1] == str(best[1]) for row in cells(page))


FILTERS = [
    ("orders", {"status": "pending"}, "shop_order WHERE status = 'pending'"),
    ("orders", {"number": "0012"}, "shop_order WHERE number LIKE '%0012%'"),
    ("orders", {"email": "emma.lopez@gmail.com"}, "shop_order WHERE customer_id = 1"),
    (
        "orders",
        {"date_from": "2024-01-01", "date_to": "2024-01-31"},
        "shop_order WHERE placed_at BETWEEN '2024-01-01' AND '2024-02-01'",
    ),
    ("orders", {"total_from": "100", "total_to": "$200.00"}, "shop_order WHERE total_cents BETWEEN 10000 AND 20000"),
    ("products", {"stock_to": "0"}, "shop_product WHERE stock = 0"),
    ("products", {"brand": "hexon", "price_from": "50"}, "shop_product WHERE brand = 'Hexon' AND price_cents >= 5000"),
    ("products", {"enabled": "0"}, "shop_product WHERE NOT is_enabled"),
    ("products", {"enabled": "1"}, "shop_product WHERE is_enabled"),
    ("products", {"name": "100%"}, "shop_product WHERE 0"),
    ("customers", {"group": "Wholesale"}, "shop_customer WHERE group_name = 'Wholesale'"),
    ("customers", {"name": "emma l"}, "shop_customer WHERE first_name || ' ' || last_name LIKE '%emma l%'"),
    ("customers", {"since_to": "2022-12-31"}, "shop_customer WHERE created_at < '2023'"),
    ("reviews", {"status": "pending"}, "shop_review WHERE status = 'pending'"),
    ("reviews", {"stars_to": "2", "text": "crack"}, "shop_review WHERE stars <= 2 AND text LIKE '%crack%'"),
    (
        "reviews",
        {"date_from": "2024-03-01", "date_to": "2024-03-31"},
        "shop_review WHERE created_at BETWEEN '2024-03-01' AND '2024-04-01'",
    ),
    ("coupons", {"active": "0"}, "shop_coupon WHERE NOT is_active"),
    ("pages", {"title": "policy"}, "shop_page WHERE title LIKE '%policy%'"),
    ("messages", {"message": "x"}, "shop_message WHERE text LIKE '%x%'"),
    ("reports/search-terms", {"uses_from": "30"}, "shop_search_term WHERE uses >= 30"),
    ("reports/low-stock", {"stock_to": "5"}, "shop_product WHERE stock <= 5"),
]


@pytest.mark.parametrize(("path", "fields", "source"), FILTERS)
def test_a_list_is_filtered_by_its_form(
    world: World, admin: Client, path: str, fields: dict[str, str], source: str
) -> None:
    page = admin.send(admin.get(f"/admin/{path}").form(f"/admin/{path}"), **fields)
    assert counted(page) == one(world, f"SELECT count(*) FROM {source}")
    shown = sum(len(cells(admin.get(f"{page.url}&page={n}"))) for n in range(1, 1 + max(1, -(-counted(page) // 20))))
    assert shown == counted(page)


def test_a_list_is_sorted_by_its_headings(world: World, admin: Client) -> None:
    page = admin.get("/admin/products")
    (link,) = (link for link in page.links if "sort=price" in link)
    page = admin.get(link)
    cheapest = one(world, "SELECT min(price_cents) FROM shop_product")
    assert cells(page)[0][4] == f"${cheapest / 100:.2f}"
    (link,) = {link for link in page.links if "sort=price" in link and "dir=desc" in link}
    dearest = one(world, "SELECT max(price_cents) FROM shop_product")
    assert cells(admin.get(link))[0][4] == f"${dearest / 100:,.2f}"


@pytest.mark.parametrize(
    "query", ["sort=password", "dir=x", "page=99999", "page=-1", "status=open", "date_from=2024-13-01", "total_from=x"]
)
def test_a_list_refuses_what_it_cannot_do(admin: Client, query: str) -> None:
    assert admin.get(f"/admin/orders?{query}").status in (400, 404)


# ------------------------------------------------------------------------------------------------------------ orders


def order_with(world: World, status: str) -> Any:
    return world.db.execute("SELECT * FROM shop_order WHERE status = ? ORDER BY id DESC", (status,)).fetchone()


def test_an_order_goes_from_pending_to_complete(world: World, admin: Client) -> None:
    order = order_with(world, "pending")
    url = f"/admin/orders/{order['id']}"
    page = admin.send(admin.get(url).form("/invoice"))
    assert "The invoice has been created." in page.html
    assert one(world, "SELECT status FROM shop_order WHERE id = ?", order["id"]) == "processing"
    assert "Invoice</button>" not in page.html
    assert admin.send(page.form("/ship"), tracking_number="").status == 422
    page = admin.send(page.form("/ship"), carrier="DHL", tracking_number="JD0001")
    assert one(world, "SELECT status FROM shop_order WHERE id = ?", order["id"]) == "complete"
    shipment = world.db.execute("SELECT * FROM shop_shipment WHERE order_id = ?", (order["id"],)).fetchone()
    assert (shipment["carrier"], shipment["tracking_number"], shipment["created_at"]) == ("DHL", "JD0001", NOW)
    assert changed_tables(world, template()) == {"shop_invoice": 1, "shop_order": 2, "shop_shipment": 1}
    assert [form.action for form in page.forms if "/orders/" in form.action] == [
        f"http://luma.com{url}/comment"
    ]  # nothing else is left to do


def test_shipping_first_and_invoicing_then_completes_too(world: World, admin: Client) -> None:
    order = order_with(world, "pending")
    url = f"/admin/orders/{order['id']}"
    admin.post(f"{url}/ship", carrier="DHL", tracking_number="1")
    assert one(world, "SELECT status FROM shop_order WHERE id = ?", order["id"]) == "processing"
    admin.post(f"{url}/invoice")
    assert one(world, "SELECT status FROM shop_order WHERE id = ?", order["id"]) == "complete"


def test_canceling_puts_the_goods_back(world: World, admin: Client) -> None:
    order = order_with(world, "pending")
    lines = world.db.execute("SELECT * FROM shop_order_line WHERE order_id = ?", (order["id"],)).fetchall()
    stock = {
        line["product_id"]: one(world, "SELECT stock FROM shop_product WHERE id = ?", line["product_id"])
        for line in lines
    }
    page = admin.send(admin.get(f"/admin/orders/{order['id']}").form("/cancel"))
    assert "You canceled the order." in page.html
    for line in lines:
        now = one(world, "SELECT stock FROM shop_product WHERE id = ?", line["product_id"])
        assert now == stock[line["product_id"]] + line["quantity"]
    assert changed_tables(world, template()) == {"shop_order": 2, "shop_product": 2 * len(lines)}


@pytest.mark.parametrize(
    ("status", "possible"),
    [
        ("pending", {"cancel", "hold", "invoice", "ship", "comment"}),
        ("processing", {"hold", "ship", "comment"}),
        ("on hold", {"unhold", "cancel", "comment"}),
        ("complete", {"comment"}),
        ("canceled", {"comment"}),
    ],
)
def test_what_can_be_done_depends_on_the_status(world: World, admin: Client, status: str, possible: set[str]) -> None:
    order = order_with(world, status)
    page = admin.get(f"/admin/orders/{order['id']}")
    shown = {form.action.rsplit("/", 1)[-1] for form in page.forms if "/orders/" in form.action}
    assert shown == possible
    for action in {"cancel", "hold", "unhold", "invoice", "ship"} - possible:  # also when asked without a button
        admin.post(f"/admin/orders/{order['id']}/{action}", carrier="DHL", tracking_number="1")
    assert changed_tables(world, template()) == {}


def test_holding_and_releasing(world: World, admin: Client) -> None:
    order = order_with(world, "processing")
    url = f"/admin/orders/{order['id']}"
    page = admin.send(admin.get(url).form("/hold"))
    assert one(world, "SELECT status FROM shop_order WHERE id = ?", order["id"]) == "on hold"
    admin.send(page.form("/unhold"))
    assert changed_tables(world, template()) == {}  # back to processing, since it has an invoice


def test_a_comment_may_change_the_status_and_show_to_the_customer(world: World, admin: Client) -> None:
    order = world.db.execute("SELECT * FROM shop_order WHERE customer_id = 1 AND status = 'complete'").fetchone()
    url = f"/admin/orders/{order['id']}"
    form = admin.get(url).form("/comment")
    assert admin.send(form, text="").status == 422  # neither a text nor another status
    assert "The comment has been added." in admin.send(form, text="Sorry <for> the delay", is_visible=1).html
    admin.send(form, text="internal", status="on hold")
    assert one(world, "SELECT status FROM shop_order WHERE id = ?", order["id"]) == "on hold"
    assert changed_tables(world, template()) == {"shop_order": 2, "shop_order_note": 2}
    shown = Client(world, "shop").log_in("shop", "emma.lopez@gmail.com").get(f"/account/orders/{order['number']}").html
    assert "Sorry &lt;for&gt; the delay" in shown
    assert "internal" not in shown
    assert admin.send(form, text="x", status="canceled").status == 422  # that is a button, which restocks


def test_the_address_of_an_order_is_changed_before_it_is_shipped(world: World, admin: Client) -> None:
    order = order_with(world, "pending")
    page = admin.get(f"/admin/orders/{order['id']}/address")
    assert admin.send(page.form("/address"), city="").status == 422
    assert "You updated the order address." in admin.send(page.form("/address"), city="Reno", state="Nevada").html
    assert changed_tables(world, template()) == {"shop_order": 2}
    complete = order_with(world, "complete")
    assert "be changed" in admin.send(admin.get(f"/admin/orders/{complete['id']}/address").form("/address")).html


# ------------------------------------------------------------------------------------------ products and reviews


def test_a_product_is_edited_and_the_shop_shows_it(world: World, admin: Client) -> None:
    product = world.db.execute("SELECT * FROM shop_product WHERE stock > 5").fetchone()
    form = admin.get(f"/admin/products/{product['id']}").form(f"/{product['id']}")
    assert "You saved the product." in admin.send(form, price="77.70", stock=0, name="New & improved").html
    assert changed_tables(world, template()) == {"shop_product": 2}
    shown = Client(world, "shop").get(f"/product/{product['slug']}").html
    assert "$77.70" in shown
    assert "Out of stock" in shown
    assert "New &amp; improved" in shown
    admin.send(form, is_enabled=None)
    assert Client(world, "shop").get(f"/product/{product['slug']}").status == 404


def test_saving_a_product_as_it_is_changes_nothing(world: World, admin: Client) -> None:
    for number in (1, 100, 500):
        admin.send(admin.get(f"/admin/products/{number}").form(f"/{number}"))
    assert changed_tables(world, template()) == {}


def test_a_product_is_added(world: World, admin: Client) -> None:
    category = one(world, "SELECT id FROM shop_category WHERE slug = 'electronics-cameras'")
    fields = {"name": "Plate Camera", "sku": "PC-1", "brand": "Hexon", "category_id": category}
    fields |= {"price": "900", "stock": 3, "description": "Heavy."}
    form = admin.get("/admin/products/new").form("/new")
    assert "You saved the product." in admin.send(form, **fields).html
    assert changed_tables(world, template()) == {"shop_product": 1}
    assert "Plate Camera" in Client(world, "shop").get("/search?q=plate+camera").html
    assert admin.send(form, **fields).status == 422  # there is one now


@pytest.mark.parametrize(
    "changes", [{"price": "-1"}, {"stock": "x"}, {"name": ""}, {"category_id": "1"}, {"sku": "taken"}, {"name": "!?"}]
)
def test_a_product_that_is_none_is_refused(world: World, admin: Client, changes: dict[str, str]) -> None:
    if changes.get("sku"):
        changes = {"sku": one(world, "SELECT sku FROM shop_product WHERE id = 9")}
    path = "/admin/products/new" if changes == {"name": "!?"} else "/admin/products/5"
    fields = {"name": "N", "sku": "S", "brand": "B", "category_id": "2", "price": "1", "stock": "1", "description": "D"}
    assert admin.post(path, **{**fields, **changes}).status == 422
    assert changed_tables(world, template()) == {}


def test_reviews_are_approved_rejected_and_deleted(world: World, admin: Client) -> None:
    first, second, third = world.db.execute("SELECT id FROM shop_review WHERE status = 'pending' LIMIT 3").fetchall()
    for row, status in ((first, "approved"), (second, "rejected")):
        page = admin.send(admin.get(f"/admin/reviews/{row['id']}").form(f"/{row['id']}"), status=status)
        assert "You saved the review." in page.html
        assert one(world, "SELECT status FROM shop_review WHERE id = ?", row["id"]) == status
    admin.send(admin.get(f"/admin/reviews/{third['id']}").form("/delete"))
    assert changed_tables(world, template()) == {"shop_review": 5}
    assert admin.get(f"/admin/reviews/{third['id']}").status == 404


def test_a_review_names_its_author(world: World, admin: Client) -> None:
    row = world.db.execute(
        "SELECT r.id, c.email FROM shop_review r JOIN shop_customer c ON c.id = r.customer_id ORDER BY r.id"
    ).fetchone()
    assert f"({row['email']})" in admin.get(f"/admin/reviews/{row['id']}").html
    world.db.execute("UPDATE shop_review SET customer_id = NULL WHERE id = ?", (row["id"],))
    assert "Author: Guest" in admin.get(f"/admin/reviews/{row['id']}").html


# -------------------------------------------------------------------------------- customers, coupons, pages, reports


def test_a_customer_changes_group(world: World, admin: Client) -> None:
    page = admin.get("/admin/customers/2")
    assert admin.send(page.form("/2"), group_name="Gods").status == 422
    assert "You saved the customer." in admin.send(page.form("/2"), group_name="Retailer", last_name="<Q>").html
    assert changed_tables(world, template()) == {"shop_customer": 2}
    assert "&lt;Q&gt;" in admin.get("/admin/customers").html


def test_a_coupon_is_added_edited_and_used(world: World, admin: Client) -> None:
    form = admin.get("/admin/coupons/new").form("/new")
    fields = {"name": "Autumn", "code": "autumn7", "kind": "amount", "value": "7.00", "expires_on": "2024-12-01"}
    assert "You saved the rule." in admin.send(form, **fields).html
    assert admin.send(form, **fields).status == 422
    row = world.db.execute("SELECT * FROM shop_coupon ORDER BY id DESC").fetchone()
    assert tuple(row)[1:] == ("AUTUMN7", "Autumn", "amount", 700, 0, 1, "2024-12-01")
    shop = Client(world, "shop")
    shop.post("/cart/add", product=one(world, "SELECT id FROM shop_product WHERE stock > 0 AND price_cents > 2000"))
    assert "-$7.00" in shop.post("/cart/coupon", coupon="AUTUMN7").html
    admin.send(admin.get(f"/admin/coupons/{row['id']}").form(f"/{row['id']}"), is_active=None)
    assert "-$7.00" not in shop.get("/cart").html
    assert changed_tables(world, template())["shop_coupon"] == 1


def test_saving_coupons_and_pages_as_they_are_changes_nothing_of_substance(world: World, admin: Client) -> None:
    for row in world.db.execute("SELECT id FROM shop_coupon").fetchall():
        admin.send(admin.get(f"/admin/coupons/{row['id']}").form(f"/{row['id']}"))
    assert changed_tables(world, template()) == {}
    before = one(world, "SELECT content FROM shop_page WHERE id = 2")
    admin.send(admin.get("/admin/pages/2").form("/2"))
    assert one(world, "SELECT content FROM shop_page WHERE id = 2") == before


@pytest.mark.parametrize(
    "changes",
    [{"value": "101"}, {"value": "0"}, {"expires_on": "soon"}, {"kind": "gift"}, {"minimum": "x"}, {"code": ""}],
)
def test_a_coupon_that_is_none_is_refused(world: World, admin: Client, changes: dict[str, str]) -> None:
    fields = {"name": "N", "code": "C", "kind": "percent", "value": "5", "minimum": "0", "expires_on": "2025-01-01"}
    assert admin.post("/admin/coupons/new", **{**fields, **changes}).status == 422
    assert changed_tables(world, template()) == {}


def test_a_page_is_edited_and_disabled(world: World, admin: Client) -> None:
    shop = Client(world, "shop")
    form = admin.get("/admin/pages/1").form("/1")
    assert "You saved the page." in admin.send(form, title="All about us", content="One.\n\nTwo <b>.").html
    assert changed_tables(world, template()) == {"shop_page": 2}
    shown = shop.get("/page/about-us").html
    assert "<h1>All about us</h1>" in shown
    assert "<p>One.</p><p>Two &lt;b&gt;.</p>" in shown
    admin.send(form, is_enabled=None)
    assert shop.get("/page/about-us").status == 404
    assert "about-us" not in shop.get("/").html


@pytest.mark.parametrize("period", ["day", "month", "year"])
def test_sales_are_reported_by_period(world: World, admin: Client, period: str) -> None:
    form = admin.get("/admin/reports/sales").form("/sales")
    page = admin.send(form, **{"period": period, "from": "2023-07-01", "to": "2024-03-31"})
    rows, total = cells(page)[:-1], cells(page)[-1]
    expected = world.db.execute(
        "SELECT count(*), sum(total_cents) FROM shop_order WHERE status != 'canceled'"
        " AND placed_at BETWEEN '2023-07-01' AND '2024-04-01'"
    ).fetchone()
    assert (total[0], total[2]) == (str(expected[0]), f"${expected[1] / 100:,.2f}")
    if period != "day":  # which takes several pages
        assert sum(int(row[1]) for row in rows) == expected[0]


def test_what_was_ordered_is_reported(world: World, admin: Client) -> None:
    page = admin.get("/admin/reports/products?from=2024-01-01&to=2024-01-31")
    best = world.db.execute(
        "SELECT p.name, sum(quantity) AS n FROM shop_order_line l JOIN shop_product p ON p.id = l.product_id"
        " JOIN shop_order o ON o.id = l.order_id WHERE o.status != 'canceled'"
        " AND placed_at BETWEEN '2024-01-01' AND '2024-02-01' GROUP BY p.id ORDER BY n DESC, p.id"
    ).fetchone()
    assert (cells(page)[0][0], cells(page)[0][2]) == (best[0], str(best[1]))
    assert "find any records" in admin.get("/admin/reports/products?from=1999-01-01&to=1999-01-02").html
    assert admin.get("/admin/reports/products?from=soon").status == 400


def test_customers_are_reported_by_orders(world: World, admin: Client) -> None:
    page = admin.get("/admin/reports/customers")
    emma = next(row for row in cells(page) if row[1] == "emma.lopez@gmail.com")
    placed = one(world, "SELECT count(*) FROM shop_order WHERE customer_id = 1 AND status != 'canceled'")
    assert emma[2] == str(placed)
