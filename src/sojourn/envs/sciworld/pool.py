"""The JVMs of this process: a few, shared by all scenarios with the same settings, started when there is need."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from sojourn.envs.sciworld.jvm import Jvm, JvmSettings
from sojourn.envs.sciworld.simulator import Simulator

T = TypeVar("T")


def usable_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@dataclass(frozen=True, kw_only=True, slots=True)
class PoolSettings:
    """How many JVMs, and of what kind."""

    num_jvms: int = field(default_factory=usable_cores)
    jvm: JvmSettings = field(default_factory=JvmSettings)
    max_episodes: int = 2_000
    """A JVM that has held this many episodes takes no more, and ends with its last one."""


@dataclass(kw_only=True, slots=True)
class _Member:
    jvm: Jvm
    num_live: int = 0
    num_started: int = 0


class Lease:
    """A place for one episode in one JVM."""

    def __init__(self, pool: Pool, member: _Member) -> None:
        self._pool = pool
        self._member: _Member | None = member
        self.jvm = member.jvm

    async def run(self, job: Callable[[Simulator], T]) -> T:
        """See `Jvm.run`."""
        return await self.jvm.run(job)

    def end(self, last_job: Callable[[Simulator], object]) -> None:
        """Have `last_job` run and give the place back; returns at once, may be called twice."""
        if self._member is not None:
            self.jvm.post(last_job)
            self._pool.give_back(self._member)
            self._member = None


class Pool:
    """JVMs with one set of settings. An episode gets the one with the fewest; a dead one is replaced."""

    def __init__(self, settings: PoolSettings) -> None:
        self._settings = settings
        self._members: list[_Member] = []
        self._lock = threading.Lock()

    @property
    def pids(self) -> tuple[int, ...]:
        """Process ids of the JVMs that run now."""
        with self._lock:
            return tuple(pid for member in self._members if (pid := member.jvm.pid) is not None)

    def lease(self) -> Lease:
        """A place in a JVM, which may have to start first; the second JVM comes with the second live episode."""
        with self._lock:
            self._drop([member for member in self._members if member.jvm.is_dead])
            open_members = [m for m in self._members if m.num_started < self._settings.max_episodes]
            member = min(open_members, key=lambda m: m.num_live, default=None)
            if member is None or (member.num_live > 0 and len(open_members) < self._settings.num_jvms):
                member = _Member(jvm=Jvm(self._settings.jvm))
                self._members.append(member)
            member.num_live += 1
            member.num_started += 1
            return Lease(self, member)

    def give_back(self, member: _Member) -> None:
        """An episode of `member` has ended."""
        with self._lock:
            member.num_live -= 1
            is_used_up = member.num_started >= self._settings.max_episodes
            if member in self._members and (member.jvm.is_dead or (is_used_up and member.num_live == 0)):
                self._drop([member])

    def _drop(self, members: list[_Member]) -> None:
        for member in members:
            self._members.remove(member)
            member.jvm.close()

    def close(self) -> None:
        """End all JVMs once their jobs are done; live episodes fail at their next step."""
        with self._lock:
            self._drop(list(self._members))


_POOLS: dict[PoolSettings, Pool] = {}
_LOCK = threading.Lock()
_OF_PARENT: list[Pool] = []


def shared_pool(settings: PoolSettings) -> Pool:
    """The pool of this process with these settings."""
    with _LOCK:
        return _POOLS.setdefault(settings, Pool(settings))


def close_pools() -> None:
    """End every JVM of this process; a later episode starts a new one."""
    with _LOCK:
        pools = list(_POOLS.values())
        _POOLS.clear()
    for pool in pools:
        pool.close()


def _forget_pools() -> None:
    """In a forked child: the JVMs are the parent's, and their threads are not here."""
    global _LOCK
    _LOCK = threading.Lock()  # another thread of the parent may hold the old one
    _OF_PARENT.extend(_POOLS.values())  # kept, for a process object that is collected would warn
    _POOLS.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_pools)
