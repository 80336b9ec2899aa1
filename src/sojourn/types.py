"""The nouns of Sojourn: what crosses from one layer to another.

Everything here is a frozen, keyword-only record. Token-level fields are plain Python tuples, so that this module
needs neither torch nor numpy and a trajectory can be compared, hashed and written as JSON.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Literal, Protocol

NO_INFO: Mapping[str, Any] = MappingProxyType({})

Role = Literal["system", "user", "assistant"]
FinishReason = Literal["stop", "length"]


class StopReason(StrEnum):
    """Why an episode ended. Exactly one value per trajectory."""

    TERMINATED = "terminated"  # the environment reached an end of the task, good or bad
    ENV_TRUNCATED = "env_truncated"  # the environment's own step limit was reached
    HORIZON = "horizon"  # the turn limit in force for this update was reached
    TOKEN_LIMIT = "token_limit"  # the episode's budget of sampled tokens was spent
    CONTEXT_FULL = "context_full"  # the next turn does not fit the model's context
    ENV_ERROR = "env_error"  # the environment failed; says nothing about the policy
    SAMPLER_ERROR = "sampler_error"  # the sampler failed; says nothing about the policy
    TIMEOUT = "timeout"  # a deadline passed; says nothing about the policy

    @property
    def is_failure(self) -> bool:
        """Whether the episode failed for a reason that is not the policy's. A failure never is a reward."""
        return self in _FAILURES

    @property
    def is_cut(self) -> bool:
        """Whether the episode was stopped by us (not by the environment) while it was going well."""
        return self in _CUTS


_FAILURES = frozenset({StopReason.ENV_ERROR, StopReason.SAMPLER_ERROR, StopReason.TIMEOUT})
_CUTS = frozenset({StopReason.HORIZON, StopReason.TOKEN_LIMIT, StopReason.CONTEXT_FULL})


