"""Live environments by episode id: the part of the service that touches environments, in this process or a worker.

What crosses to and from a worker are `Request` and `Reply`: plain tuples. An answer is made JSON where the environment
lives, so that the process that speaks HTTP only passes bytes on.
"""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Awaitable
from typing import Any, Literal, NamedTuple, Protocol

from sojourn.envs.protocol import Env, ListsCommands, Oracle, Scenario
from sojourn.errors import ConfigError, DataError, EnvError
from sojourn.service.wire import Code, to_json
from sojourn.types import StepResult, Task

log = logging.getLogger(__name__)
Verb = Literal["describe", "start", "step", "commands", "oracle", "close"]


class Request(NamedTuple):
    """One thing to do with one episode."""

    verb: Verb
    episode_id: str = ""
    action: str = ""
    commands: bool = False
    """Add the admissible commands to the answer."""
    task: Task | None = None


class Reply(NamedTuple):
    """What came of it."""

    body: bytes
    """The answer as JSON; empty for an error."""
    is_over: bool = False
    """The step ended the episode."""
    code: Code | None = None
    """What went wrong; None for an answer."""
    message: str = ""


class Place(Protocol):
    """Where the environment of an episode lives."""

    def ask(self, request: Request) -> Awaitable[Reply]:
        """Do it; failures are replies, never exceptions."""


class Host(Protocol):
    """Gives new episodes a place."""

    def place(self) -> Place:
        """For one more episode."""

    async def close(self) -> None:
        """End what it runs; may be called twice."""


class Room:
    """Environments of one scenario in this process."""

    def __init__(self, scenario: Scenario) -> None:
        self._scenario = scenario
        self._envs: dict[str, Env] = {}
        self._oracles: dict[str, Oracle] = {}

    def place(self) -> Room:
        """This room: it has no walls."""
        return self

    async def ask(self, request: Request) -> Reply:
        """Do it. A failed environment is closed and forgotten."""
        try:
            return await self._do(request)
        except DataError as error:
            failure = Reply(b"", code=Code.BAD_TASK if request.verb == "start" else Code.ENV_FAILED, message=str(error))
        except ConfigError as error:
            if request.verb == "oracle":
                return Reply(b"", code=Code.NO_ORACLE, message=str(error))
            failure = Reply(b"", code=Code.ENV_FAILED, message=f"ConfigError: {error}")
        except EnvError as error:
            failure = Reply(b"", code=Code.ENV_FAILED, message=str(error))
        except Exception as error:  # the boundary to foreign code
            log.warning("environment failed in %s", request.verb, exc_info=True)
            failure = Reply(b"", code=Code.ENV_FAILED, message=f"{request.verb}: {type(error).__name__}: {error}")
        await self._drop(request.episode_id)
        return failure

    async def _do(self, request: Request) -> Reply:
        verb, episode_id = request.verb, request.episode_id
        if verb == "step":
            env = self._live(episode_id)
            return await self._answer(env, await env.step(request.action), request.commands)
        if verb == "commands":
            env = self._live(episode_id)
            if not isinstance(env, ListsCommands):
                return Reply(b"", code=Code.NO_COMMANDS, message=f"{self._scenario.env_id} does not list its commands")
            return Reply(_json({"commands": list(await env.admissible_commands())}))
        if verb == "oracle":
            return Reply(_json({"action": await self._oracle(episode_id).next_action()}))
        if verb == "start":
            assert request.task is not None
            env = self._envs[episode_id] = self._scenario.make()
            return await self._answer(env, await env.reset(request.task), request.commands)
        if verb == "describe":
            return Reply(_json(await self._description()))
        await self._drop(episode_id)
        return Reply(b"")

    async def _answer(self, env: Env, result: StepResult, with_commands: bool) -> Reply:
        if not math.isfinite(result.reward):
            raise EnvError(f"expected a finite reward, got {result.reward}")
        is_over = result.terminated or result.truncated
        listed = None
        if with_commands and isinstance(env, ListsCommands):
            listed = [] if is_over else list(await env.admissible_commands())
        fields = {
            "observation": result.observation,
            "reward": result.reward,
            "terminated": result.terminated,
            "truncated": result.truncated,
            "success": result.success,
            "info": dict(result.info),
            "commands": listed,
        }
        return Reply(_json(fields), is_over)

    def _live(self, episode_id: str) -> Env:
        env = self._envs.get(episode_id)
        if env is None:
            raise EnvError("the environment has failed or is closed")
        return env

    def _oracle(self, episode_id: str) -> Oracle:
        oracle = self._oracles.get(episode_id)
        if oracle is None:
            oracle = self._oracles[episode_id] = self._scenario.oracle(self._live(episode_id))
        return oracle

    async def _drop(self, episode_id: str) -> None:
        self._oracles.pop(episode_id, None)
        env = self._envs.pop(episode_id, None)
        if env is None:
            return
        try:
            await env.close()
        except Exception:  # the episode is over; a close that fails must not change what it was
            log.warning("an environment failed to close", exc_info=True)

    async def _description(self) -> dict[str, bool]:
        """Whether environments list commands and have an expert; no episode is begun to find out."""
        env = self._scenario.make()
        has_oracle = True
        try:
            self._scenario.oracle(env)
        except (ConfigError, NotImplementedError, AttributeError):
            has_oracle = False
        except Exception:  # it wants an episode: then there is one
            log.debug("an oracle wants an episode", exc_info=True)
        await env.close()
        return {"lists_commands": isinstance(env, ListsCommands), "has_oracle": has_oracle}

    async def close(self) -> None:
        """Close every environment that is left."""
        for episode_id in list(self._envs):
            await self._drop(episode_id)


def _json(fields: dict[str, Any]) -> bytes:
    """JSON bytes; text that UTF-8 cannot hold is escaped. Raises `EnvError` for what is not JSON."""
    try:
        return to_json(fields)
    except ValueError:  # text with unpaired surrogates, which only the escapes of the standard library can say
        try:
            return json.dumps(fields, allow_nan=False).encode()
        except (TypeError, ValueError) as error:
            raise EnvError(f"expected a result that is JSON: {error}") from error
