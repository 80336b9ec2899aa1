"""ScienceWorld's 30 tasks: numbers, variations, splits, categories; and how AgentGym numbers them.

A table, so that listing tasks starts no JVM; a test compares it with what the jar says.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sojourn.errors import ConfigError, DataError, unknown_name

SPLITS = ("train", "validation", "test")


@dataclass(frozen=True, kw_only=True, slots=True)
class Kind:
    """One of the 30 tasks of ScienceWorld, which has many variations."""

    number: str
    """ScienceWorld's, such as ``4-2``."""
    name: str
    """ScienceWorld's, such as ``find-non-living-thing``."""
    num_variations: int
    category: str

    def variations(self, split: str) -> range:
        """ScienceWorld's own split, in quarters: the first two to train, then one each; what is left over is tested."""
        quarter = self.num_variations // 4
        return {
            "train": range(2 * quarter),
            "validation": range(2 * quarter, 3 * quarter),
            "test": range(3 * quarter, self.num_variations),
        }[split]

    def split_of(self, variation: int) -> str:
        """The split that a variation is in."""
        return next(split for split in SPLITS if variation in self.variations(split))


PAPER_CATEGORIES = ("Measure", "Test-Cond", "Find", "Chem-Mix", "Lifespan")
"""The five that the paper reports."""

_TABLE = """\
1-1 boil 30 State change
1-2 melt 30 State change
1-3 freeze 30 State change
1-4 change-the-state-of-matter-of 30 State change
2-1 use-thermometer 540 Measure
2-2 measure-melting-point-known-substance 436 Measure
2-3 measure-melting-point-unknown-substance 300 Measure
3-1 power-component 20 Power
3-2 power-component-renewable-vs-nonrenewable-energy 20 Power
3-3 test-conductivity 900 Test-Cond
3-4 test-conductivity-of-unknown-substances 600 Test-Cond
4-1 find-living-thing 300 Find
4-2 find-non-living-thing 300 Find
4-3 find-plant 300 Find
4-4 find-animal 300 Find
5-1 grow-plant 126 Grow
5-2 grow-fruit 126 Grow
6-1 chemistry-mix 32 Chem-Mix
6-2 chemistry-mix-paint-secondary-color 36 Chem-Mix
6-3 chemistry-mix-paint-tertiary-color 36 Chem-Mix
7-1 lifespan-longest-lived 125 Lifespan
7-2 lifespan-shortest-lived 125 Lifespan
7-3 lifespan-longest-lived-then-shortest-lived 125 Lifespan
8-1 identify-life-stages-1 14 Life stages
8-2 identify-life-stages-2 10 Life stages
9-1 inclined-plane-determine-angle 168 Inclined plane
9-2 inclined-plane-friction-named-surfaces 1386 Inclined plane
9-3 inclined-plane-friction-unnamed-surfaces 162 Inclined plane
10-1 mendelian-genetics-known-plant 120 Genetics
10-2 mendelian-genetics-unknown-plant 480 Genetics
"""


def _kind(line: str) -> Kind:
    number, name, num_variations, category = line.split(" ", 3)
    return Kind(number=number, name=name, num_variations=int(num_variations), category=category)


KINDS: Mapping[str, Kind] = {kind.name: kind for kind in map(_kind, _TABLE.splitlines())}
"""name -> kind, in ScienceWorld's order: 30 kinds, 7,207 variations."""
CATEGORIES = tuple(dict.fromkeys(kind.category for kind in KINDS.values()))

_NOT_IN_AGENTGYM = frozenset({"5-1", "5-2", "9-1", "9-2", "9-3", "10-1", "10-2"})
AGENTGYM_KINDS = tuple(kind for kind in KINDS.values() if kind.number not in _NOT_IN_AGENTGYM)
"""The 23 that AgentGym numbers, all variations one kind after the other: 4,639 ids, whatever split they are in."""


def agentgym_id(kind_name: str, variation: int) -> int | None:
    """AgentGym's number of a variation; None for the seven kinds that it leaves out."""
    first = 0
    for kind in AGENTGYM_KINDS:
        if kind.name == kind_name:
            return first + variation
        first += kind.num_variations
    return None


def from_agentgym_id(number: int) -> tuple[str, int]:
    """Name and variation of AgentGym's number; raises `DataError` beyond its 4,639."""
    rest = number
    for kind in AGENTGYM_KINDS:
        if 0 <= rest < kind.num_variations:
            return kind.name, rest
        rest -= kind.num_variations
    raise DataError(f"AgentGym's SciWorld ids are 0 to {agentgym_size() - 1}, got {number}")


def agentgym_size() -> int:
    """How many ids AgentGym has."""
    return sum(kind.num_variations for kind in AGENTGYM_KINDS)


def select_kinds(tasks: Sequence[str] | None, categories: Sequence[str] | None) -> tuple[Kind, ...]:
    """The kinds with these names or numbers, of these categories, in ScienceWorld's order. Raises `ConfigError`."""
    names = {kind.number: kind.name for kind in KINDS.values()} | {name: name for name in KINDS}
    for task in tasks or ():
        if task not in names:
            raise unknown_name("ScienceWorld task", task, KINDS)
    for category in categories or ():
        if category not in CATEGORIES:
            raise unknown_name("SciWorld category", category, CATEGORIES)
    wanted = set(KINDS) if tasks is None else {names[task] for task in tasks}
    chosen = [k for k in KINDS.values() if k.name in wanted and (categories is None or k.category in categories)]
    if not chosen:
        raise ConfigError(f"tasks={tasks!r} and categories={categories!r} leave no ScienceWorld task")
    return tuple(chosen)
