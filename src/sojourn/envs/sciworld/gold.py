"""Gold paths, each looked up once."""

from __future__ import annotations

from collections import OrderedDict

from sojourn.envs.sciworld.env import Resolve
from sojourn.envs.sciworld.pool import Pool
from sojourn.envs.sciworld.simulator import Setting
from sojourn.types import Task

_MAX_KEPT = 512


class GoldPaths:
    """ScienceWorld's own solutions. Finding one takes up to seconds and a world of its own; no episode is touched."""

    def __init__(self, resolve: Resolve, pool: Pool) -> None:
        self._resolve = resolve
        self._pool = pool
        self._kept: OrderedDict[Setting, tuple[str, ...]] = OrderedDict()

    async def of(self, task: Task) -> tuple[str, ...]:
        """The commands that solve `task`; empty where the simulator finds no way. Raises `EnvError`."""
        setting = self._resolve(task)
        if setting not in self._kept:
            lease = self._pool.lease()
            try:
                found = await lease.run(lambda simulator: simulator.gold_path(setting))
            finally:
                lease.end(lambda _: None)
            self._kept[setting] = tuple(" ".join(command.split()) for command in found)
            while len(self._kept) > _MAX_KEPT:
                self._kept.popitem(last=False)
        return self._kept[setting]
