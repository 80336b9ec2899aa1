"""Tasks that a service lists, fetched in pages."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, overload

from pydantic import ValidationError

from sojourn.errors import DataError
from sojourn.service.transport import Transport
from sojourn.service.wire import MAX_TASKS, TaskBody
from sojourn.types import Task

_WHOLE = 2_000
_MIN_PAGE = 8
_MAX_PAGE = 1_024
_MAX_PAGES = 256


class RemoteTasks(Sequence[Task]):
    """The tasks of a split; a small split is fetched whole, of a large one a page around what is looked at.

    Pages grow while tasks are read one after another, and stay small for tasks drawn here and there. Fetching blocks.
    """

    def __init__(self, transport: Transport, env: str, split: str, num_tasks: int) -> None:
        self._transport = transport
        self._env = env
        self._split = split
        self._num_tasks = num_tasks
        self._pages: OrderedDict[int, tuple[Task, ...]] = OrderedDict()
        self._size = _MAX_PAGE if num_tasks <= _WHOLE else _MIN_PAGE
        self._end = -1

    def __len__(self) -> int:
        return self._num_tasks

    @overload
    def __getitem__(self, index: int) -> Task: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Task]: ...
    def __getitem__(self, index: int | slice) -> Task | Sequence[Task]:
        if isinstance(index, slice):
            return tuple(self[i] for i in range(*index.indices(self._num_tasks)))
        if not -self._num_tasks <= index < self._num_tasks:
            raise IndexError(f"task {index} of {self._num_tasks}")
        index %= self._num_tasks
        for start, page in reversed(self._pages.items()):
            if start <= index < start + len(page):
                return page[index - start]
        return self._fetched(index)

    def _fetched(self, index: int) -> Task:
        if self._num_tasks > _WHOLE:
            self._size = min(2 * self._size, _MAX_PAGE) if index == self._end else _MIN_PAGE
        page = self._page(index)
        self._pages[index] = page
        self._end = index + len(page)
        if len(self._pages) > _MAX_PAGES:
            self._pages.popitem(last=False)
        return page[0]

    def _page(self, start: int) -> tuple[Task, ...]:
        query = {"env": self._env, "split": self._split, "offset": start, "limit": min(self._size, MAX_TASKS)}
        body = self._transport.read("/v1/tasks", query)
        page = read_tasks(body["tasks"])
        if body["num_tasks"] != self._num_tasks or not page:
            raise DataError(
                f"{self._split} of {self._env} had {self._num_tasks} tasks when it was opened, now {body['num_tasks']}"
            )
        return page


def read_tasks(rows: Iterable[Mapping[str, Any]]) -> tuple[Task, ...]:
    """Tasks out of their JSON; raises `DataError`."""
    try:
        return tuple(TaskBody.model_validate(row).task() for row in rows)
    except ValidationError as error:
        raise DataError(f"expected tasks: {error}") from error
