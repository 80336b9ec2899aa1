"""The shop: every form does what it says, in the tables it should, and shows what was typed as text."""

from __future__ import annotations

import re
from typing import Any

import pytest
from tests.web_client import Client, Page, changed_tables

from sojourn.envs.web.sites.hosts import NOW
from sojourn.envs.web.sites.world import World, template

EMMA = "emma.lopez@gmail.com"


@pytest.fixture
def world() -> World:
    return World.restore(template())


@pytest.fixture
def emma(world: World) -> Client:
    return Client(world, "shop").log_in("shop", EMMA)


def one(world: World, query: str, *values: object) -> Any:
    """The first column of the first row."""
    return world.db.execute(query, values).fetchone()[0]


def stocked(world: World, at_least: int = 20) -> Any:
    """Some product with enough stock."""
    return world.db.execute(
        "SELECT * FROM shop_product WHERE stock >= ? AND price_cents > 4000 ORDER BY id", (at_least,)
    ).fetchone()


def names_of(page: Page) -> list[str]:
    """Names of the products that a listing shows."""
    return re.findall(r'<h3><a href="/product/[^"]*">(.*?)</a></h3>', page.html)


# -------------------------------------------------------------------------------------------------------- the data


def test_there_is_enough_of_everything(world: World) -> None:
    assert one(world, "SELECT count(*) FROM shop_product") >= 480
    assert one(world, "SELECT count(*) FROM shop_category WHERE parent_id IS NULL") >= 6
    assert one(world, "SELECT count(*) FROM shop_customer") >= 60
    assert one(world, "SELECT count(*) FROM shop_order WHERE customer_id = 1") >= 20
    assert one(world, "SELECT count(*) FROM shop_review WHERE status = 'pending'") >= 5
    assert one(world, "SELECT count(*) FROM shop_product WHERE stock = 0") >= 5


def test_every_order_adds_up(world: World) -> None:
    wrong = world.db.execute(
        "SELECT number FROM shop_order o WHERE subtotal_cents !="
        " (SELECT sum(price_cents * quantity) FROM shop_order_line l WHERE l.order_id = o.id)"
        " OR total_cents != subtotal_cents - discount_cents + shipping_cents OR placed_at > ?",
        (NOW,),
    ).fetchall()
    assert wrong == []


def test_numbers_of_orders_follow_time(world: World) -> None:
    rows = world.db.execute("SELECT number, placed_at FROM shop_order ORDER BY id").fetchall()
    assert [row["number"] for row in rows] == [f"{n:09d}" for n in range(1, len(rows) + 1)]
    assert [row["placed_at"] for row in rows] == sorted(row["placed_at"] for row in rows)


def test_what_was_shipped_and_invoiced_fits_the_status(world: World) -> None:
    query = (
        "SELECT DISTINCT o.status, i.id IS NOT NULL, s.id IS NOT NULL FROM shop_order o"
        " LEFT JOIN shop_invoice i ON i.order_id = o.id LEFT JOIN shop_shipment s ON s.order_id = o.id"
    )
    assert {tuple(row) for row in world.db.execute(query)} == {
        ("complete", 1, 1),
        ("processing", 1, 0),
        ("pending", 0, 0),
        ("on hold", 0, 0),
        ("canceled", 0, 0),
    }


# ---------------------------------------------------------------------------------------------------------- browsing


@pytest.mark.parametrize(
    ("sort", "order"),
    [
        ("price", "price_cents"),
        ("name", "p.name"),
        (
            "rating",
            "coalesce((SELECT avg(stars) FROM shop_review r WHERE r.product_id = p.id AND status='approved'), 0)",
        ),
        ("position", "p.id"),
    ],
)
@pytest.mark.parametrize("direction", ["asc", "desc"])
def test_a_category_is_sorted_over_all_its_pages(world: World, sort: str, order: str, direction: str) -> None:
    client = Client(world, "shop")
    shown = []
    for page in (1, 2):
        url = f"/category/electronics-headphones?sort={sort}&dir={direction}&page={page}"
        shown += names_of(client.get(url))
    expected = world.db.execute(
        "SELECT p.name FROM shop_product p JOIN shop_category c ON c.id = p.category_id"
        f" WHERE c.slug = 'electronics-headphones' ORDER BY {order} {direction}, p.id"
    ).fetchall()
    assert shown == [row[0] for row in expected]


