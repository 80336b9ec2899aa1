"""Environments of a service as if they were here: `EnvClient` is an `Env`, `RemoteScenario` a `Scenario`.

A failure of the service or of the way to it is an `EnvError`, never a reward.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Mapping, Sequence
from contextlib import suppress
from enum import Enum, auto
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pydantic import ValidationError

from sojourn.envs.protocol import Env, Oracle, Panel
from sojourn.errors import ConfigError, DataError, EnvError, unknown_name
from sojourn.service.remote_tasks import RemoteTasks, read_tasks
from sojourn.service.transport import RefusedError, Transport
from sojourn.service.wire import PROTOCOL_VERSION, Code, EnvSpec, Spec, TaskBody
from sojourn.types import StepResult, Task

_CLOSE_S = 10.0
_BAD_TASK = frozenset({Code.BAD_TASK, Code.BAD_REQUEST, Code.UNKNOWN_TASK, Code.UNKNOWN_SPLIT})


class _State(Enum):
    NEW = auto()
    LIVE = auto()
    OVER = auto()
    CLOSED = auto()


class EnvClient:
    """One episode of a service."""

    def __init__(self, transport: Transport, name: str, habits: Habits) -> None:
        self._transport = transport
        self._name = name
        self._habits = habits
        self._state = _State.NEW
        self._episode_id = uuid.uuid4().hex
        self._is_known = False
        self._index = 0
        self._wants_commands = False
        self._commands: Sequence[str] | None = None

    async def reset(self, task: Task) -> StepResult:
        """See `Env`."""
        if self._is_known or self._state is not _State.NEW:
            raise EnvError("an environment is reset once; make a fresh one")
        self._is_known = True  # from here on the service may hold the episode, whatever comes of the call
        call = {
            "call": "start",
            "episode_id": self._episode_id,
            "env": self._name,
            "task": TaskBody.of(task),
            "commands": self._habits.asks_for_commands,
        }
        try:
            body = await self._transport.call(call)
        except RefusedError as error:
            if error.code in _BAD_TASK:
                raise DataError(error.message) from error
            raise
        result = self._read(body.get("result") if isinstance(body, Mapping) else None)
        self._state = _State.OVER if result.terminated or result.truncated else _State.LIVE
        return result

    async def step(self, action: str) -> StepResult:
        """See `Env`."""
        if self._state is not _State.LIVE:
            raise EnvError(f"step of an environment that is {self._state.name.lower()}, expected a live episode")
        call = {
            "call": "step",
            "episode_id": self._episode_id,
            "index": self._index + 1,
            "action": sendable(action),
            "commands": self._wants_commands,
        }
        try:
            body = await self._transport.call(call)
        except RefusedError as error:
            if error.code != Code.ACTION_TOO_LONG:
                raise
            # what an action says is never an error; the episode goes on
            return StepResult(observation=f"{error.message[0].upper()}{error.message[1:]}.", info={"invalid": True})
        result = self._read(body)
        self._index += 1
        if result.terminated or result.truncated:
            self._state = _State.OVER
        return result

    async def close(self) -> None:
        """See `Env`; a service that cannot be told closes the episode when its lease ends."""
        is_open = self._is_known and self._state is not _State.CLOSED
        self._state = _State.CLOSED
        if is_open:
            self._habits.asks_for_commands = self._wants_commands
            with suppress(EnvError):
                await self._transport.call({"call": "close", "episode_id": self._episode_id}, timeout_s=_CLOSE_S)

    async def list_commands(self) -> Sequence[str]:
        """The admissible commands; from the first time on they come with every answer, at no trip of their own."""
        if self._state is not _State.LIVE:
            return ()
        self._wants_commands = True
        if self._commands is None:
            body = await self._transport.call({"call": "commands", "episode_id": self._episode_id})
            self._commands = tuple(body["commands"])
        return self._commands

    async def next_action(self) -> str | None:
        """The expert's next action."""
        try:
            body = await self._transport.call({"call": "oracle", "episode_id": self._episode_id})
        except RefusedError as error:
            if error.code == Code.NO_ORACLE:
                raise ConfigError(error.message) from error
            raise
        action: str | None = body["action"]
        return action

    def _read(self, body: Any) -> StepResult:
        try:
            commands = body["commands"]
            result = StepResult(
                observation=_checked(body["observation"], str),
                reward=float(body["reward"]),
                terminated=_checked(body["terminated"], bool),
                truncated=_checked(body["truncated"], bool),
                success=_checked(body["success"], bool, type(None)),
                info=_checked(body["info"], dict),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise EnvError(f"expected a step's answer, got {str(body)[:200]} ({error})") from error
        self._commands = None if commands is None else tuple(commands)
        return result


class ListingEnvClient(EnvClient):
    """An `EnvClient` of an environment that lists its commands."""

    async def admissible_commands(self) -> Sequence[str]:
        """See `ListsCommands`."""
        return await self.list_commands()


class Habits:
    """What the last episode was like: whether the next one is to be started with its commands."""

    asks_for_commands = False


class RemoteScenario:
    """An environment of the service at `url`, such as ``http://127.0.0.1:8000``.

    `env` is its name or id there; it may be left out where only one is served. The bearer token is the environment
    variable SOJOURN_TOKEN, or in `token_file`; options are recorded with every run, so `token` itself is for code.
    With `batch`, calls that are made at the same time go as one request. `timeout_s` bounds every call.
    """

    def __init__(
        self,
        url: str,
        *,
        env: str | None = None,
        token: str | None = None,
        token_file: str | None = None,
        batch: bool = True,
        timeout_s: float = 120.0,
    ) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.netloc or parts.query or parts.fragment:
            raise ConfigError(f"expected a URL such as http://127.0.0.1:8000, got {url!r}")
        self._url = url.rstrip("/")
        self._wanted = env
        self._transport = Transport(self._url, token=token or _token(token_file), is_batched=batch, timeout_s=timeout_s)
        self._habits = Habits()
        self._tasks: dict[str, RemoteTasks] = {}
        self._panels: dict[str, Panel] = {}

    @cached_property
    def _spec(self) -> EnvSpec:
        """What the service says about the environment; asked for once, when it is first needed."""
        try:
            spec = Spec.model_validate(self._transport.read("/v1/spec"))
        except RefusedError as error:
            raise ConfigError(f"{self._url}: {error}") from error
        except EnvError as error:
            raise ConfigError(f"{error}; is it running? sojourn serve starts one") from error
        except ValidationError as error:
            raise ConfigError(f"{self._url} is no environment service of Sojourn: {error}") from error
        if spec.protocol_version != PROTOCOL_VERSION:
            raise ConfigError(
                f"{self._url} speaks version {spec.protocol_version} of the protocol, expected {PROTOCOL_VERSION}"
            )
        names = [one.name for one in spec.environments]
        if self._wanted is None and len(names) != 1:
            raise ConfigError(f"{self._url} serves {', '.join(names)}: choose one with the option env")
        for one in spec.environments:
            if self._wanted in (None, one.name, one.env_id):
                return one
        raise unknown_name("environment of the service", str(self._wanted), names)

    @property
    def env_id(self) -> str:
        """The id of the environment that is served."""
        return self._spec.env_id

    @property
    def instructions(self) -> str:
        """Its rules and commands."""
        return self._spec.instructions

    @property
    def example_command(self) -> str:
        """One well-formed command."""
        return self._spec.example_command

    @property
    def splits(self) -> tuple[str, ...]:
        """Its splits."""
        return tuple(split.name for split in self._spec.splits)

    def tasks(self, split: str) -> Sequence[Task]:
        """All tasks of a split; fetched when looked at, which blocks."""
        if split not in self._tasks:
            sizes = {one.name: one.num_tasks for one in self._spec.splits}
            if split not in sizes:
                raise unknown_name("split", split, sizes)
            self._tasks[split] = RemoteTasks(self._transport, self._spec.name, split, sizes[split])
        return self._tasks[split]

    def panel(self, split: str) -> Panel:
        """The fixed evaluation panel of a split, checked against its hash. Raises `DataError` if they differ."""
        if split not in self._panels:
            if split not in self.splits:
                raise unknown_name("split", split, self.splits)
            body = self._transport.read("/v1/panel", {"env": self._spec.name, "split": split})
            panel = Panel(name=body["name"], tasks=read_tasks(body["tasks"]))
            if panel.sha256 != body["sha256"]:
                raise DataError(f"panel {panel.name}: expected SHA-256 {body['sha256']}, got {panel.sha256}")
            self._panels[split] = panel
        return self._panels[split]

    def make(self) -> Env:
        """A fresh environment for one episode."""
        kind = ListingEnvClient if self._spec.lists_commands else EnvClient
        return kind(self._transport, self._spec.name, self._habits)

    def oracle(self, env: Env) -> Oracle:
        """The service's expert for a live episode."""
        if not self._spec.has_oracle:
            raise ConfigError(f"{self.env_id} of {self._url} has no oracle")
        if not isinstance(env, EnvClient):
            raise TypeError(f"expected an environment made by this scenario, got {type(env).__name__}")
        return env

    async def close(self) -> None:
        """Close the connections of this event loop; ``asyncio.run`` does so by itself."""
        await self._transport.close()


def sendable(action: str) -> str:
    """`action` as UTF-8 can carry it: what is no character (an unpaired surrogate) becomes U+FFFD."""
    try:
        action.encode()
    except UnicodeEncodeError:
        return action.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return action


def _token(path: str | None) -> str | None:
    if path is None:
        return os.environ.get("SOJOURN_TOKEN", "").strip() or None
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"token_file: cannot read {path!r}: {error}") from error


def _checked(value: Any, *kinds: type) -> Any:
    if not isinstance(value, kinds):
        raise TypeError(f"{value!r} is not {' or '.join(kind.__name__ for kind in kinds)}")
    return value
