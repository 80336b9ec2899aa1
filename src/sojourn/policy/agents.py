"""Agents: what the episode loop drives. `LMAgent` is a language model behind a `Sampler`.

Each episode gets its own `AgentSession`. The session of an `LMAgent` keeps the context as ids, append-only: what was
sampled is never tokenised again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from sojourn.errors import ConfigError, ContextFullError, TokenLimitError
from sojourn.policy.constraint import CommandConstraints
from sojourn.policy.formats import ActionFormat, Parsed
from sojourn.types import Completion, Constraint, Decision, Message, Sampler, SamplingParams

Commands = Callable[[], Awaitable[Sequence[str]]]
"""Lists the admissible commands of the current state; called only when they are needed."""
Plan = Callable[[], Awaitable[str | None]]
"""The oracle's next action; None when it has none."""


class AgentSession(Protocol):
    """One agent in one episode."""

    async def act(self, observation: str, commands: Commands | None) -> Decision:
        """Decide on the next action.

        `commands` is None where the environment lists none. Raises `ContextFullError`, `TokenLimitError` or
        `SamplerError`; nothing of the refused turn is kept then.
        """

    def close(self) -> None:
        """Free what the episode holds; may be called twice."""


class Agent(Protocol):
    """Something that can play episodes, many at a time."""

    @property
    def instructions(self) -> str:
        """The system text it is given; recorded in the trajectory."""

    def begin(self, *, session_id: str, seed: int, oracle: Plan | None = None) -> AgentSession:
        """Start an episode. `session_id` is unique among the open ones; `seed` fixes every draw."""


class TurnRenderer(Protocol):
    """What an `LMAgent` needs of the renderer."""

    @property
    def stop_ids(self) -> tuple[int, ...]:
        """Ids that end a completion."""

    @property
    def end_id(self) -> int:
        """The stop id that the template itself ends a turn with."""

    def opening(self, messages: Sequence[Message]) -> tuple[int, ...]:
        """Ids of the first prompt."""

    def continuation(self, observation: str, *, last_sampled: Sequence[int]) -> tuple[int, ...]:
        """Ids of the next prompt, to follow the completion `last_sampled`."""

    def completion_ids(self, text: str) -> tuple[int, ...]:
        """Ids of `text` as a completion, without a stop id."""

    def text(self, completion_ids: Sequence[int]) -> str:
        """A completion as text, without the stop token."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LMSettings:
    """How a language model plays."""

    max_new_tokens: int
    """Longest completion of one turn."""
    max_context_tokens: int
    """Longest context, completions included."""
    temperature: float = 1.0
    constraint: Literal["none", "admissible"] = "none"
    """``admissible`` confines every completion to the commands that the environment lists."""
    max_episode_tokens: int | None = None
    """Budget of sampled tokens of one episode; None for no limit."""
    show_instructions: bool = True
    """Begin the context with the environment's rules and the action format, as a system message."""
    show_commands: bool = False
    """Append the admissible commands to every observation."""


class LMAgent:
    """A language model that writes its actions in an action format."""

    def __init__(
        self,
        renderer: TurnRenderer,
        action_format: ActionFormat,
        sampler: Sampler,
        settings: LMSettings,
        *,
        instructions: str,
        example_command: str,
    ) -> None:
        self.renderer = renderer
        self.action_format = action_format
        self.sampler = sampler
        self.settings = settings
        self.constraints: CommandConstraints | None = None
        """Makes the constraints of all sessions, so that they share one cache; None when nothing is confined."""
        if settings.constraint == "admissible":
            self.constraints = CommandConstraints(action_format, renderer.completion_ids, renderer.end_id)
        shown = system_text(instructions, action_format, example_command)
        self._instructions = shown if settings.show_instructions else ""

    @property
    def instructions(self) -> str:
        """The environment's rules and the action format; empty if they are not shown."""
        return self._instructions

    def begin(self, *, session_id: str, seed: int, oracle: Plan | None = None) -> LMSession:
        """Start an episode; a language model has no use for the oracle."""
        return LMSession(self, session_id, seed)


