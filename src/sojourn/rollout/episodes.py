"""Many episodes at once, with fresh attempts for those that fail."""

from __future__ import annotations

import asyncio
import hashlib
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

from sojourn.config import RolloutConfig
from sojourn.envs.protocol import Scenario
from sojourn.errors import TooManyFailuresError
from sojourn.policy.agents import Agent
from sojourn.rollout.episode import EpisodeLimits, run_episode
from sojourn.types import Task, Trajectory

MAX_BACKOFF_S = 60.0


@dataclass(frozen=True, kw_only=True, slots=True)
class EpisodeSpec:
    """One episode to play."""

    task: Task
    seed: int
    """Seed of the agent's sampling."""
    session_id: str
    """Unique among the episodes alive at one time."""
    group: int = 0
    """Index of its group: what a group's deadline is counted for."""


@dataclass(frozen=True, kw_only=True, slots=True)
class EpisodeOutcome:
    """What came of one spec: a trajectory, or None when every attempt failed; and the failed attempts."""

    trajectory: Trajectory | None
    failed: tuple[Trajectory, ...]


def derived_seed(*parts: int | str) -> int:
    """A 63-bit seed that is a pure function of `parts`, equal on every machine."""
    digest = hashlib.blake2b("/".join(map(str, parts)).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1


@dataclass(frozen=True, kw_only=True, slots=True)
class Retries:
    """What is done about episodes that fail for a reason that is not the policy's."""

    max_attempts: int = 1
    """Fresh episodes for one spec, the first included."""
    backoff_s: float = 0.0
    """Pause before the second attempt; doubled before each further one, at most `MAX_BACKOFF_S`."""
    group_timeout_s: float | None = None
    """Seconds from the start of a group's first episode to the end of its last; None sets none."""
    max_failure_share: float = 1.0
    """Failed share of all episodes, attempts included, above which everything stops."""


class _Watch:
    """Failures and clocks of the episodes of one `run_episodes`."""

    def __init__(self, retries: Retries, num_specs: int) -> None:
        self.retries = retries
        self._num_specs = num_specs
        self._num_failed = 0
        self._ends: dict[int, float] = {}

    def limits(self, group: int, limits: EpisodeLimits) -> EpisodeLimits:
        """`limits` with what is left to the group; the first question starts its clock."""
        if self.retries.group_timeout_s is None:
            return limits
        end = self._ends.setdefault(group, time.monotonic() + self.retries.group_timeout_s)
        left = max(end - time.monotonic(), 0.0)
        return replace(limits, episode_timeout_s=min(left, limits.episode_timeout_s or left))

    def note_failure(self, trajectory: Trajectory) -> None:
        """Raise `TooManyFailuresError` once the share is exceeded even if all that is left succeeds."""
        self._num_failed += 1
        if self._num_failed > self.retries.max_failure_share * (self._num_failed + self._num_specs):
            raise too_many_failures(self._num_failed, self._num_specs, self.retries.max_failure_share, trajectory)

    async def may_retry(self, group: int, number: int) -> bool:
        """Wait before the attempt after attempt `number`; False if its group has no time left, or none is left."""
        if number + 1 >= self.retries.max_attempts:
            return False
        await asyncio.sleep(min(self.retries.backoff_s * 2.0**number, MAX_BACKOFF_S))
        return time.monotonic() < self._ends.get(group, math.inf)


def too_many_failures(num_failed: int, num_planned: int, share: float, last: Trajectory) -> TooManyFailuresError:
    """The error, with what the last one died of."""
    return TooManyFailuresError(
        f"{num_failed} episodes failed while {num_planned} were wanted (rollout.max_failure_share = {share:g}); "
        f"the last one: {last.stop_reason}: {last.error}"
    )


async def run_episodes(
    scenario: Scenario,
    agent: Agent,
    specs: Sequence[EpisodeSpec],
    *,
    horizon: int,
    limits: EpisodeLimits,
    retries: Retries | None = None,
    max_live: int | asyncio.Semaphore = 512,
) -> list[EpisodeOutcome]:
    """Play every spec, at most `max_live` at a time; what fails is tried afresh as `retries` say, None: never.

    Several calls that go on at once share a limit by sharing a semaphore.

    Raises `TooManyFailuresError` as soon as more must have failed than `retries` allow.
    """
    gate = asyncio.Semaphore(max_live) if isinstance(max_live, int) else max_live
    watch = _Watch(retries or Retries(), len(specs))

    async def attempt(spec: EpisodeSpec, number: int) -> Trajectory:
        env = scenario.make()
        seed = spec.seed if number == 0 else derived_seed(spec.seed, "attempt", number)
        session = agent.begin(
            session_id=f"{spec.session_id}/{number}", seed=seed, oracle=lambda: scenario.oracle(env).next_action()
        )
        return await run_episode(
            env,
            session,
            spec.task,
            horizon=horizon,
            limits=watch.limits(spec.group, limits),
            seed=seed,
            instructions=agent.instructions,
        )

    async def play(spec: EpisodeSpec) -> EpisodeOutcome:
        failed: list[Trajectory] = []
        async with gate:
            for number in range(watch.retries.max_attempts):
                trajectory = await attempt(spec, number)
                if not trajectory.stop_reason.is_failure:
                    return EpisodeOutcome(trajectory=trajectory, failed=tuple(failed))
                failed.append(trajectory)
                watch.note_failure(trajectory)
                if not await watch.may_retry(spec.group, number):
                    break
        return EpisodeOutcome(trajectory=None, failed=tuple(failed))

    try:
        async with asyncio.TaskGroup() as running:
            tasks = [running.create_task(play(spec)) for spec in specs]
    except BaseExceptionGroup as group:
        raise group.exceptions[0] from group  # the first is what went wrong; for it the others were cancelled
    return [task.result() for task in tasks]


def limits_of(config: RolloutConfig) -> EpisodeLimits:
    """The deadlines that `config` sets."""
    return EpisodeLimits(
        reset_timeout_s=config.reset_timeout_s,
        step_timeout_s=config.step_timeout_s,
        sample_timeout_s=config.sample_timeout_s,
        episode_timeout_s=config.episode_timeout_s,
    )
