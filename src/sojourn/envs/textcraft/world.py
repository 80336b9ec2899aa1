"""Recipes and what follows from them: which items exist, which are gathered, how deep a goal lies.

A `World` is immutable and shared by all its episodes. Items are named as an agent writes them (``oak planks``).
A *group* such as ``planks`` stands for any one of its member items and appears in recipes as an ingredient only.
"""

from __future__ import annotations

import difflib
import random
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache


@dataclass(frozen=True, kw_only=True, slots=True)
class Ingredient:
    """One line of a recipe's input."""

    name: str
    """An item, or a group any one member of which serves."""
    count: int

    def __str__(self) -> str:
        return f"{self.count} {self.name}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Recipe:
    """One way to craft an item."""

    output: str
    count: int
    """How many of `output` one crafting yields."""
    ingredients: tuple[Ingredient, ...]
    """Without repetition of a name."""
    text: str = field(init=False)
    """The command that crafts it; groups still by the group's name."""

    def __post_init__(self) -> None:
        inputs = ", ".join(map(str, self.ingredients))
        object.__setattr__(self, "text", f"craft {self.count} {self.output} using {inputs}")


class World:
    """A graph of recipes without cycles, and the answers to what an episode asks of it."""

    __slots__ = ("_background", "_depths", "_uses", "gathered", "members", "names", "recipes", "recipes_of")

    recipes: tuple[Recipe, ...]
    recipes_of: Mapping[str, tuple[Recipe, ...]]
    """item -> its recipes, in their order; only items that can be crafted."""
    members: Mapping[str, tuple[str, ...]]
    """group -> the items that count as it, by name."""
    gathered: frozenset[str]
    """Items that no recipe makes: `get` yields them without limit."""
    names: tuple[str, ...]
    """All items by name (no groups)."""

    def __init__(self, recipes: Iterable[Recipe], members: Mapping[str, Iterable[str]]) -> None:
        self.recipes = tuple(recipes)
        self.recipes_of = _by_output(self.recipes)
        self.members = {group: tuple(sorted(items)) for group, items in sorted(members.items())}
        used = {part.name for recipe in self.recipes for part in recipe.ingredients}
        self.gathered = frozenset(used - self.recipes_of.keys() - self.members.keys())
        self.names = tuple(sorted(self.gathered | self.recipes_of.keys()))
        self._uses = _by_ingredient(self.recipes)
        self._depths: dict[str, int] = {}
        # goal -> (needed recipes, candidates for distractors): asked for by every reset, the same every time
        self._background: dict[str, tuple[tuple[Recipe, ...], tuple[Recipe, ...]]] = {}

    def depth(self, name: str) -> int:
        """Least number of recipe levels under `name`: 0 if gathered, else 1 + the deepest ingredient's."""
        if name not in self._depths:
            if name in self.members:
                depth = min(map(self.depth, self.members[name]))
            else:
                recipes = self.recipes_of.get(name, ())
                depth = min((1 + max(self.depth(part.name) for part in r.ingredients) for r in recipes), default=0)
            self._depths[name] = depth
        return self._depths[name]

    def listing(self, goal: str, rng: random.Random, max_distractors: int) -> tuple[Recipe, ...]:
        """What an episode shows: every recipe that may serve `goal`, and distractors that share an ingredient."""
        if goal not in self._background:
            needed = tuple(self._needed(goal))
            self._background[goal] = needed, tuple(self._related(needed))
        needed, related = self._background[goal]
        listed = [*needed, *rng.sample(related, min(len(related), max_distractors))]
        rng.shuffle(listed)
        return tuple(listed)

    def _needed(self, goal: str) -> Iterator[Recipe]:
        """The recipes of `goal`, of their ingredients and so on, each once."""
        done: set[str] = set()
        queue = [goal]
        for name in queue:  # grows while it is read
            for item in self.members.get(name, (name,)):
                if item not in done:
                    done.add(item)
                    yield from self.recipes_of.get(item, ())
                    queue.extend(part.name for recipe in self.recipes_of.get(item, ()) for part in recipe.ingredients)

    def _related(self, needed: tuple[Recipe, ...]) -> Iterator[Recipe]:
        """Recipes outside `needed` that use one of its ingredients, each once, in a fixed order."""
        seen = {recipe.text for recipe in needed}
        for name in sorted({part.name for recipe in needed for part in recipe.ingredients}):
            for recipe in self._uses[name]:
                if recipe.text not in seen:
                    seen.add(recipe.text)
                    yield recipe


@lru_cache(maxsize=2048)  # agents repeat their mistakes, and a search through 700 names costs a millisecond
def nearest_names(name: str, names: tuple[str, ...]) -> tuple[str, ...]:
    """Up to three of `names` that look like `name`, the likeliest first."""
    return tuple(difflib.get_close_matches(name, names, n=3, cutoff=0.6))


def _by_output(recipes: Iterable[Recipe]) -> dict[str, tuple[Recipe, ...]]:
    grouped: dict[str, tuple[Recipe, ...]] = {}
    for recipe in recipes:
        grouped[recipe.output] = (*grouped.get(recipe.output, ()), recipe)
    return grouped


def _by_ingredient(recipes: Iterable[Recipe]) -> dict[str, list[Recipe]]:
    grouped: dict[str, list[Recipe]] = {}
    for recipe in recipes:
        for part in recipe.ingredients:
            grouped.setdefault(part.name, []).append(recipe)
    return grouped
