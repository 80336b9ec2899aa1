"""Which tasks an update trains on: an endless, shuffled, resumable stream over a split."""

from __future__ import annotations

import random
from collections.abc import Sequence

from sojourn.errors import ConfigError
from sojourn.types import Task

_MAX_SHUFFLED = 1_000_000


class TaskStream:
    """Draws every task of a split once per epoch, in an order that only `seed` and the epoch decide.

    Its whole state is `cursor`, the number of tasks drawn so far, and `returned`, what was given back. Splits of more
    than a million tasks are drawn with replacement instead (no permutation of them is made).
    """

    def __init__(self, tasks: Sequence[Task], seed: int, cursor: int = 0, returned: Sequence[int] = ()) -> None:
        if len(tasks) == 0:
            raise ConfigError("the training split has no tasks (do env.options leave any?)")
        self._tasks = tasks
        self._seed = seed
        self._epoch = -1
        self._order: list[int] = []
        self.cursor = cursor
        self.returned = list(returned)
        """Positions that were drawn, not used, and come first when drawing again."""

    def draw(self, count: int) -> list[Task]:
        """The next `count` tasks."""
        return [self.at(self.draw_position()) for _ in range(count)]

    def draw_position(self) -> int:
        """The position of the next task."""
        if self.returned:
            return self.returned.pop(0)
        self.cursor += 1
        return self.cursor - 1

    def at(self, position: int) -> Task:
        """The task at `position`; nothing is drawn."""
        return self._tasks[self._index(position)]

    def _index(self, position: int) -> int:
        size = len(self._tasks)
        if size > _MAX_SHUFFLED:
            return random.Random(f"{self._seed}/{position}").randrange(size)
        epoch, place = divmod(position, size)
        if epoch != self._epoch:
            self._epoch, self._order = epoch, list(range(size))
            random.Random(f"{self._seed}/{epoch}").shuffle(self._order)
        return self._order[place]
