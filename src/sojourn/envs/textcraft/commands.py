"""What the three commands do to an inventory, and the sentence that answers each.

The grammar is strict but for case and blanks at the ends: ``craft N X using N1 Y1, N2 Y2``, ``get N X``,
``inventory``. A command that cannot be done changes nothing and raises `Refusal`, whose text says what was expected.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from enum import StrEnum
from itertools import product
from typing import NoReturn

from sojourn.envs.textcraft.world import Ingredient, Recipe, World, nearest_names

FORMS = "craft N X using N1 Y1, N2 Y2 | get N X | inventory"
MAX_GET = 64
"""Largest quantity of one `get`; a greater need takes several."""
MAX_ACTION_CHARS = 500

Inventory = dict[str, int]

_NAME = r"[a-z][a-z0-9 _:'-]{0,59}"
_NUMBER = r"[0-9]{1,6}"
_GET = re.compile(rf"get ({_NUMBER}) ({_NAME})")
_CRAFT = re.compile(rf"craft ({_NUMBER}) ({_NAME}?) using (.+)")
_PART = re.compile(rf" *({_NUMBER}) ({_NAME}?) *")
_MAX_SHOWN = 3


class Reason(StrEnum):
    """Why a command was refused."""

    UNPARSABLE = "unparsable"  # not one of the three forms
    UNKNOWN_ITEM = "unknown_item"  # names nothing in this world
    GROUP = "group"  # names a group where one item is needed
    QUANTITY = "quantity"  # a number out of range, or not the one the recipe yields
    NOT_GATHERED = "not_gathered"  # `get` of something that has to be crafted
    NOT_CRAFTED = "not_crafted"  # `craft` of something that has to be gathered
    NO_RECIPE = "no_recipe"  # no recipe takes just these ingredients
    NOT_ENOUGH = "not_enough"  # the inventory does not hold the ingredients


class Refusal(Exception):  # noqa: N818 (no error: an answer to the agent)
    """A command that is not done; the text is the observation."""

    def __init__(self, reason: Reason, text: str) -> None:
        super().__init__(text)
        self.reason = reason


def execute(world: World, inventory: Inventory, action: str) -> tuple[str, str | None]:
    """Do `action`: the sentence that answers it, and the item it crafted (None for the other commands)."""
    text = action.strip(" \t\r\n").lower() if len(action) <= MAX_ACTION_CHARS else ""
    if match := _GET.fullmatch(text):
        return _get(world, inventory, int(match[1]), match[2]), None
    if match := _CRAFT.fullmatch(text):
        return _craft(world, inventory, int(match[1]), match[2], match[3]), match[2]
    if text == "inventory":
        return _inventory(inventory), None
    raise Refusal(Reason.UNPARSABLE, f"Unknown command. Expected: {FORMS}.")


def possible_crafts(world: World, inventory: Inventory, recipes: tuple[Recipe, ...]) -> Iterator[str]:
    """The craft commands among `recipes` that the inventory pays for, groups replaced by the items held."""
    for recipe in recipes:
        choices = [tuple(_held(world, inventory, part)) for part in recipe.ingredients]
        for choice in product(*choices):
            if len(set(choice)) == len(choice):  # one item cannot pay for two parts
                yield craft_command(recipe, choice)


def craft_command(recipe: Recipe, items: tuple[str, ...]) -> str:
    """The command that crafts `recipe` with `items`, one for each ingredient."""
    parts = ", ".join(f"{part.count} {item}" for part, item in zip(recipe.ingredients, items, strict=True))
    return f"craft {recipe.count} {recipe.output} using {parts}"


def _held(world: World, inventory: Inventory, part: Ingredient) -> Iterator[str]:
    for item in world.members.get(part.name, (part.name,)):
        if inventory.get(item, 0) >= part.count:
            yield item


def _get(world: World, inventory: Inventory, count: int, item: str) -> str:
    if item not in world.gathered:
        _refuse_get(world, item)
    if not 1 <= count <= MAX_GET:
        raise Refusal(Reason.QUANTITY, f"Cannot get {count}: one get brings 1 to {MAX_GET}.")
    inventory[item] = inventory.get(item, 0) + count
    return f"Got {count} {item}."


def _refuse_get(world: World, item: str) -> NoReturn:
    if item in world.recipes_of:
        shown = _show(world.recipes_of[item])
        raise Refusal(Reason.NOT_GATHERED, f"{item} cannot be gathered, it must be crafted: {shown}.")
    _refuse_name(world, item)


def _refuse_name(world: World, name: str) -> NoReturn:
    if name in world.members:
        shown = ", ".join(world.members[name][:_MAX_SHOWN])
        raise Refusal(Reason.GROUP, f"{name} is a group of items. Name one of them, such as {shown}.")
    near = " or ".join(nearest_names(name, world.names))
    raise Refusal(Reason.UNKNOWN_ITEM, f"Unknown item: {name}." + (f" Did you mean {near}?" if near else ""))


def _craft(world: World, inventory: Inventory, count: int, output: str, listed: str) -> str:
    recipes = world.recipes_of.get(output)
    if recipes is None:
        if output in world.gathered:
            raise Refusal(Reason.NOT_CRAFTED, f"{output} cannot be crafted, it must be gathered: get 1 {output}.")
        _refuse_name(world, output)
    parts = _parse_parts(listed)
    fitting = [recipe for recipe in recipes if _fits(world, recipe, parts)]
    if not fitting:
        _refuse_parts(world, recipes, parts)
    if all(recipe.count != count for recipe in fitting):
        raise Refusal(Reason.QUANTITY, f"This yields {fitting[0].count} {output}, not {count}: {_show(fitting)}.")
    _pay(inventory, parts)
    inventory[output] = inventory.get(output, 0) + count
    return f"Crafted {count} {output}."


def _parse_parts(listed: str) -> Inventory:
    """``2 stick, 1 coal`` -> item: count; an item named twice counts with its sum."""
    parts: Inventory = {}
    for text in listed.split(","):
        match = _PART.fullmatch(text)
        if match is None:
            raise Refusal(Reason.UNPARSABLE, "Cannot read the ingredients. Expected: craft N X using N1 Y1, N2 Y2.")
        parts[match[2]] = parts.get(match[2], 0) + int(match[1])
    return parts


def _fits(world: World, recipe: Recipe, parts: Mapping[str, int]) -> bool:
    """Whether `parts` are exactly the recipe's ingredients, each group served by one of its members."""
    if len(parts) != len(recipe.ingredients):
        return False
    left = dict(parts)
    groups = []
    for part in recipe.ingredients:
        if part.name in world.members:
            groups.append(part)  # after the plain items, which have no choice
        elif left.pop(part.name, 0) != part.count:
            return False
    for part in groups:
        item = next((i for i, n in left.items() if n == part.count and i in world.members[part.name]), None)
        if item is None:
            return False
        del left[item]
    return True


def _refuse_parts(world: World, recipes: tuple[Recipe, ...], parts: Mapping[str, int]) -> NoReturn:
    for name in parts:
        if name not in world.gathered and name not in world.recipes_of:
            _refuse_name(world, name)
    raise Refusal(Reason.NO_RECIPE, f"No recipe takes these ingredients. Expected: {_show(recipes)}.")


def _pay(inventory: Inventory, parts: Mapping[str, int]) -> None:
    missing = [
        f"{n} {item} (you have {inventory.get(item, 0)})" for item, n in parts.items() if inventory.get(item, 0) < n
    ]
    if missing:
        raise Refusal(Reason.NOT_ENOUGH, f"Not enough: this needs {', '.join(missing)}.")
    for item, n in parts.items():
        inventory[item] -= n
        if not inventory[item]:
            del inventory[item]


def _inventory(inventory: Mapping[str, int]) -> str:
    return f"Inventory: {', '.join(f'{n} {item}' for item, n in inventory.items()) or 'empty'}."


def _show(recipes: list[Recipe] | tuple[Recipe, ...]) -> str:
    return " | ".join(recipe.text for recipe in recipes[:_MAX_SHOWN])
