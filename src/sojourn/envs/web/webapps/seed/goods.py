"""What the shop sells, as data: categories, brands, and products made of them."""

from __future__ import annotations

import random
from dataclasses import dataclass
from decimal import Decimal

CATEGORIES = {
    "Kitchen": {
        "Cookware": ("Frying Pan", "Stockpot", "Saucepan", "Casserole"),
        "Knives": ("Chef Knife", "Bread Knife", "Paring Knife", "Cleaver"),
        "Coffee": ("Moka Pot", "Coffee Grinder", "French Press", "Pour-over Set"),
    },
    "Garden": {
        "Tools": ("Spade", "Hand Rake", "Pruning Shears", "Watering Can"),
        "Furniture": ("Folding Chair", "Bench", "Bistro Table", "Hammock"),
        "Lighting": ("Solar Lantern", "Path Light", "String Lights", "Torch Light"),
    },
    "Outdoors": {
        "Tents": ("Dome Tent", "Tunnel Tent", "Tarp", "Bivouac Shelter"),
        "Backpacks": ("Day Pack", "Trekking Pack", "Dry Bag", "Hip Bag"),
        "Bottles": ("Steel Bottle", "Vacuum Flask", "Folding Cup", "Water Filter"),
    },
    "Office": {
        "Paper": ("Notebook", "Sketch Pad", "Index Cards", "Desk Calendar"),
        "Desks": ("Standing Desk", "Monitor Stand", "Desk Lamp", "Cable Tray"),
        "Writing": ("Fountain Pen", "Gel Pen", "Mechanical Pencil", "Ink Bottle"),
    },
}
"""branch -> category -> kinds of things in it."""

BRANDS = ("Alderton", "Brightwell", "Corvane", "Dunmoor")
FINISHES = ("Amber", "Basalt", "Cobalt", "Ivory", "Moss", "Slate")
ADVICE = (
    "Wipe clean with a damp cloth.",
    "Comes with a two-year guarantee.",
    "Packed without plastic.",
    "Spare parts are available for ten years.",
)


@dataclass(frozen=True, kw_only=True)
class Goods:
    """One product."""

    title: str
    number: str
    branch: str
    category: str
    price: Decimal
    in_stock: int
    description: str


def all_goods(rng: random.Random) -> tuple[Goods, ...]:
    """One product of each kind and brand, 192; no two of one category have the same price."""
    goods: list[Goods] = []
    for branch, categories in CATEGORIES.items():
        for category, kinds in categories.items():
            prices = rng.sample(range(6, 400), len(kinds) * len(BRANDS))
            for position, kind in enumerate(kinds):
                for place, brand in enumerate(BRANDS):
                    goods.append(
                        Goods(
                            title=f"{brand} {kind} {rng.choice(FINISHES)}",
                            number=f"{branch[:1]}{category[:2].upper()}{position}{place}{len(goods):03}",
                            branch=branch,
                            category=category,
                            price=Decimal(prices.pop()) + Decimal(rng.choice(("0.49", "0.95", "0.99"))),
                            in_stock=rng.choice((0, 3, 8, 15, 24, 40, 60)),
                            description=f"A {kind.lower()} by {brand}. {rng.choice(ADVICE)}",
                        )
                    )
    return tuple(goods)
