"""An expert for one episode: ScienceWorld's own gold path, found in a world beside the live one."""

from __future__ import annotations

from sojourn.envs.sciworld.env import SciWorldEnv
from sojourn.envs.sciworld.gold import GoldPaths


class SciWorldOracle:
    """The next command of the gold path.

    It goes by what the episode has done: the path's first command that has not been carried out yet is next. Commands
    besides the path's are not undone, so it is an expert for episodes that it plays from the start.
    """

    def __init__(self, env: SciWorldEnv, paths: GoldPaths) -> None:
        self._env = env
        self._paths = paths

    async def next_action(self) -> str | None:
        """The next command; None at the end of the path, or where the simulator found none."""
        path = await self._paths.of(self._env.task)
        position = 0
        for command in self._env.done:
            if position < len(path) and command == path[position]:
                position += 1
        return path[position] if position < len(path) else None