@dataclass(frozen=True, kw_only=True, slots=True)
class Task:
    """One problem of one environment; with the environment's version it fixes the whole episode but the actions."""

    env_id: str
    """Versioned environment id, such as ``textcraft-v1``."""
    task_id: str
    """Identity inside the environment; the same text means the same task on every machine."""
    split: str
    """``train``, ``validation`` or ``test`` (an environment may have more)."""
    seed: int
    """Seed of everything random in the episode."""
    category: str | None = None
    """The sub-task it is reported under (one of the paper's 27 where it has one)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Message:
    """One chat message."""

    role: Role
    content: str


@dataclass(frozen=True, kw_only=True, slots=True)
class StepResult:
    """What an environment answers to a reset or to an action."""

    observation: str
    reward: float = 0.0
    """Reward of this step alone (never a running total)."""
    terminated: bool = False
    """The task has ended, well or badly: nothing of value can follow."""
    truncated: bool = False
    """The environment's own limit cut the episode: value could have followed."""
    success: bool | None = None
    """Whether the task is solved; None where the environment cannot tell yet."""
    info: Mapping[str, Any] = field(default_factory=lambda: NO_INFO)
    """Diagnostics (JSON-serialisable); never shown to the policy."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Completion:
    """What a sampler returned for one turn; all tuples have one entry per sampled token."""

    token_ids: tuple[int, ...]
    logprobs: tuple[float, ...]
    """Natural log-probability of each token under the distribution it was drawn from (confined, if it was)."""
    finish_reason: FinishReason
    """``stop``: the last token is a stop token, or the constraint was complete. ``length``: the limit cut it."""
    policy_version: int
    """Number of the published weights that sampled it."""
    allowed: tuple[tuple[int, ...] | None, ...] | None = None
    """Token ids each position was confined to (None: the whole vocabulary); None when nothing was confined."""

    def __post_init__(self) -> None:
        if len(self.logprobs) != len(self.token_ids):
            raise ValueError(f"expected one log-prob per token, got {len(self.logprobs)} for {len(self.token_ids)}")
        if self.allowed is not None and len(self.allowed) != len(self.token_ids):
            raise ValueError(f"expected one allowed set per token, got {len(self.allowed)} for {len(self.token_ids)}")


class Constraint(Protocol):
    """Confines the sampling of one completion to a set of token sequences (a trie, a grammar)."""

    def allowed(self, generated: Sequence[int]) -> Sequence[int] | None:
        """Ids allowed after `generated`: None for the whole vocabulary, empty when the completion is complete.

        A single id is forced: the sampler appends it without asking the model, with log-prob 0.
        """


@dataclass(frozen=True, kw_only=True, slots=True)
class SamplingParams:
    """How to sample one completion."""

    max_new_tokens: int
    temperature: float = 1.0
    """Divides the logits; 0 takes the most likely token. Log-probs are those of the tempered distribution."""
    stop_ids: tuple[int, ...] = ()
    """Ids that end the completion; the one that did is its last token."""
    seed: int = 0
    """Fixes the draw, whatever else is being sampled at the same time."""
    constraint: Constraint | None = None


class Sampler(Protocol):
    """Token ids in, token ids and log-probs out. Every engine is one."""

    async def sample(self, prompt_ids: Sequence[int], params: SamplingParams, session: str = "") -> Completion:
        """Continue `prompt_ids` (the whole context so far).

        `session` names the episode: a sampler may keep its state (KV cache) under it from turn to turn, which changes
        the cost and never the result. Raises `SamplerError`, or `ContextFullError` if it does not fit.
        """

    def release(self, session: str) -> None:
        """Forget what is kept for `session`; unknown sessions are fine."""


EMPTY_COMPLETION = Completion(token_ids=(), logprobs=(), finish_reason="stop", policy_version=0)


@dataclass(frozen=True, kw_only=True, slots=True)
class Decision:
    """What an agent did with one observation: the ids it read, the ids it wrote, and the action parsed from them."""

    prompt_ids: tuple[int, ...]
    """Ids appended to the context before the completion: the environment's message and the template's markers."""
    completion: Completion
    text: str
    """The completion as text, for people; never turned back into ids."""
    action: str | None
    """The command for the environment; None when none could be parsed."""
    error: str | None = None
    """What was expected, when ``action`` is None."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Turn:
    """One decision and the environment's answer to it."""

    decision: Decision
    result: StepResult
    """The answer; for an unparsable action our own, which says what was expected (reward 0)."""
    sample_s: float = 0.0
    step_s: float = 0.0

    @property
    def is_parsed(self) -> bool:
        """Whether an action could be read from the completion."""
        return self.decision.action is not None


@dataclass(frozen=True, kw_only=True, slots=True)
class Trajectory:
    """One episode as data."""

    task: Task
    first: StepResult | None
    """The reset's result; None when the reset itself failed."""
    turns: tuple[Turn, ...]
    stop_reason: StopReason
    horizon: int
    """Turn limit that was in force."""
    seed: int
    """Seed of the sampling."""
    error: str | None = None
    """One line on what failed, for failures only."""
    instructions: str = ""
    """The system text the agent was given."""

    @property
    def return_(self) -> float:
        """Sum of the step rewards."""
        return sum(turn.result.reward for turn in self.turns)

    @property
    def is_success(self) -> bool:
        """Whether any step reported the task solved."""
        return any(turn.result.success is True for turn in self.turns)

    @property
    def num_turns(self) -> int:
        return len(self.turns)

    @property
    def num_action_tokens(self) -> int:
        return sum(len(turn.decision.completion.token_ids) for turn in self.turns)


@dataclass(frozen=True, kw_only=True, slots=True)
class TrajectoryGroup:
    """The trajectories of one task under one policy version; failed ones are kept apart, for the record only."""

    task: Task
    trajectories: tuple[Trajectory, ...]
    failed: tuple[Trajectory, ...] = ()

    def __post_init__(self) -> None:
        if any(trajectory.stop_reason.is_failure for trajectory in self.trajectories):
            raise ValueError("a failed trajectory belongs to `failed`, never to `trajectories`")

    @property
    def returns(self) -> tuple[float, ...]:
        return tuple(trajectory.return_ for trajectory in self.trajectories)
