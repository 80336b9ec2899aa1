"""Agents without a language model: uniform, oracle, and a fixed list. Their decisions hold no tokens."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Sequence

from sojourn.errors import ConfigError
from sojourn.policy.agents import Commands, Plan
from sojourn.types import EMPTY_COMPLETION, Decision


class ScriptedSession:
    """An episode in which `choose` picks the action; a None is recorded with `error`."""

    def __init__(self, choose: Callable[[Commands | None], Awaitable[str | None]], error: str) -> None:
        self._choose = choose
        self._error = error

    async def act(self, observation: str, commands: Commands | None) -> Decision:
        """See `AgentSession`."""
        action = await self._choose(commands)
        return Decision(
            prompt_ids=(),
            completion=EMPTY_COMPLETION,
            text=action or "",
            action=action,
            error=self._error if action is None else None,
        )

    def close(self) -> None:
        """Nothing is held."""


class RandomAgent:
    """Draws uniformly from the admissible commands."""

    instructions = ""

    def begin(self, *, session_id: str, seed: int, oracle: Plan | None = None) -> ScriptedSession:
        """Start an episode; every draw follows from `seed`."""
        rng = random.Random(seed)

        async def choose(commands: Commands | None) -> str | None:
            if commands is None:
                raise ConfigError("the random agent needs an environment that lists its commands")
            listed = await commands()
            return rng.choice(listed) if listed else None

        return ScriptedSession(choose, "no admissible command")


class OracleAgent:
    """Does what the environment's expert says."""

    instructions = ""

    def begin(self, *, session_id: str, seed: int, oracle: Plan | None = None) -> ScriptedSession:
        """Start an episode; raises `ConfigError` without an oracle."""
        if oracle is None:
            raise ConfigError("the oracle agent needs an environment that has an oracle")
        plan = oracle
        return ScriptedSession(lambda _: plan(), "oracle has no plan")


class ReplayAgent:
    """Repeats the same list of actions in every episode."""

    instructions = ""

    def __init__(self, actions: Sequence[str]) -> None:
        self._actions = tuple(actions)

    def begin(self, *, session_id: str, seed: int, oracle: Plan | None = None) -> ScriptedSession:
        """Start at the first action."""
        actions = iter(self._actions)

        async def choose(_: Commands | None) -> str | None:
            return next(actions, None)

        return ScriptedSession(choose, "the replayed actions are used up")
