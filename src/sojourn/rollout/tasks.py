"""Which tasks an update trains on: an endless, shuffled, resumable stream over a split."""

from __future__ import annotations

import random
from collections.abc import Sequence

from sojourn.errors import ConfigError
from sojourn.types import Task

_MAX_SHUFFLED = 1_000_000


class TaskStream:
    """Draws every task of a split once per epoch, in an order that only `seed` and the epoch decide.

    Its whole state is `cursor`, the number of tasks drawn so far. Splits of more than a million tasks are drawn
    with replacement instead (no permutation of them is made).
    """

    def __init__(self, tasks: Sequence[Task], seed: int, cursor: int = 0) -> None:
        if len(tasks) == 0:
            raise ConfigError("the training split has no tasks (do env.options leave any?)")
        self._tasks = tasks
        self._seed = seed
        self._epoch = -1
        self._order: list[int] = []
        self.cursor = cursor

    def draw(self, count: int) -> list[Task]:
        """The next `count` tasks."""
        drawn = [self._tasks[self._index(self.cursor + k)] for k in range(count)]
        self.cursor += count
        return drawn

    def _index(self, position: int) -> int:
        size = len(self._tasks)
        if size > _MAX_SHUFFLED:
            return random.Random(f"{self._seed}/{position}").randrange(size)
        epoch, place = divmod(position, size)
        if epoch != self._epoch:
            self._epoch, self._order = epoch, list(range(size))
            random.Random(f"{self._seed}/{epoch}").shuffle(self._order)
        return self._order[place]
