"""What a service serves: scenarios by name, each with its tasks here and its episodes where they belong."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sojourn.envs.catalog import load_scenario
from sojourn.envs.protocol import Panel, Scenario
from sojourn.errors import ConfigError
from sojourn.service.room import Host, Request, Room
from sojourn.service.wire import MAX_TASKS, Code, EnvSpec, ServiceError, SplitSpec, TaskBody, to_json
from sojourn.service.workers import WorkerPool
from sojourn.types import Task


@dataclass(kw_only=True)
class Served:
    """One environment of a service."""

    name: str
    scenario: Scenario
    """Knows the tasks; episodes are played in it only where it is light."""
    host: Host
    _spec: EnvSpec | None = None
    _panels: dict[str, bytes] = field(default_factory=dict)

    async def spec(self) -> EnvSpec:
        """What there is to play; the first call asks the host, which may start a worker."""
        if self._spec is None:
            reply = await self.host.place().ask(Request("describe"))
            if reply.code is not None:
                raise ServiceError(reply.code, f"{self.name}: {reply.message}")
            splits = await asyncio.to_thread(self._splits)
            self._spec = EnvSpec(
                name=self.name,
                env_id=self.scenario.env_id,
                instructions=self.scenario.instructions,
                example_command=self.scenario.example_command,
                splits=splits,
                **json.loads(reply.body),
            )
        return self._spec

    def task_at(self, split: str, index: int) -> Task:
        """Raises `ServiceError` for an unknown split or an index outside it."""
        tasks = self.scenario.tasks(self._known(split))
        if index >= len(tasks):
            raise ServiceError(Code.UNKNOWN_TASK, f"{split} of {self.name} has {len(tasks)} tasks, got index {index}")
        return tasks[index]

    async def tasks(self, split: str, offset: int, limit: int) -> bytes:
        """The JSON of a `TasksAnswer`."""
        self._known(split)
        return await asyncio.to_thread(self._tasks, split, offset, min(limit, MAX_TASKS))

    async def panel(self, split: str) -> bytes:
        """The JSON of a `PanelAnswer`."""
        if split not in self._panels:
            panel = await asyncio.to_thread(self.scenario.panel, self._known(split))
            self._panels[split] = _panel_json(panel)
        return self._panels[split]

    def _known(self, split: str) -> str:
        if split not in self.scenario.splits:
            raise ServiceError(Code.UNKNOWN_SPLIT, f"expected one of {', '.join(self.scenario.splits)}, got {split!r}")
        return split

    def _splits(self) -> list[SplitSpec]:
        scenario = self.scenario
        return [SplitSpec(name=split, num_tasks=len(scenario.tasks(split))) for split in scenario.splits]

    def _tasks(self, split: str, offset: int, limit: int) -> bytes:
        tasks = self.scenario.tasks(split)
        rows = [TaskBody.of(tasks[index]) for index in range(offset, min(offset + limit, len(tasks)))]
        return to_json({"num_tasks": len(tasks), "offset": offset, "tasks": rows})


def _panel_json(panel: Panel) -> bytes:
    rows = [TaskBody.of(task) for task in panel.tasks]
    return to_json({"name": panel.name, "sha256": panel.sha256, "tasks": rows})


def serve_scenario(
    name: str, options: Mapping[str, Any], *, num_workers: int, timeout_s: float, on_restart: Any = None
) -> Served:
    """The environment called `name`; a light one lives in this process, any other in workers of its own.

    A scenario may say ``is_light = True`` (a step takes microseconds and never waits) and ``max_workers`` (it brings
    processes of its own, so that more workers than that would be too many).
    """
    scenario = load_scenario(name, options)
    _check_instructions(name, scenario)
    host: Host
    if getattr(scenario, "is_light", False):
        host = Room(scenario)
    else:
        size = min(num_workers, getattr(scenario, "max_workers", None) or num_workers)
        host = WorkerPool(name, options, size=size, timeout_s=timeout_s, on_restart=on_restart or (lambda: None))
    return Served(name=name, scenario=scenario, host=host)


def _check_instructions(name: str, scenario: Scenario) -> None:
    """What an unfinished environment lacks is said at the start, not by the first client."""
    try:
        texts = (scenario.env_id, scenario.instructions, scenario.example_command, *scenario.splits)
    except AttributeError as error:
        raise ConfigError(f"environment {name!r} is no scenario: {error}") from error
    if not all(isinstance(text, str) for text in texts):
        raise ConfigError(f"environment {name!r}: expected its id, instructions, example and splits to be text")
