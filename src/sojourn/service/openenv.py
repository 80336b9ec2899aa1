"""Environments of OpenEnv servers (PyPI ``openenv``) as a `Scenario`.

One WebSocket is one episode (`sojourn.service.openenv_env`): the server's plain HTTP calls begin a fresh environment
each, so nothing can be played over them. Only ``websockets`` is needed here, not the package ``openenv``.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

from sojourn.envs.protocol import Env, Oracle, Panel
from sojourn.envs.task_list import TaskList
from sojourn.errors import ConfigError, DataError, MissingDependencyError, unknown_name
from sojourn.service.openenv_text import ActionText, action_text, observation_text
from sojourn.types import Task

try:
    from sojourn.service.openenv_env import Dialect, ListingOpenEnvEnv, OpenEnvEnv
    from sojourn.service.openenv_tasks import read_info, server_splits
except ModuleNotFoundError as error:
    if error.name != "websockets":
        raise
    raise MissingDependencyError("the client of OpenEnv servers", "pip install 'sojourn[openenv]'") from error

SEEDS: Mapping[str, Sequence[int]] = {"train": (200, 10_200), "validation": (0, 100), "test": (100, 200)}
"""split -> first seed and end, where nothing else is said."""


class OpenEnvScenario:
    """Tasks of the OpenEnv server at `url`.

    An action is written as one field's value (`action_field`; absent: the only one there is), as one of a table of
    commands (`actions`, command -> fields), or as JSON (`action_json`); `action_constants` are fields of every action.
    An observation is read from `observation_fields` (absent: all). `commands_field` names an observation's list of
    legal actions. Tasks are the seeds of `seeds` (split -> first and end), or, with ``tasks = "server"``, those that
    the server lists by split. Once an episode is done it counts as a success when its return is at least
    `success_return`. `timeout_s` bounds every call.
    """

    def __init__(
        self,
        *,
        url: str,
        name: str | None = None,
        instructions: str | None = None,
        example_command: str | None = None,
        actions: Mapping[str, Mapping[str, Any]] | None = None,
        action_field: str | None = None,
        action_constants: Mapping[str, Any] | None = None,
        action_json: bool = False,
        observation_fields: Sequence[str] = (),
        commands_field: str | None = None,
        reset_constants: Mapping[str, Any] | None = None,
        tasks: str = "seeds",
        seeds: Mapping[str, Sequence[int]] | None = None,
        success_return: float = 1.0,
        panel_tasks: int = 100,
        timeout_s: float = 120.0,
    ) -> None:
        if tasks not in ("seeds", "server"):
            raise unknown_name("tasks", tasks, ("seeds", "server"))
        if panel_tasks < 1 or timeout_s <= 0:
            raise ConfigError(f"expected panel_tasks >= 1 and timeout_s > 0, got {panel_tasks} and {timeout_s}")
        self._info = info = read_info(url, name)
        how_to_act = action_text(
            info.action_schema,
            actions=actions,
            action_field=action_field,
            action_constants=action_constants,
            is_json=action_json,
        )
        self._dialect = Dialect(
            socket_url=info.socket_url,
            actions=how_to_act,
            observations=observation_text(info.observation_schema, observation_fields),
            commands_field=commands_field,
            success_return=success_return,
            timeout_s=timeout_s,
        )
        self._instructions = instructions or f"{info.description}\n{_rules(how_to_act)}"
        self._example = example_command or how_to_act.example
        self._reset_constants = dict(reset_constants or {})
        self._by_server = tasks == "server"
        if self._by_server and seeds is not None:
            raise ConfigError('seeds are not used with tasks = "server": leave out one of them')
        self._splits = server_splits(info) if self._by_server else _seed_splits(seeds or SEEDS)
        self._panel_tasks = panel_tasks

    @property
    def env_id(self) -> str:
        """``openenv-<name>-v<version>``, with the version that the server tells (1 if it tells none)."""
        return f"openenv-{self._info.name}-v{self._info.version}"

    @property
    def instructions(self) -> str:
        """The server's description of itself, unless the user has said it better."""
        return self._instructions

    @property
    def example_command(self) -> str:
        """One well-formed command."""
        return self._example

    @property
    def splits(self) -> tuple[str, ...]:
        """The names of the splits."""
        return tuple(self._splits)

    def tasks(self, split: str) -> Sequence[Task]:
        """The seeds of a split, or the server's own tasks."""
        if split not in self._splits:
            raise unknown_name("split", split, self._splits)
        theirs, numbers = self._splits[split]
        return TaskList(numbers, lambda number: self._task(theirs, number, split))

    def _task(self, theirs: str, number: int, split: str) -> Task:
        return Task(env_id=self.env_id, task_id=f"{theirs}-{number}", split=split, seed=number)

    def panel(self, split: str) -> Panel:
        """The first tasks of the split."""
        return Panel(name=f"{self.env_id}/{split}", tasks=tuple(self.tasks(split)[: self._panel_tasks]))

    def make(self) -> Env:
        """A fresh environment for one episode."""
        lists = self._dialect.actions.table or self._dialect.commands_field is not None
        return (ListingOpenEnvEnv if lists else OpenEnvEnv)(self._dialect, self._reset_fields)

    def oracle(self, env: Env) -> Oracle:
        """There is none: raises `ConfigError`."""
        raise ConfigError(f"{self.env_id} has no oracle: OpenEnv has no call for one")

    def _reset_fields(self, task: Task) -> dict[str, Any]:
        """What the server's `reset` is told; raises `DataError` for a task of another environment."""
        theirs, _, number = task.task_id.rpartition("-")
        known = {name for name, _ in self._splits.values()}
        if task.env_id != self.env_id or theirs not in known or number != str(task.seed):
            raise DataError(f"expected a task of {self.env_id}, got {task.task_id!r} of {task.env_id!r}")
        chosen = {"split": theirs, "index": task.seed} if self._by_server else {"seed": task.seed}
        return {**self._reset_constants, **chosen}


def _rules(actions: ActionText) -> str:
    if actions.table:
        return f"Commands: {'; '.join(actions.table)}. One a turn."
    if actions.field is None:
        return "A command is a JSON object of the action's fields. One a turn."
    return f"A command is the action's {actions.field} ({actions.kind}). One a turn."


def _seed_splits(seeds: Mapping[str, Sequence[int]]) -> dict[str, tuple[str, Sequence[int]]]:
    """Split -> how its tasks are named, and their seeds."""
    for split, ends in seeds.items():
        if len(ends) != 2 or not all(isinstance(end, int) for end in ends) or not 0 <= ends[0] < ends[1]:
            raise ConfigError(f"seeds.{split}: expected [first, end] with 0 <= first < end, got {list(ends)!r}")
    missing = {"train", "validation", "test"} - seeds.keys()
    if missing:
        raise ConfigError(f"seeds lack the splits {', '.join(sorted(missing))}")
    placed = sorted((ends[0], ends[1], split) for split, ends in seeds.items())
    for (_, end, split), (first, _, other) in itertools.pairwise(placed):
        if first < end:
            raise ConfigError(f"the seeds of {split} and {other} overlap: a task is in one split")
    return {split: ("seed", range(ends[0], ends[1])) for split, ends in seeds.items()}