def test_filters_hold_together_with_paging(world: World) -> None:
    client = Client(world, "shop")
    form = client.get("/category/electronics").form("/category/electronics")
    page = client.send(form, brand="Hexon", price_from="50", price_to="$300.00", sort="price")
    found = world.db.execute(
        "SELECT p.name FROM shop_product p JOIN shop_category c ON c.id = p.category_id JOIN shop_category d"
        " ON d.id = c.parent_id WHERE d.slug = 'electronics' AND brand = 'Hexon' AND price_cents BETWEEN 5000 AND 30000"
        " ORDER BY price_cents, p.id"
    ).fetchall()
    shown = names_of(page)
    while next_page := [link for link in page.links if re.search(r"page=\d+$", link) and ">Next<" in page.html]:
        page = client.get(next_page[-1])
        shown += names_of(page)
    assert shown == [row[0] for row in found]
    assert len(shown) > 1


def test_search_finds_every_word_and_takes_signs_literally(world: World) -> None:
    client = Client(world, "shop")
    page = client.send(client.get("/").form("/search"), q="hexon headphones")
    assert names_of(page)
    assert all("Hexon" in name and "Headphones" in name for name in names_of(page))
    assert "can't find" in client.get("/search?q=%25").html
    assert "can't find" in client.get("/search?q=_____").html
    assert client.get("/search?q=").status == 200


@pytest.mark.parametrize("url", ["/category/no", "/product/no", "/page/no", "/category/electronics?page=99", "/x"])
def test_what_is_not_there_is_not_found(world: World, url: str) -> None:
    assert Client(world, "shop").get(url).status == 404


@pytest.mark.parametrize("query", ["page=0", "page=x", "sort=id", "dir=up", "price_from=abc", "page=1%20OR%201"])
def test_a_query_that_is_none_is_refused(world: World, query: str) -> None:
    assert Client(world, "shop").get(f"/category/electronics?{query}").status == 400


def test_a_product_shows_its_approved_reviews_only(world: World) -> None:
    row = world.db.execute(
        "SELECT p.slug, r.* FROM shop_review r JOIN shop_product p ON p.id = r.product_id WHERE r.status = 'pending'"
    ).fetchone()
    approved = one(
        world, "SELECT count(*) FROM shop_review WHERE product_id = ? AND status = 'approved'", row["product_id"]
    )
    page = Client(world, "shop").get(f"/product/{row['slug']}")
    assert page.html.count("Review by") == approved


def test_a_disabled_product_is_gone(world: World) -> None:
    product = stocked(world)
    world.db.execute("UPDATE shop_product SET is_enabled = 0 WHERE id = ?", (product["id"],))
    client = Client(world, "shop")
    assert client.get(f"/product/{product['slug']}").status == 404
    assert client.post("/cart/add", product=product["id"]).status == 404


def test_a_review_waits_for_approval_and_is_text(world: World, emma: Client) -> None:
    product = stocked(world)
    form = emma.get(f"/product/{product['slug']}").form("/review")
    page = emma.send(form, stars=4, title="<b>Nice</b>", text="Good & cheap")
    assert "You submitted your review for moderation." in page.html
    row = world.db.execute("SELECT * FROM shop_review ORDER BY id DESC").fetchone()
    assert tuple(row)[1:] == (product["id"], 1, "Emma", "<b>Nice</b>", "Good & cheap", 4, "pending", NOW)
    assert changed_tables(world, template()) == {"shop_review": 1}
    world.db.execute("UPDATE shop_review SET status = 'approved' WHERE id = ?", (row["id"],))
    page = emma.get(f"/product/{product['slug']}")
    assert "&lt;b&gt;Nice&lt;/b&gt;" in page.html
    assert "<b>Nice" not in page.html


@pytest.mark.parametrize(
    "changes", [{"stars": ""}, {"stars": 6}, {"text": ""}, {"title": "x" * 121}, {"nickname": " "}]
)
def test_a_review_that_is_none_is_refused(world: World, emma: Client, changes: dict[str, object]) -> None:
    form = emma.get(f"/product/{stocked(world)['slug']}").form("/review")
    page = emma.send(form, **{"stars": 4, "title": "Typed before", "text": "t", **changes})
    assert page.status == 422
    assert 'class="error"' in page.html
    assert changed_tables(world, template()) == {}


