"""THE agent loop: one episode of one environment with one agent.

reset, then sample → act → step, until the environment ends it, the horizon cuts it, the context is full, or something
fails. Whatever happens, the environment and the agent's session are closed, and the trajectory says why it stopped.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TypeVar

from sojourn.envs.protocol import Env, ListsCommands
from sojourn.errors import ContextFullError, EnvError, SamplerError, TokenLimitError
from sojourn.policy.agents import AgentSession
from sojourn.types import Decision, StepResult, StopReason, Task, Trajectory, Turn

log = logging.getLogger(__name__)
T = TypeVar("T")

STOPS: dict[type[Exception], StopReason] = {
    ContextFullError: StopReason.CONTEXT_FULL,
    TokenLimitError: StopReason.TOKEN_LIMIT,
    EnvError: StopReason.ENV_ERROR,
    SamplerError: StopReason.SAMPLER_ERROR,
    TimeoutError: StopReason.TIMEOUT,
}
"""What an exception says about the episode; any other exception is a bug and rises."""


@dataclass(frozen=True, kw_only=True, slots=True)
class EpisodeLimits:
    """Deadlines of one episode's stages, in seconds of wall clock."""

    reset_timeout_s: float = 120.0
    step_timeout_s: float = 120.0
    sample_timeout_s: float = 600.0
    episode_timeout_s: float | None = None
    """Of the whole episode; None sets none."""


async def run_episode(
    env: Env,
    session: AgentSession,
    task: Task,
    *,
    horizon: int,
    limits: EpisodeLimits,
    seed: int = 0,
    instructions: str = "",
) -> Trajectory:
    """Play `task` in `env` for at most `horizon` turns; both `env` and `session` are closed at the end.

    Failures are data (`Trajectory.stop_reason`), not exceptions; only cancellation and bugs rise.
    """
    commands = env.admissible_commands if isinstance(env, ListsCommands) else None
    first: StepResult | None = None
    turns: list[Turn] = []
    stop: StopReason | None = None
    error: str | None = None
    try:
        async with _deadline(limits.episode_timeout_s, "the episode"):
            first = result = await _ask(env.reset(task), limits.reset_timeout_s, "reset")
            while stop is None:
                started = time.perf_counter()
                decision = await _within(limits.sample_timeout_s, session.act(result.observation, commands), "sample")
                sampled = time.perf_counter()
                result = await _answer(env, decision, limits)
                spent = {"sample_s": sampled - started, "step_s": time.perf_counter() - sampled}
                turns.append(Turn(decision=decision, result=result, **spent))
                stop = _stop_reason(result, len(turns), horizon)
    except tuple(STOPS) as failure:
        stop = next(reason for kind, reason in STOPS.items() if isinstance(failure, kind))
        error = f"{type(failure).__name__}: {failure}" if stop.is_failure else None
    finally:
        session.close()
        await _close(env)
    return Trajectory(
        task=task,
        first=first,
        turns=tuple(turns),
        stop_reason=stop,
        horizon=horizon,
        seed=seed,
        error=error,
        instructions=instructions,
    )


def _stop_reason(result: StepResult, num_turns: int, horizon: int) -> StopReason | None:
    if result.terminated:
        return StopReason.TERMINATED
    if result.truncated:
        return StopReason.ENV_TRUNCATED
    return StopReason.HORIZON if num_turns >= horizon else None


async def _answer(env: Env, decision: Decision, limits: EpisodeLimits) -> StepResult:
    """The environment's answer to the action; an unparsable one never reaches it and is told what was expected."""
    if decision.action is None:
        return StepResult(observation=decision.error or "No action was found.", info={"unparsable": True})
    return await _ask(env.step(decision.action), limits.step_timeout_s, "step")


async def _ask(call: Awaitable[StepResult], timeout_s: float, stage: str) -> StepResult:
    """Await the environment; whatever it raises is an `EnvError`, and a reward that is no number is one too."""
    try:
        result = await _within(timeout_s, call, stage)
    except (EnvError, TimeoutError):
        raise
    except Exception as error:  # the boundary to foreign code: attributed once, here
        log.warning("environment failed in %s", stage, exc_info=True)
        raise EnvError(f"{stage}: {type(error).__name__}: {error}") from error
    if not math.isfinite(result.reward):
        raise EnvError(f"{stage}: expected a finite reward, got {result.reward}")
    return result


async def _within(timeout_s: float, call: Awaitable[T], stage: str) -> T:
    async with _deadline(timeout_s, stage):
        return await call


@asynccontextmanager
async def _deadline(timeout_s: float | None, stage: str) -> AsyncIterator[None]:
    """Raise a `TimeoutError` that names `stage` if the block takes longer; one raised inside it goes through."""
    limit = asyncio.timeout(timeout_s)
    try:
        async with limit:
            yield
    except TimeoutError as error:
        if not limit.expired():
            raise
        raise TimeoutError(f"{stage} took longer than {timeout_s:g} s") from error


async def _close(env: Env) -> None:
    try:
        await asyncio.wait_for(env.close(), timeout=30.0)
    except Exception:  # the episode is over; a close that fails must not change what it was
        log.warning("an environment failed to close", exc_info=True)
