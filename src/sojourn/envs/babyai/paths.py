"""Shortest ways over known free cells, with sets of cells as the bits of one integer (bit = cell number).

The outer cells of a level are walls, so a shift by one never carries a set over the edge of the grid.
"""

from __future__ import annotations

from sojourn.envs.babyai.simulator import DELTAS, Low

Poses = tuple[int, int, int, int]
"""For each heading, a set of cells."""


class Paths:
    """The ways over the cells `free` in a grid `width` cells wide."""

    def __init__(self, width: int, free: int) -> None:
        self._steps = tuple(dx + dy * width for dx, dy in DELTAS)
        self.free = free
        """Cells that can be stood on, as bits."""

    def neighbours(self, cells: int) -> int:
        """All cells one step from any of `cells`."""
        east, south, west, north = (_shift(cells, step) for step in self._steps)
        return east | south | west | north

    def reachable(self, start: int) -> int:
        """All cells that can be walked to from the cell number `start`, itself included."""
        reached = frontier = 1 << start
        while frontier:
            frontier = self.neighbours(frontier) & self.free & ~reached
            reached |= frontier
        return reached

    def facing(self, cells: int) -> Poses:
        """The poses whose front cell is one of `cells`."""
        east, south, west, north = (_shift(cells, -step) for step in self._steps)
        return east, south, west, north

    def way(self, start: int, heading: int, goal: Poses) -> list[Low] | None:
        """Fewest low-level actions from a pose to any pose of `goal`; None if there is no way.

        Among equally short ways the one that walks before it turns, and turns left before right, seen from the end.
        """
        frontier = [0, 0, 0, 0]
        frontier[heading] = 1 << start
        seen = list(frontier)
        layers = [tuple(frontier)]
        while not any(layer & goal[d] for d, layer in enumerate(frontier)):
            frontier = [self._entered(frontier, d) & ~seen[d] for d in range(4)]
            if not any(frontier):
                return None
            seen = [old | new for old, new in zip(seen, frontier, strict=True)]
            layers.append(tuple(frontier))
        return self._trace(layers, goal)

    def _entered(self, poses: list[int], d: int) -> int:
        return (_shift(poses[d], self._steps[d]) & self.free) | poses[(d + 1) % 4] | poses[(d - 1) % 4]

    def _trace(self, layers: list[tuple[int, ...]], goal: Poses) -> list[Low]:
        d, at = next((d, _lowest(layers[-1][d] & goal[d])) for d in range(4) if layers[-1][d] & goal[d])
        actions: list[Low] = []
        for layer in reversed(layers[:-1]):
            before = at - self._steps[d]
            if layer[d] >> before & 1:
                at = before
                actions.append(Low.FORWARD)
            elif layer[(d + 1) % 4] >> at & 1:
                d = (d + 1) % 4
                actions.append(Low.LEFT)
            else:
                d = (d - 1) % 4
                actions.append(Low.RIGHT)
        actions.reverse()
        return actions


def _shift(cells: int, step: int) -> int:
    return cells << step if step > 0 else cells >> -step


def _lowest(cells: int) -> int:
    return (cells & -cells).bit_length() - 1
