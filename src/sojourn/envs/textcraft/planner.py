"""An expert: plans backwards from the goal, reserving what each part needs, and plans anew at every step."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from sojourn.envs.textcraft.commands import MAX_GET, craft_command
from sojourn.envs.textcraft.env import TextCraftEnv
from sojourn.envs.textcraft.world import Recipe, World


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """What is left to do: gather, then craft in order."""

    gather: Mapping[str, int]
    """Item -> how many more are needed, in the order of first use."""
    crafts: tuple[str, ...]


class TextCraftOracle:
    """The expert of one live episode.

    It gathers in the quantities the recipes show, so that its actions are all among the admissible commands; with
    `bulk` it gathers what the plan needs at once, which is shorter where a recipe is crafted several times.
    """

    def __init__(self, env: TextCraftEnv, *, bulk: bool = False) -> None:
        self._env = env
        self._bulk = bulk

    async def next_action(self) -> str | None:
        """The first step of a plan from the inventory as it is now; the action that follows may be another."""
        env = self._env
        if not env.is_live:
            return None
        plan = plan_from(env.world, env.goal, env.inventory)
        for item, missing in plan.gather.items():
            return f"get {self._quantity(item, missing)} {item}"
        return plan.crafts[0]

    def _quantity(self, item: str, missing: int) -> int:
        """The least quantity shown that is enough, else the greatest: items are free, turns are not."""
        if self._bulk:
            return min(missing, MAX_GET)
        shown = sorted(part.count for recipe in self._env.listing for part in recipe.ingredients if part.name == item)
        return next((count for count in shown if count >= missing), shown[-1])


def plan_from(world: World, goal: str, inventory: Mapping[str, int]) -> Plan:
    """A plan that crafts `goal` once from what `inventory` holds."""
    planner = _Planner(world, inventory)
    planner.craft(goal, 1)
    return Plan(gather=planner.gather, crafts=tuple(planner.crafts))


class _Planner:
    """One pass from the goal down: what is in stock is taken first, each use reserves its share."""

    def __init__(self, world: World, inventory: Mapping[str, int]) -> None:
        self._world = world
        self._stock = Counter(inventory)
        self.gather: Counter[str] = Counter()
        self.crafts: list[str] = []

    def craft(self, item: str, count: int) -> None:
        """Craft at least `count` of `item`, by its cheapest recipe, into the stock."""
        recipe = min(self._world.recipes_of[item], key=self._cost)
        for _ in range(-(-count // recipe.count)):
            items = tuple(self._take(part.name, part.count) for part in recipe.ingredients)
            self.crafts.append(craft_command(recipe, items))
            self._stock[item] += recipe.count

    def _take(self, name: str, count: int) -> str:
        """Reserve `count` of `name`, made or gathered as far as missing; for a group the item that is least work."""
        item = min(self._world.members.get(name, (name,)), key=lambda item: (self._work(item, count), item))
        missing = count - self._stock[item]
        if missing > 0 and item in self._world.gathered:
            self.gather[item] += missing
            self._stock[item] += missing
        elif missing > 0:
            self.craft(item, missing)
        self._stock[item] -= count
        return item

    def _cost(self, recipe: Recipe) -> float:
        return 1 + sum(
            min(self._work(i, p.count) for i in self._world.members.get(p.name, (p.name,))) for p in recipe.ingredients
        )

    def _work(self, item: str, count: int) -> float:
        """About how many commands `count` of `item` take, beyond the stock."""
        missing = count - self._stock[item]
        if missing <= 0:
            return 0
        if item in self._world.gathered:
            return 0 if item in self.gather else 1  # more of what is gathered anyway costs no command
        return min(-(-missing // recipe.count) * self._cost(recipe) for recipe in self._world.recipes_of[item])