# ------------------------------------------------------------------------------------------------- cart and checkout


def test_a_cart_takes_what_is_on_stock(world: World, emma: Client) -> None:
    product = stocked(world)
    form = emma.get(f"/product/{product['slug']}").form("/cart/add")
    assert "You added" in emma.send(form, quantity=2).html
    assert "My Cart (2)" in emma.get("/").html
    assert "not available" in emma.send(form, quantity=product["stock"]).html
    assert "whole number" in emma.send(form, quantity="many").html
    assert "whole number" in emma.send(form, quantity=0).html
    assert one(world, "SELECT sum(quantity) FROM shop_cart_item") == 2
    assert changed_tables(world, template()) == {"shop_cart": 1, "shop_cart_item": 1}


def test_quantities_are_changed_and_lines_removed(world: World, emma: Client) -> None:
    first, second = stocked(world), stocked(world, 120)
    for product in (first, second):
        emma.post("/cart/add", product=product["id"])
    page = emma.send(emma.get("/cart").form("/cart/update"), quantity=5)
    assert "You changed the quantity" in page.html
    assert "not available" in emma.post("/cart/update", product=first["id"], quantity=9999).html
    assert "whole number" in emma.post("/cart/update", product=first["id"], quantity="-1").html
    held = dict(world.db.execute("SELECT product_id, quantity FROM shop_cart_item").fetchall())
    assert sorted(held.values()) == [1, 5]
    emma.post("/cart/update", product=first["id"], quantity=0)
    page = emma.send(emma.get("/cart").form("/cart/remove"))
    assert "You have no items in your shopping cart." in page.html
    assert emma.post("/cart/remove", product=first["id"]).status == 404


def test_an_empty_cart_cannot_be_bought(emma: Client) -> None:
    assert "You have no items" in emma.get("/checkout").html
    assert "You have no items" in emma.post("/checkout", address=1, shipping="standard", payment="Credit card").html
    assert "You have no items" in emma.post("/cart/coupon", coupon="WELCOME10").html


