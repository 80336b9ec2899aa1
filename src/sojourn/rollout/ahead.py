"""Episodes that run ahead of training: while one update is computed, groups for the next ones are being played.

A group *begins* at the update whose weights are published then. Its *deadline*, the last update that may train on it,
is `staleness` updates later; so the trained episodes are at most that many updates old. An episode that is still
running when new weights are published goes on with these: its completions carry the version that drew them.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from sojourn.rollout.groups import Collection, GroupPlayer
from sojourn.rollout.tasks import TaskStream
from sojourn.types import TrajectoryGroup


@dataclass(frozen=True, kw_only=True, eq=False, slots=True)
class _Flight:
    """One group that was begun and not handed out."""

    position: int
    """Of its task in the stream."""
    update: int
    """The one it began at."""
    number: int
    """Among those that began at this update."""
    playing: asyncio.Task[list[TrajectoryGroup]]


class AheadCollector:
    """Keeps ``1 + staleness`` updates' worth of groups going; an update takes those that ended first.

    A group that has not ended at its deadline is dealt with as ``config.partial_groups`` says: ``wait`` hands out no
    others that would make it late and waits for it; ``refill`` stops it and plays its task afresh; ``drop`` stops it.
    Groups without a signal are replaced as in `SyncCollector`, one by one. With a staleness of 0 and no refills it
    plays what `SyncCollector` plays.
    """

    def __init__(self, player: GroupPlayer, stream: TaskStream, *, updates: int) -> None:
        """`updates`: of the whole run; no group is begun that none of them could use."""
        self._player = player
        self._config = player.config
        self.stream = stream
        self._updates = updates
        self._gate = asyncio.Semaphore(self._config.max_live_episodes)
        self._flights: list[_Flight] = []  # in the order in which they began
        self._update = self._horizon = self._num_begun = 0

    @property
    def pending(self) -> tuple[int, ...]:
        return (*(flight.position for flight in self._flights), *self.stream.returned)

    async def collect(self, update: int, horizon: int) -> Collection:
        self._update, self._horizon, self._num_begun = update, horizon, 0
        num_late = await self._give_up_late()
        places, refills = self._config.tasks_per_update, self._config.tasks_per_update * self._config.max_refills
        taken: list[tuple[_Flight, TrajectoryGroup]] = []
        while places > 0:
            self._begin(places)
            flight = await self._next(places)
            (group,) = flight.playing.result()
            taken.append((flight, group))
            if len(taken) >= self._config.tasks_per_update:
                self._player.check_failures([group for _, group in taken])
            if self._player.leaves_out(group) and refills > 0:
                refills -= 1
            else:
                places -= 1
        return self._collection(taken, num_late)

    async def aclose(self) -> None:
        """Stop every group; their environments are closed when this returns."""
        await self._stop(self._flights)
        self._flights = []

    def _begin(self, places: int) -> None:
        """Begin as many groups as can still be trained on in time, if none is late."""
        ahead = min(self._config.staleness, self._updates - 1 - self._update)
        while len(self._flights) < places + ahead * self._config.tasks_per_update:
            position = self.stream.draw_position()
            playing = self._player.play(
                [self.stream.at(position)],
                label=f"{self._update}.0",
                first=self._num_begun,
                horizon=self._horizon,
                max_failure_share=1.0,  # one group's failures are judged with those of its whole update
                max_live=self._gate,
            )
            task = asyncio.get_running_loop().create_task(playing)
            self._flights.append(_Flight(position=position, update=self._update, number=self._num_begun, playing=task))
            self._num_begun += 1

    async def _next(self, places: int) -> _Flight:
        """The oldest group that has ended and may be taken, waiting for one; `places` are left in this update."""
        while True:
            for flight in self._flights:
                if flight.playing.done() and self._may_take(flight, places):
                    self._flights.remove(flight)
                    return flight
            playing = [flight.playing for flight in self._flights if not flight.playing.done()]
            await asyncio.wait(playing, return_when=asyncio.FIRST_COMPLETED)

    def _may_take(self, flight: _Flight, places: int) -> bool:
        """Whether all that have an earlier deadline still find a place in time if `flight` takes one now."""
        if self._config.partial_groups != "wait":
            return True
        deadlines = [f.update + self._config.staleness for f in self._flights]
        size = self._config.tasks_per_update
        return all(
            sum(deadline <= update for deadline in deadlines) < places + size * (update - self._update)
            for update in range(self._update, flight.update + self._config.staleness)
        )

    async def _give_up_late(self) -> int:
        """Stop the groups whose deadline has passed; returns how many."""
        late = [f for f in self._flights if f.update + self._config.staleness < self._update]
        self._flights = [f for f in self._flights if f not in late]
        await self._stop(late)
        if self._config.partial_groups == "refill":
            self.stream.returned += [flight.position for flight in late]
        return len(late)

    async def _stop(self, flights: list[_Flight]) -> None:
        for flight in flights:
            flight.playing.cancel()
        await asyncio.gather(*(flight.playing for flight in flights), return_exceptions=True)

    def _collection(self, taken: list[tuple[_Flight, TrajectoryGroup]], num_late: int) -> Collection:
        taken = sorted(taken, key=lambda pair: (pair[0].update, pair[0].number))  # not by who ended first
        kept = [(flight, group) for flight, group in taken if not self._player.leaves_out(group)]
        ages = [self._update - flight.update for flight, _ in kept]
        is_refilling = self._config.partial_groups == "refill"
        return Collection(
            groups=tuple(group for _, group in kept),
            filtered=tuple(group for _, group in taken if self._player.leaves_out(group)),
            metrics={
                "queue/age_mean": sum(ages) / len(ages) if ages else 0.0,
                "queue/age_max": float(max(ages, default=0)),
                "queue/ended": float(sum(flight.playing.done() for flight in self._flights)),
                "queue/playing": float(sum(not flight.playing.done() for flight in self._flights)),
                "queue/dropped": 0.0 if is_refilling else float(num_late),
                "queue/refilled": float(num_late) if is_refilling else 0.0,
            },
        )
