"""Many episodes at once: fresh attempts for failed ones, groups of one task, refills for groups without a signal."""

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
from sojourn.rollout.tasks import TaskStream
from sojourn.types import Task, Trajectory, TrajectoryGroup

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


@dataclass(frozen=True, kw_only=True, slots=True)
class Collection:
    """The episodes of one update."""

    groups: tuple[TrajectoryGroup, ...]
    """Groups to train on."""
    filtered: tuple[TrajectoryGroup, ...]
    """Groups left out because all their returns are equal."""

    @property
    def all_groups(self) -> tuple[TrajectoryGroup, ...]:
        return self.groups + self.filtered


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
    max_live: int = 512,
) -> list[EpisodeOutcome]:
    """Play every spec, at most `max_live` at a time; what fails is tried afresh as `retries` say, None: never.

    Raises `TooManyFailuresError` as soon as more must have failed than `retries` allow.
    """
    gate, watch = asyncio.Semaphore(max_live), _Watch(retries or Retries(), len(specs))

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


async def collect_groups(
    scenario: Scenario,
    agent: Agent,
    stream: TaskStream,
    *,
    update: int,
    horizon: int,
    seed: int,
    config: RolloutConfig,
    drop_flat: bool = True,
) -> Collection:
    """The groups of one update; draws tasks from `stream` and advances it.

    Groups whose returns are all equal are left out if ``config.filter_zero_variance`` says so, or `drop_flat` where
    it says nothing.

    Raises `TooManyFailuresError` when more than ``config.max_failure_share`` of the episodes failed.
    """
    is_filtering = drop_flat if config.filter_zero_variance is None else config.filter_zero_variance
    kept: list[TrajectoryGroup] = []
    filtered: list[TrajectoryGroup] = []
    for round_number in range(1 + config.max_refills):
        missing = config.tasks_per_update - len(kept)
        if missing <= 0:
            break
        drawn = stream.draw(missing)
        groups = await _play_groups(
            scenario, agent, drawn, label=f"{update}.{round_number}", horizon=horizon, seed=seed, config=config
        )
        _check_failures(groups, config)
        for group in groups:
            (filtered if is_filtering and _is_flat(group) else kept).append(group)
    return Collection(groups=tuple(kept), filtered=tuple(filtered))


async def _play_groups(
    scenario: Scenario,
    agent: Agent,
    drawn: Sequence[Task],
    *,
    label: str,
    horizon: int,
    seed: int,
    config: RolloutConfig,
) -> list[TrajectoryGroup]:
    size = config.group_size
    specs = [
        EpisodeSpec(task=task, seed=derived_seed(seed, label, g, member), session_id=f"{label}.{g}.{member}", group=g)
        for g, task in enumerate(drawn)
        for member in range(size)
    ]
    outcomes = await run_episodes(
        scenario,
        agent,
        specs,
        horizon=horizon,
        limits=limits_of(config),
        retries=Retries(
            max_attempts=config.max_attempts,
            backoff_s=config.retry_backoff_s,
            group_timeout_s=config.group_timeout_s,
            max_failure_share=config.max_failure_share,
        ),
        max_live=config.max_live_episodes,
    )
    return [_group(task, outcomes[g * size : (g + 1) * size]) for g, task in enumerate(drawn)]


def limits_of(config: RolloutConfig) -> EpisodeLimits:
    """The deadlines that `config` sets."""
    return EpisodeLimits(
        reset_timeout_s=config.reset_timeout_s,
        step_timeout_s=config.step_timeout_s,
        sample_timeout_s=config.sample_timeout_s,
        episode_timeout_s=config.episode_timeout_s,
    )


def _group(task: Task, outcomes: Sequence[EpisodeOutcome]) -> TrajectoryGroup:
    return TrajectoryGroup(
        task=task,
        trajectories=tuple(o.trajectory for o in outcomes if o.trajectory is not None),
        failed=tuple(trajectory for o in outcomes for trajectory in o.failed),
    )


def _is_flat(group: TrajectoryGroup) -> bool:
    """Whether no member has an advantage; a group left with one member has none either."""
    return len(set(group.returns)) <= 1


def _check_failures(groups: Sequence[TrajectoryGroup], config: RolloutConfig) -> None:
    num_failed = sum(len(group.failed) for group in groups)
    num_episodes = num_failed + sum(len(group.trajectories) for group in groups)
    if num_failed > config.max_failure_share * num_episodes:
        last = next(group.failed[-1] for group in reversed(groups) if group.failed)
        raise too_many_failures(num_failed, len(groups) * config.group_size, config.max_failure_share, last)
