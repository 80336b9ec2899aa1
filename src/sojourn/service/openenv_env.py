"""One episode on an OpenEnv server: one WebSocket, one message out and one in at a time."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any
from urllib.parse import urlsplit

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidHandshake, WebSocketException

from sojourn.errors import EnvError
from sojourn.service.openenv_text import ActionText, InvalidActionError, ObservationText
from sojourn.types import StepResult, Task

_MAX_MESSAGE_BYTES = 64 << 20
_CLOSE_TIMEOUT_S = 5.0
_FULL_PAUSE_S = 0.05
_SHOWN_CHARS = 200


@dataclass(frozen=True, kw_only=True)
class Dialect:
    """How to speak to one server."""

    socket_url: str
    actions: ActionText
    observations: ObservationText
    commands_field: str | None
    """Where observations list what is legal."""
    success_return: float
    """The return at which an episode that is done has solved its task."""
    timeout_s: float
    """Seconds that one call may take."""


class _State(Enum):
    NEW = auto()
    LIVE = auto()
    OVER = auto()
    CLOSED = auto()


class OpenEnvEnv:
    """One episode, which is one WebSocket."""

    def __init__(self, dialect: Dialect, reset_fields: Callable[[Task], Mapping[str, Any]]) -> None:
        self._dialect = dialect
        self._reset_fields = reset_fields
        self._state = _State.NEW
        self._socket: ClientConnection | None = None
        self._return = 0.0
        self._commands: tuple[str, ...] = tuple(dialect.actions.table)

    async def reset(self, task: Task) -> StepResult:
        """Open a session and begin the task; while the server is full, ask again until the deadline."""
        if self._state is not _State.NEW:
            raise EnvError(f"reset of an environment that is {self._state.name.lower()}; an episode is used once")
        fields = self._reset_fields(task)
        self._state = _State.OVER  # until everything has gone well
        async with _deadline(self._dialect.timeout_s, "reset"):
            answer = await self._begun(fields)
        result = self._read(answer)
        if result.terminated or result.truncated:
            raise EnvError("reset: the server says that the episode has ended already")
        self._return = 0.0  # what a reset pays is nobody's merit
        self._state = _State.LIVE
        return StepResult(observation=result.observation)

    async def _begun(self, fields: Mapping[str, Any]) -> Mapping[str, Any]:
        while True:
            self._socket = await self._connected()
            try:
                kind, data = await self._asked({"type": "reset", "data": fields})
            except EnvError:
                await self._hang_up()
                raise
            if kind == "observation":
                return data
            await self._hang_up()
            if data.get("code") != "CAPACITY_REACHED":  # that one has done nothing yet, and can be said again
                raise EnvError(f"reset: {_told(data)}")
            await asyncio.sleep(_FULL_PAUSE_S)

    async def _connected(self) -> ClientConnection:
        url = self._dialect.socket_url
        is_here = urlsplit(url).hostname in ("localhost", "127.0.0.1", "::1")
        try:
            return await connect(
                url,
                open_timeout=None,  # `reset` has one deadline for all of it
                ping_interval=None,  # each call has a deadline of its own
                close_timeout=_CLOSE_TIMEOUT_S,
                max_size=_MAX_MESSAGE_BYTES,
                proxy=None if is_here else True,
            )
        except (OSError, InvalidHandshake) as error:
            raise EnvError(f"cannot connect to {url}: {error}") from error

    async def step(self, action: str) -> StepResult:
        """Act, once; a command that is no action of the environment is answered with what was expected."""
        if self._state is not _State.LIVE:
            raise EnvError(f"step of an environment that is {self._state.name.lower()}, expected a live episode")
        try:
            fields = self._dialect.actions.fields(action.encode(errors="replace").decode())
        except InvalidActionError as invalid:
            return StepResult(observation=str(invalid), info={"invalid": True})
        self._state = _State.OVER  # until everything has gone well
        async with _deadline(self._dialect.timeout_s, "step"):
            kind, data = await self._asked({"type": "step", "data": fields})
        if kind == "error" and data.get("code") == "VALIDATION_ERROR":
            self._state = _State.LIVE
            return StepResult(observation=f"Not an action: {_told(data)}"[:1000], info={"invalid": True})
        if kind != "observation":
            raise EnvError(f"step: {_told(data)}")
        result = self._read(data)
        self._state = _State.OVER if result.terminated or result.truncated else _State.LIVE
        return result

    async def _asked(self, message: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]]:
        """Type and data of the answer to a message that is said once."""
        assert self._socket is not None
        what = message["type"]
        with suppress(WebSocketException):  # a full server says so unasked and hangs up: that is there to be read
            await self._socket.send(json.dumps(message))
        try:
            answer = json.loads(await self._socket.recv())
        except WebSocketException as error:
            raise EnvError(f"{what}: the connection was lost: {error}") from error
        except ValueError as error:
            raise EnvError(f"{what}: expected JSON: {error}") from error
        if not isinstance(answer, dict) or not isinstance(answer.get("data"), dict):
            raise EnvError(f"{what}: expected an object with 'type' and 'data', got {str(answer)[:_SHOWN_CHARS]}")
        return str(answer.get("type")), answer["data"]

    def _read(self, data: Mapping[str, Any]) -> StepResult:
        observation, reward, done = data.get("observation"), data.get("reward"), data.get("done")
        if not isinstance(observation, dict) or not isinstance(done, bool):
            raise EnvError(f"expected an observation and whether it is done, got {str(data)[:_SHOWN_CHARS]}")
        if not (reward is None or (isinstance(reward, int | float) and math.isfinite(reward))):
            raise EnvError(f"expected a finite reward or null, got {reward!r}")
        metadata = data.get("metadata") or observation.get("metadata") or {}
        is_cut = done and isinstance(metadata, dict) and metadata.get("truncated") is True
        self._note_commands(observation)
        self._return += float(reward or 0.0)
        return StepResult(
            observation=self._dialect.observations.text(observation),
            reward=float(reward or 0.0),
            terminated=done and not is_cut,
            truncated=is_cut,
            success=self._return >= self._dialect.success_return if done else None,
        )

    def _note_commands(self, observation: Mapping[str, Any]) -> None:
        field = self._dialect.commands_field
        if field is None:
            return
        listed = observation.get(field)
        if not isinstance(listed, list):
            raise EnvError(f"expected a list of commands in {field!r}, got {str(listed)[:_SHOWN_CHARS]}")
        self._commands = tuple(dict.fromkeys(one if isinstance(one, str) else json.dumps(one) for one in listed))

    async def close(self) -> None:
        """End the session."""
        self._state = _State.CLOSED
        await self._hang_up()

    async def _hang_up(self) -> None:
        socket, self._socket = self._socket, None
        if socket is not None:
            await socket.close()

    @property
    def is_live(self) -> bool:
        """Whether a step may follow."""
        return self._state is _State.LIVE


class ListingOpenEnvEnv(OpenEnvEnv):
    """An episode whose commands are known."""

    async def admissible_commands(self) -> Sequence[str]:
        """The table of commands, or what the last observation calls legal."""
        return self._commands if self.is_live else ()


@asynccontextmanager
async def _deadline(timeout_s: float, what: str) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(timeout_s):
            yield
    except TimeoutError as error:
        raise EnvError(f"{what}: no answer within {timeout_s:g} s") from error


def _told(data: Mapping[str, Any]) -> str:
    """What an error message says, and why an action was refused."""
    reasons = [
        f"{'.'.join(map(str, e.get('loc', ())))}: {e.get('msg')}"
        for e in data.get("errors") or ()
        if isinstance(e, dict)
    ]
    return f"{data.get('message', 'an error without a message')} ({'; '.join([str(data.get('code')), *reasons])})"
