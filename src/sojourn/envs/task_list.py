"""Very many tasks, none of them made before it is looked at."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Generic, TypeVar, overload

from sojourn.types import Task

K = TypeVar("K")


class TaskList(Sequence[Task], Generic[K]):
    """One task for each of `keys` (a range, say), made by `make` whenever it is asked for; a slice is one too."""

    def __init__(self, keys: Sequence[K], make: Callable[[K], Task]) -> None:
        self._keys = keys
        self._make = make

    def __len__(self) -> int:
        return len(self._keys)

    @overload
    def __getitem__(self, index: int) -> Task: ...
    @overload
    def __getitem__(self, index: slice) -> TaskList[K]: ...
    def __getitem__(self, index: int | slice) -> Task | TaskList[K]:
        if isinstance(index, slice):
            return TaskList(self._keys[index], self._make)
        return self._make(self._keys[index])
