"""Groups of episodes of one task, and the groups of an update: played together, refilled where there is no signal."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from sojourn.config import RolloutConfig
from sojourn.envs.protocol import Scenario
from sojourn.policy.agents import Agent
from sojourn.rollout.episodes import (
    EpisodeOutcome,
    EpisodeSpec,
    Retries,
    derived_seed,
    limits_of,
    run_episodes,
    too_many_failures,
)
from sojourn.rollout.tasks import TaskStream
from sojourn.types import Task, Trajectory, TrajectoryGroup


@dataclass(frozen=True, kw_only=True, slots=True)
class Collection:
    """The episodes of one update."""

    groups: tuple[TrajectoryGroup, ...]
    """Groups to train on."""
    filtered: tuple[TrajectoryGroup, ...]
    """Groups left out because all their returns are equal."""
    metrics: dict[str, float] = field(default_factory=dict)
    """What only this way of collecting measures."""

    @property
    def all_groups(self) -> tuple[TrajectoryGroup, ...]:
        return self.groups + self.filtered


class Collector(Protocol):
    """Where the episodes of the updates come from."""

    @property
    def stream(self) -> TaskStream:
        """Where the tasks are drawn from."""

    @property
    def pending(self) -> tuple[int, ...]:
        """Positions in the stream that were drawn and whose episodes were not handed out yet."""

    async def collect(self, update: int, horizon: int) -> Collection:
        """The episodes of `update`; raises `TooManyFailuresError`."""

    async def aclose(self) -> None:
        """Stop what is being played."""


@dataclass(frozen=True, kw_only=True)
class GroupPlayer:
    """Plays groups of a run's tasks, and knows which of them an update leaves out."""

    scenario: Scenario
    agent: Agent
    config: RolloutConfig
    seed: int
    """Of the run; every episode's is made of it and of where the episode stands."""
    drops_flat: bool = True
    """Leave out groups whose returns are all equal, where ``config.filter_zero_variance`` says nothing."""

    async def play(
        self,
        drawn: Sequence[Task],
        *,
        label: str,
        horizon: int,
        first: int = 0,
        max_failure_share: float | None = None,
        max_live: asyncio.Semaphore | None = None,
    ) -> list[TrajectoryGroup]:
        """A group of each task of `drawn`; `label` and the number of the group, from `first`, make its seeds."""
        config, size = self.config, self.config.group_size
        specs = [
            EpisodeSpec(
                task=task,
                seed=derived_seed(self.seed, label, g, member),
                session_id=f"{label}.{g}.{member}",
                group=g,
            )
            for g, task in enumerate(drawn, first)
            for member in range(size)
        ]
        outcomes = await run_episodes(
            self.scenario,
            self.agent,
            specs,
            horizon=horizon,
            limits=limits_of(config),
            retries=Retries(
                max_attempts=config.max_attempts,
                backoff_s=config.retry_backoff_s,
                group_timeout_s=config.group_timeout_s,
                max_failure_share=config.max_failure_share if max_failure_share is None else max_failure_share,
            ),
            max_live=config.max_live_episodes if max_live is None else max_live,
        )
        return [_group(task, outcomes[k * size : (k + 1) * size]) for k, task in enumerate(drawn)]

    def leaves_out(self, group: TrajectoryGroup) -> bool:
        """Whether no member has an advantage and such groups are not trained on."""
        is_filtering = self.drops_flat if self.config.filter_zero_variance is None else self.config.filter_zero_variance
        return is_filtering and len(set(group.returns)) <= 1  # one member alone has no advantage either

    def check_failures(self, groups: Sequence[TrajectoryGroup]) -> None:
        """Raise `TooManyFailuresError` when more than the configured share of the episodes failed."""
        failed = [trajectory for group in groups for trajectory in group.failed]
        num_episodes = len(failed) + sum(len(group.trajectories) for group in groups)
        share = self.config.max_failure_share
        if len(failed) > share * num_episodes:
            raise too_many_failures(len(failed), len(groups) * self.config.group_size, share, failed[-1])


class SyncCollector:
    """Plays the episodes of an update when they are asked for: all of them with the weights that are then trained.

    Groups that are left out are replaced by further tasks up to ``config.max_refills`` times, all at once each time.
    """

    def __init__(self, player: GroupPlayer, stream: TaskStream) -> None:
        self._player = player
        self.stream = stream

    @property
    def pending(self) -> tuple[int, ...]:
        return tuple(self.stream.returned)

    async def collect(self, update: int, horizon: int) -> Collection:
        player, config = self._player, self._player.config
        kept: list[TrajectoryGroup] = []
        filtered: list[TrajectoryGroup] = []
        for number in range(1 + config.max_refills):
            missing = config.tasks_per_update - len(kept)
            if missing <= 0:
                break
            groups = await player.play(self.stream.draw(missing), label=f"{update}.{number}", horizon=horizon)
            player.check_failures(groups)
            for group in groups:
                (filtered if player.leaves_out(group) else kept).append(group)
        return Collection(groups=tuple(kept), filtered=tuple(filtered))

    async def aclose(self) -> None:
        """Nothing goes on between two updates."""


def _group(task: Task, outcomes: Sequence[EpisodeOutcome]) -> TrajectoryGroup:
    failed: list[Trajectory] = [trajectory for o in outcomes for trajectory in o.failed]
    played = tuple(o.trajectory for o in outcomes if o.trajectory is not None)
    return TrajectoryGroup(task=task, trajectories=played, failed=tuple(failed))