class LMSession:
    """One episode of an `LMAgent`."""

    def __init__(self, agent: LMAgent, session_id: str, seed: int) -> None:
        self._agent = agent
        self._session_id = session_id
        self._seed = seed
        self._context: list[int] = []
        self._last_sampled: tuple[int, ...] = ()
        self._num_turns = 0
        self._num_sampled = 0

    @property
    def context(self) -> tuple[int, ...]:
        """Every id so far: the prompts and completions of all turns, in order."""
        return tuple(self._context)

    async def act(self, observation: str, commands: Commands | None) -> Decision:
        """See `AgentSession`."""
        listed = await self._listed(commands)
        prompt_ids = self._prompt(observation, listed)
        params = self._params(len(prompt_ids), listed)
        completion = await self._agent.sampler.sample((*self._context, *prompt_ids), params, session=self._session_id)
        self._context += [*prompt_ids, *completion.token_ids]
        self._last_sampled = completion.token_ids
        self._num_sampled += len(completion.token_ids)
        self._num_turns += 1
        return self._decision(prompt_ids, completion)

    def close(self) -> None:
        """See `AgentSession`."""
        self._agent.sampler.release(self._session_id)

    async def _listed(self, commands: Commands | None) -> Sequence[str] | None:
        settings = self._agent.settings
        if settings.constraint == "none" and not settings.show_commands:
            return None
        if commands is None:
            key = "constraint='admissible'" if settings.constraint == "admissible" else "show_commands=true"
            raise ConfigError(f"{key} needs an environment that lists its commands, and this one lists none")
        return await commands()

    def _prompt(self, observation: str, listed: Sequence[str] | None) -> tuple[int, ...]:
        agent = self._agent
        if listed is not None and agent.settings.show_commands:
            observation = with_commands(observation, listed)
        if self._num_turns:
            return agent.renderer.continuation(observation, last_sampled=self._last_sampled)
        return agent.renderer.opening(opening_messages(agent.instructions, observation))

    def _params(self, num_prompt_ids: int, listed: Sequence[str] | None) -> SamplingParams:
        agent, settings = self._agent, self._agent.settings
        room = settings.max_context_tokens - len(self._context) - num_prompt_ids
        if room < 1:
            raise ContextFullError(
                f"turn {self._num_turns + 1} needs {len(self._context) + num_prompt_ids + 1} tokens or more, "
                f"max_context_tokens is {settings.max_context_tokens}"
            )
        budget = settings.max_new_tokens
        if settings.max_episode_tokens is not None:
            budget = min(budget, settings.max_episode_tokens - self._num_sampled)
        if budget < 1:
            raise TokenLimitError(f"{self._num_sampled} tokens sampled of max_episode_tokens")
        return SamplingParams(
            max_new_tokens=min(budget, room),
            temperature=settings.temperature,
            stop_ids=agent.renderer.stop_ids,
            seed=turn_seed(self._seed, self._num_turns),
            constraint=self._constraint(listed),
        )

    def _constraint(self, listed: Sequence[str] | None) -> Constraint | None:
        if self._agent.constraints is None or not listed:
            return None  # nothing to confine to: the model may write anything, and the environment will answer
        return self._agent.constraints(listed)

    def _decision(self, prompt_ids: tuple[int, ...], completion: Completion) -> Decision:
        agent = self._agent
        text = agent.renderer.text(completion.token_ids)
        parsed = agent.action_format.parse(text)
        if completion.allowed is not None and completion.finish_reason == "length":
            # the beginning of a listed command is not a listed command
            parsed = Parsed(action=None, error=f"The command was cut after {len(completion.token_ids)} tokens.")
        error = None if parsed.action is not None else f"{parsed.error} {agent.action_format.expected}"
        return Decision(prompt_ids=prompt_ids, completion=completion, text=text, action=parsed.action, error=error)


def opening_messages(instructions: str, observation: str) -> list[Message]:
    """The messages of the first prompt; empty instructions are left out."""
    system = [Message(role="system", content=instructions)] if instructions else []
    return [*system, Message(role="user", content=observation)]


def system_text(instructions: str, action_format: ActionFormat, example_command: str) -> str:
    """The system text: the environment's rules, then how to write an action."""
    return f"{instructions}\n\n{action_format.instructions(example_command)}"


def with_commands(observation: str, commands: Sequence[str]) -> str:
    """An observation with the list of admissible commands, as `LMSettings.show_commands` asks for it."""
    return f"{observation}\nCommands: {' | '.join(commands)}"


def turn_seed(seed: int, turn: int) -> int:
    """Seed of one turn's sampling: a hash of both, the same on every machine, in [0, 2^63)."""
    digest = hashlib.blake2b(f"{seed}:{turn}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1