@pytest.mark.parametrize(
    ("code", "is_valid"),
    [("welcome10", True), ("SUMMER20", True), ("SPRING15", False), ("VIP25", False), ("NOPE", False), ("'", False)],
)
def test_a_coupon_must_be_active_and_not_over(world: World, emma: Client, code: str, is_valid: bool) -> None:
    product = stocked(world)
    emma.post("/cart/add", product=product["id"], quantity=10_000 // product["price_cents"] + 1)
    page = emma.send(emma.get("/cart").form("/cart/coupon"), coupon=code)
    assert ("You used coupon code" in page.html) is is_valid
    assert ("Discount (" in page.html) is is_valid


def test_a_coupon_needs_its_minimum_also_later(world: World, emma: Client) -> None:
    product = stocked(world)
    emma.post("/cart/add", product=product["id"], quantity=10_000 // product["price_cents"] + 1)
    emma.post("/cart/coupon", coupon="SUMMER20")
    page = emma.post("/cart/update", product=product["id"], quantity=1)
    assert "Discount (" not in page.html
    assert "You canceled the coupon code." in emma.post("/cart/coupon", coupon="").html


def test_an_order_is_what_the_pages_said(world: World, emma: Client) -> None:
    product = stocked(world)
    last = one(world, "SELECT max(id) FROM shop_order")
    emma.post("/cart/add", product=product["id"], quantity=2)
    emma.post("/cart/coupon", coupon="WELCOME10")
    address = one(world, "SELECT max(id) FROM shop_address WHERE customer_id = 1")
    page = emma.send(emma.get("/checkout").form("/checkout"), shipping="express", address=address)
    assert f"{last + 1:09d}" in page.html
    order = world.db.execute("SELECT * FROM shop_order ORDER BY id DESC").fetchone()
    subtotal = 2 * product["price_cents"]
    assert order["subtotal_cents"] == subtotal
    assert order["discount_cents"] == subtotal // 10
    assert order["shipping_cents"] == 1499
    assert order["total_cents"] == subtotal - subtotal // 10 + 1499
    assert order["street"] == one(world, "SELECT street FROM shop_address WHERE id = ?", address)
    assert (order["status"], order["placed_at"], order["coupon_code"]) == ("pending", NOW, "WELCOME10")
    assert one(world, "SELECT stock FROM shop_product WHERE id = ?", product["id"]) == product["stock"] - 2
    assert changed_tables(world, template()) == {"shop_order": 1, "shop_order_line": 1, "shop_product": 2}
    shown = emma.get(f"/account/orders/{order['number']}")
    assert f"${order['total_cents'] / 100:,.2f}" in shown.html
    assert "My Cart (0)" in shown.html


def test_standard_shipping_is_free_from_an_amount(world: World, emma: Client) -> None:
    product = stocked(world)
    emma.post("/cart/add", product=product["id"], quantity=7_500 // product["price_cents"] + 1)
    emma.send(emma.get("/checkout").form("/checkout"), shipping="standard")
    assert one(world, "SELECT shipping_cents FROM shop_order ORDER BY id DESC") == 0


@pytest.mark.parametrize(
    "changes", [{"address": 3}, {"address": "x"}, {"shipping": "teleport"}, {"payment": "gold"}, {"shipping": None}]
)
def test_a_checkout_that_is_none_is_refused(world: World, emma: Client, changes: dict[str, object]) -> None:
    """Among others, one to somebody else's address."""
    assert one(world, "SELECT customer_id FROM shop_address WHERE id = 3") != 1
    emma.post("/cart/add", product=stocked(world)["id"])
    page = emma.send(emma.get("/checkout").form("/checkout"), **changes)
    assert page.status == 422
    assert "Please choose" in page.html
    assert "shop_order" not in changed_tables(world, template())


def test_what_was_sold_meanwhile_cannot_be_ordered(world: World, emma: Client) -> None:
    product = stocked(world)
    emma.post("/cart/add", product=product["id"], quantity=3)
    world.db.execute("UPDATE shop_product SET stock = 2 WHERE id = ?", (product["id"],))
    page = emma.send(emma.get("/checkout").form("/checkout"))
    assert page.status == 422
    assert "not available in this quantity" in page.html


def test_a_guest_keeps_the_cart_by_logging_in(world: World) -> None:
    first, second = stocked(world), stocked(world, 120)
    Client(world, "shop").log_in("shop", EMMA).post("/cart/add", product=first["id"])
    guest = Client(world, "shop")
    guest.post("/cart/add", product=first["id"], quantity=2)
    guest.post("/cart/add", product=second["id"])
    page = guest.get("/checkout")
    assert "<h1>Customer Login</h1>" in page.html
    page = guest.send(page.form("/account/login"), email=EMMA, password="Password.123")
    assert "<h1>Checkout</h1>" in page.html  # where the guest was going
    held = dict(world.db.execute("SELECT product_id, quantity FROM shop_cart_item").fetchall())
    assert held == {first["id"]: 3, second["id"]: 1}
    assert one(world, "SELECT count(*) FROM shop_cart") == 1


# ----------------------------------------------------------------------------------------------------------- account


@pytest.mark.parametrize(
    ("email", "password"),
    [(EMMA, "password.123"), ("x@y.org", "Password.123"), ("no address", "x"), ("' OR 1=1 --", "")],
)
def test_a_wrong_log_in_is_refused(world: World, email: str, password: str) -> None:
    client = Client(world, "shop")
    page = client.send(client.get("/account/login").form("/account/login"), email=email, password=password)
    assert page.status == 422
    assert client.cookies == {}


def test_a_log_in_and_out(world: World) -> None:
    client = Client(world, "shop")
    page = client.post("/account/login", email="Emma.Lopez@gmail.com", password="Password.123")
    assert "Welcome, Emma Lopez!" in page.html
    page = client.send(page.form("/account/logout"))
    assert "You have signed out." in page.html
    assert "Sign In" in page.html
    assert "<h1>Customer Login</h1>" in client.get("/account").html


def test_a_log_in_does_not_lead_away(world: World) -> None:
    page = Client(world, "shop").request(
        "POST", "/account/login", b"email=emma.lopez%40gmail.com&password=Password.123&next=%2F%2Fevil.com%2F"
    )
    assert page.headers["Location"] == "/account"


PRIVATE = ["/account", "/account/orders", "/account/orders/000000001", "/account/edit", "/account/password"]
PRIVATE += ["/account/newsletter", "/account/reviews", "/account/addresses", "/account/addresses/new"]
PRIVATE += ["/account/addresses/1", "/account/wishlist"]


@pytest.mark.parametrize("url", PRIVATE)
def test_an_account_is_private(world: World, url: str) -> None:
    page = Client(world, "shop").request("GET", url)
    assert page.status == 303
    assert page.headers["Location"].startswith("/account/login?next=%2Faccount")


def test_orders_and_addresses_of_others_are_not_found(world: World, emma: Client) -> None:
    number = one(world, "SELECT number FROM shop_order WHERE customer_id != 1")
    address = one(world, "SELECT id FROM shop_address WHERE customer_id != 1")
    assert emma.get(f"/account/orders/{number}").status == 404
    assert emma.get(f"/checkout/success/{number}").status == 404
    assert emma.post(f"/account/orders/{number}/reorder").status == 404
    assert emma.get(f"/account/addresses/{address}").status == 404
    assert emma.post(f"/account/addresses/{address}/delete").status == 404
    assert changed_tables(world, template()) == {}


def test_registration(world: World) -> None:
    client = Client(world, "shop")
    fields = {"first_name": "Ada", "last_name": "<i>", "email": "ada@example.org", "newsletter": 1}
    form = client.get("/account/create").form("/account/create")
    page = client.send(form, **fields, password="longenough", password_again="longenough")
    assert "Thank you for registering" in page.html
    assert "Welcome, Ada &lt;i&gt;!" in page.html
    assert changed_tables(world, template()) == {"shop_customer": 1}
    again = Client(world, "shop").post("/account/login", email="ada@example.org", password="longenough")
    assert "Welcome, Ada" in again.html


@pytest.mark.parametrize(
    "changes",
    [{"email": EMMA}, {"password_again": "other"}, {"password": "short", "password_again": "short"}, {"email": "x"}],
)
def test_a_registration_that_is_none_is_refused(world: World, changes: dict[str, object]) -> None:
    fields = {
        "first_name": "A",
        "last_name": "B",
        "email": "a@b.org",
        "password": "12345678",
        "password_again": "12345678",
    }
    assert Client(world, "shop").post("/account/create", **{**fields, **changes}).status == 422
    assert changed_tables(world, template()) == {}


def test_name_and_address_of_an_account_are_changed(world: World, emma: Client) -> None:
    form = emma.get("/account/edit").form("/account/edit")
    assert "You saved the account information." in emma.send(form, first_name="Emily").html
    assert one(world, "SELECT first_name FROM shop_customer WHERE id = 1") == "Emily"
    assert emma.send(form, email="e@example.org").status == 422  # needs the password
    assert emma.send(form, email="e@example.org", password="Password.123").status == 200
    assert changed_tables(world, template()) == {"shop_customer": 2}
    assert (
        "Welcome" in Client(world, "shop").post("/account/login", email="e@example.org", password="Password.123").html
    )


def test_a_password_is_changed(world: World, emma: Client) -> None:
    form = emma.get("/account/password").form("/account/password")
    assert emma.send(form, current="wrong", password="new-word-1", password_again="new-word-1").status == 422
    page = emma.send(form, current="Password.123", password="new-word-1", password_again="new-word-1")
    assert "You changed the password." in page.html
    assert Client(world, "shop").post("/account/login", email=EMMA, password="Password.123").status == 422
    assert "Welcome" in Client(world, "shop").post("/account/login", email=EMMA, password="new-word-1").html


def test_the_newsletter_is_ordered_and_canceled(world: World, emma: Client) -> None:
    before = one(world, "SELECT has_newsletter FROM shop_customer WHERE id = 1")
    form = emma.get("/account/newsletter").form("/account/newsletter")
    assert ("newsletter", "1") in form.fields or not before  # the box shows how it is
    emma.send(form, newsletter=None if before else 1)
    assert one(world, "SELECT has_newsletter FROM shop_customer WHERE id = 1") == 1 - before
    assert changed_tables(world, template()) == {"shop_customer": 2}


def test_the_address_book(world: World, emma: Client) -> None:
    fields = {"street": "1 New Road", "city": "Reno", "state": "Nevada", "postcode": "89501", "phone": "555-1"}
    form = emma.get("/account/addresses/new").form("/account/addresses/new")
    assert emma.send(form, **{**fields, "city": ""}).status == 422
    emma.send(form, **fields)
    row = world.db.execute("SELECT * FROM shop_address ORDER BY id DESC").fetchone()
    assert (row["name"], row["street"], row["is_default"]) == ("Emma Lopez", "1 New Road", 0)
    assert changed_tables(world, template()) == {"shop_address": 1}
    url = f"/account/addresses/{row['id']}"
    emma.send(emma.get(url).form(url), city="Sparks", is_default=1)
    defaults = world.db.execute("SELECT id FROM shop_address WHERE customer_id = 1 AND is_default").fetchall()
    assert [found[0] for found in defaults] == [row["id"]]
    assert one(world, "SELECT city FROM shop_address WHERE id = ?", row["id"]) == "Sparks"
    assert "be deleted." in emma.post(f"{url}/delete").html
    other = emma.get("/account/addresses").form("/delete")
    assert "You deleted the address." in emma.send(other).html
    assert one(world, "SELECT count(*) FROM shop_address WHERE customer_id = 1") == 2


def test_a_new_address_leads_back_to_the_checkout(world: World, emma: Client) -> None:
    emma.post("/cart/add", product=stocked(world)["id"])
    page = emma.get("/account/addresses/new?next=/checkout")
    fields = {"street": "1 New Road", "city": "Reno", "state": "Nevada", "postcode": "89501", "phone": "555-1"}
    page = emma.send(page.form("/account/addresses/new"), **fields)
    assert "<h1>Checkout</h1>" in page.html
    assert "1 New Road, Reno" in page.html


def test_the_wish_list(world: World, emma: Client) -> None:
    product = stocked(world)
    wished = one(world, "SELECT count(*) FROM shop_wish WHERE customer_id = 1 AND product_id = ?", product["id"])
    assert not wished
    form = emma.get(f"/product/{product['slug']}").form("/wishlist/add")
    assert "has been added to your Wish List" in emma.send(form).html
    emma.send(form)  # once is enough
    assert changed_tables(world, template()) == {"shop_wish": 1}
    page = emma.post("/account/wishlist/cart", product=product["id"])
    assert "You added" in page.html
    assert changed_tables(world, template()) == {"shop_cart": 1, "shop_cart_item": 1}
    page = emma.send(page.form("/wishlist/remove"))
    assert "has been removed from your Wish List" in page.html
    assert changed_tables(world, template())["shop_wish"] == 1


def test_orders_are_listed_and_ordered_again(world: World, emma: Client) -> None:
    total = one(world, "SELECT count(*) FROM shop_order WHERE customer_id = 1")
    first = emma.get("/account/orders")
    assert first.html.count("View Order") == 10
    assert f"of {total} total" in first.html
    lines = "SELECT count(*) FROM shop_order_line l JOIN shop_product p ON p.id = l.product_id WHERE l.order_id = o.id"
    number = one(
        world,
        f"SELECT o.number FROM shop_order o WHERE customer_id = 1 AND ({lines} AND p.stock < 10) = 0 ORDER BY id DESC",
    )
    page = emma.send(emma.get(f"/account/orders/{number}").form("/reorder"))
    assert "You added the order again." in page.html
    ordered = (
        "SELECT product_id, quantity FROM shop_order_line l JOIN shop_order o ON o.id = l.order_id WHERE number = ?"
    )
    assert {tuple(row) for row in world.db.execute(ordered, (number,))} == {
        tuple(row) for row in world.db.execute("SELECT product_id, quantity FROM shop_cart_item")
    }


def test_own_reviews_show_their_status(world: World, emma: Client) -> None:
    page = emma.get("/account/reviews")
    assert page.html.count(" out of 5</td>") == one(world, "SELECT count(*) FROM shop_review WHERE customer_id = 1")


def test_a_message_is_sent(world: World, emma: Client) -> None:
    form = emma.get("/contact").form("/contact")
    assert ("email", EMMA) in form.fields
    assert emma.send(form, text="").status == 422
    assert "Thanks for contacting us" in emma.send(form, text="Where is order 12?\nThanks").html
    assert one(world, "SELECT text FROM shop_message") == "Where is order 12?\nThanks"
    assert changed_tables(world, template()) == {"shop_message": 1}
