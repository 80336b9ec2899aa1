"""What the agent sees: a 7x7 square ahead of it, without what walls and closed doors hide."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from sojourn.envs.babyai.simulator import DELTAS, Simulator

SIZE = 7
HALF = SIZE // 2


@dataclass(frozen=True, kw_only=True, slots=True)
class Sight:
    """One visible cell, relative to the agent."""

    ahead: int
    """Steps in front of the agent, 0 to 6."""
    right: int
    """Steps to its right; negative to its left."""
    cell: int
    """Number of the cell in the grid."""
    thing: Any
    """minigrid's object on it, or None."""

    @property
    def distance(self) -> int:
        """Manhattan distance."""
        return self.ahead + abs(self.right)


def look(simulator: Simulator) -> list[Sight]:
    """All visible cells but the agent's own, row by row from the nearest, each row from left to right."""
    x, y = simulator.position
    width, height, cells = simulator.width, simulator.height, simulator.cells
    dx, dy = DELTAS[simulator.heading]
    sights: list[Sight] = []
    seen = 1 << HALF
    for ahead in range(SIZE):
        row: list[tuple[int, Any]] = []
        opaque = 0
        for column in range(SIZE):
            right = column - HALF
            i, j = x + dx * ahead - dy * right, y + dy * ahead + dx * right
            inside = 0 <= i < width and 0 <= j < height
            cell = j * width + i if inside else -1
            thing = cells[cell] if inside else None
            row.append((cell, thing))
            if not inside or (thing is not None and not thing.see_behind()):
                opaque |= 1 << column
        seen, beyond = _spread(seen, opaque)
        for column, (cell, thing) in enumerate(row):
            if seen >> column & 1 and cell >= 0 and (ahead or column != HALF):
                sights.append(Sight(ahead=ahead, right=column - HALF, cell=cell, thing=thing))
        seen = beyond
        if not seen:
            break
    return sights


def wall_ahead(sights: list[Sight]) -> int | None:
    """Steps to the nearest visible wall straight ahead; None if no wall is in sight there."""
    return next((s.ahead for s in sights if s.right == 0 and s.thing is not None and s.thing.type == "wall"), None)


@lru_cache(maxsize=1 << 14)  # every (row, row) pair: the whole rule as a table
def _spread(seen: int, opaque: int) -> tuple[int, int]:
    """How sight spreads in a row of cells (bit = column): the row's visible cells, and the next row's."""
    beyond = 0
    for column in range(SIZE - 1):
        if seen >> column & 1 and not opaque >> column & 1:
            seen |= 1 << column + 1
            beyond |= 3 << column
    for column in range(SIZE - 1, 0, -1):
        if seen >> column & 1 and not opaque >> column & 1:
            seen |= 1 << column - 1
            beyond |= 3 << column - 1
    return seen, beyond
