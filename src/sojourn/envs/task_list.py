"""Very many tasks, or what tasks are about, none of them made before it is looked at."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Generic, Self, TypeVar, overload

from sojourn.types import Task

K = TypeVar("K")
V = TypeVar("V")


class LazyList(Sequence[V], Generic[K, V]):
    """One thing for each of `keys` (a range, say), made by `make` whenever it is asked for; a slice is one too."""

    def __init__(self, keys: Sequence[K], make: Callable[[K], V]) -> None:
        self._keys = keys
        self._make = make

    def __len__(self) -> int:
        return len(self._keys)

    @overload
    def __getitem__(self, index: int) -> V: ...
    @overload
    def __getitem__(self, index: slice) -> Self: ...
    def __getitem__(self, index: int | slice) -> V | Self:
        if isinstance(index, slice):
            return type(self)(self._keys[index], self._make)
        return self._make(self._keys[index])


class TaskList(LazyList[K, Task]):
    """Tasks, each made when it is looked at; a slice of them is such a list too."""
