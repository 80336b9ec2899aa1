"""The shop's rows: products, customers, reviews and orders, through Oscar's own models."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any

from django.apps import apps

from sojourn.envs.web.webapps.episode import WORLD_START
from sojourn.envs.web.webapps.hosts import CUSTOMER, MERCHANT
from sojourn.envs.web.webapps.seed.goods import CATEGORIES, Goods, all_goods
from sojourn.envs.web.webapps.seed.people import PEOPLE, ROSA, Person

PRAISE = ("Solid and well made", "Exactly as described", "Better than expected", "A gift that was liked")
BLAME = ("Arrived scratched", "Smaller than it looks", "Broke within a month", "Not worth the price")
STATUSES = ("Pending", "Being processed", "Complete", "Complete", "Complete", "Cancelled")
NUM_ORDERS = 90
FIRST_ORDER = 100_001


def _model(app: str, name: str) -> Any:
    return apps.get_model(app, name)


def seed_shop(rng: random.Random) -> None:
    """Fill the shop of the running episode."""
    _model("sites", "Site").objects.update_or_create(pk=1, defaults={"domain": "shop.example.com", "name": "Shop"})
    country = _model("address", "Country").objects.create(
        iso_3166_1_a2="US",
        iso_3166_1_a3="USA",
        iso_3166_1_numeric="840",
        printable_name="United States",
        name="United States of America",
        is_shipping_country=True,
    )
    products = _products(all_goods(rng))
    users = _users()
    _address_book(users[ROSA.email], country)
    _reviews(rng, products, users)
    _orders(rng, products, users, country)
    _voucher()


def _products(goods: Sequence[Goods]) -> list[Any]:
    category_model = _model("catalogue", "Category")
    kind = _model("catalogue", "ProductClass").objects.create(name="Goods", requires_shipping=True, track_stock=True)
    partner = _model("partner", "Partner").objects.create(name="Harbour Warehouse", code="harbour")
    categories = {}
    for branch, names in CATEGORIES.items():
        root = category_model.add_root(name=branch)
        for name in names:
            categories[name] = root.add_child(name=name)
    products = []
    for number, item in enumerate(goods):
        product = _model("catalogue", "Product").objects.create(
            title=item.title,
            upc=item.number,
            product_class=kind,
            description=item.description,
            meta_description="",  # as the dashboard would have saved it
        )
        made = WORLD_START - timedelta(days=200 - number / 2)
        product.date_created = made  # kept when the product is saved again
        product.categories.add(categories[item.category])
        _model("partner", "StockRecord").objects.create(
            product=product,
            partner=partner,
            partner_sku=item.number,
            price_currency="USD",
            price=item.price,
            num_in_stock=item.in_stock,
            low_stock_threshold=5,
        )
        products.append(product)
    return products


def _users() -> dict[str, Any]:
    users = _model("auth", "User").objects
    made = {}
    for person in PEOPLE:
        # an account each for all sites: Oscar knows it by the address, Spirit by the name
        made[person.email] = users.create_user(
            person.login,
            person.email,
            CUSTOMER.password if person == ROSA else None,
            first_name=person.first,
            last_name=person.last,
        )
    users.create_superuser("merchant", MERCHANT.user, MERCHANT.password, first_name="Mina", last_name="Harbour")
    return made


def _address(person: Person, country: Any) -> dict[str, Any]:
    return {
        "first_name": person.first,
        "last_name": person.last,
        "line1": f"{len(person.last) * 7} Quay Street",
        "line4": person.town,
        "postcode": "02" + str(100 + len(person.first) * 11),
        "country": country,
    }


def _address_book(user: Any, country: Any) -> None:
    _model("address", "UserAddress").objects.create(
        user=user, is_default_for_shipping=True, is_default_for_billing=True, **_address(ROSA, country)
    )


def _reviews(rng: random.Random, products: Sequence[Any], users: dict[str, Any]) -> None:
    reviews = _model("reviews", "ProductReview")
    for product in products:
        for person in rng.sample(PEOPLE[1:], rng.choice((0, 0, 1, 2, 3, 4))):
            stars = rng.choice((1, 2, 3, 4, 5, 5))
            title = rng.choice(PRAISE if stars >= 4 else BLAME)
            review = reviews.objects.create(
                product=product,
                user=users[person.email],
                score=stars,
                title=title,
                body=f"{title}. I have used it for {rng.randint(2, 40)} days.",
                status=1,
            )
            made = WORLD_START - timedelta(days=rng.randint(5, 150))
            reviews.objects.filter(pk=review.pk).update(date_created=made)
        product.update_rating()


def _orders(rng: random.Random, products: Sequence[Any], users: dict[str, Any], country: Any) -> None:
    buyers = [PEOPLE[0] if n % 9 == 0 else rng.choice(PEOPLE[1:]) for n in range(NUM_ORDERS)]
    for person in PEOPLE:
        _model("analytics", "UserRecord").objects.create(user=users[person.email], num_orders=buyers.count(person))
    for place, person in enumerate(buyers):
        placed = WORLD_START - timedelta(days=(NUM_ORDERS - place) * 1.5)
        chosen = [(product, rng.randint(1, 3)) for product in rng.sample(products, rng.randint(1, 4))]
        lines = [(product, count, product.stockrecords.get().price) for product, count in chosen]
        goods = sum((price * count for _, count, price in lines), Decimal(0))
        status = rng.choice(STATUSES)
        order = _model("order", "Order").objects.create(
            number=str(FIRST_ORDER + place),
            site_id=1,
            # Oscar numbers an order by its basket
            basket=_model("basket", "Basket").objects.create(
                owner=users[person.email], status="Submitted", date_submitted=placed
            ),
            user=users[person.email],
            currency="USD",
            total_incl_tax=goods,
            total_excl_tax=goods,
            shipping_address=_model("order", "ShippingAddress").objects.create(**_address(person, country)),
            shipping_method="Free shipping",
            shipping_code="free-shipping",
            status=status,
            date_placed=placed,
        )
        for product, count, price in lines:
            _order_line(order, product, count, price)


def _order_line(order: Any, product: Any, count: int, price: Decimal) -> None:
    record = product.stockrecords.get()
    total = price * count
    line = order.lines.create(
        partner=record.partner,
        partner_name=record.partner.name,
        partner_sku=record.partner_sku,
        stockrecord=record,
        product=product,
        title=product.title,
        upc=product.upc,
        quantity=count,
        line_price_incl_tax=total,
        line_price_excl_tax=total,
        line_price_before_discounts_incl_tax=total,
        line_price_before_discounts_excl_tax=total,
        unit_price_incl_tax=price,
        unit_price_excl_tax=price,
        status="Pending",
        num_allocated=0,
    )
    line.prices.create(order=order, quantity=count, price_incl_tax=price, price_excl_tax=price)


def _voucher() -> None:
    voucher = _model("voucher", "Voucher").objects.create(
        name="Spring sale",
        code="SPRING10",
        usage="Multi-use",
        start_datetime=WORLD_START - timedelta(days=60),
        end_datetime=WORLD_START + timedelta(days=60),
    )
    offers = "offer"
    everything = _model(offers, "Range").objects.create(name="Everything", includes_all_products=True)
    condition = _model(offers, "Condition").objects.create(range=everything, type="Count", value=1)
    benefit = _model(offers, "Benefit").objects.create(range=everything, type="Percentage", value=10)
    offer = _model(offers, "ConditionalOffer").objects.create(
        name="Spring sale", offer_type="Voucher", condition=condition, benefit=benefit
    )
    voucher.offers.add(offer)
