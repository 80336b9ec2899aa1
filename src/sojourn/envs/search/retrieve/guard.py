"""What stands around everything that can fail: tries with growing pauses, a limit in time, and a circuit breaker.

A failure names its boundary and is an `EnvError`: the episode ends as failed and never counts as a reward.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from sojourn.errors import ConfigError, EnvError

_Answer = TypeVar("_Answer")
_JITTER = random.Random()
"""Of its own: an environment leaves the global random state alone."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """How far a remote retriever is trusted."""

    timeout_s: float = 30.0
    """For one try."""
    max_tries: int = 3
    first_pause_s: float = 0.5
    """Before the second try; doubles from try to try, and is jittered by half."""
    max_pause_s: float = 30.0
    """Longest pause, also where the other side asks for a longer one."""
    max_in_flight: int = 8
    """Requests under way at a time."""
    max_bytes: int = 32_000_000
    """Of one answer; what is longer is a failure."""
    failures_to_open: int = 5
    """Calls that fail in a row, each after all its tries, before the breaker opens: then they fail at once."""
    open_s: float = 10.0
    """Until one call may try whether things are better."""

    def __post_init__(self) -> None:
        for name in ("timeout_s", "max_tries", "max_pause_s", "max_in_flight", "max_bytes", "failures_to_open"):
            if getattr(self, name) <= 0:
                raise ConfigError(f"{name} must be more than 0, got {getattr(self, name)}")
        if self.first_pause_s < 0 or self.open_s < 0:
            raise ConfigError("first_pause_s and open_s must not be negative")


class TransientError(Exception):
    """A try failed in a way that may pass: no connection, no answer in time, 429, 5xx."""

    def __init__(self, reason: str, retry_after_s: float | None = None) -> None:
        super().__init__(reason)
        self.retry_after_s = retry_after_s


class RefusedError(Exception):
    """The other side answered, and saying the same again would not help."""


class Breaker:
    """Opens after failures in a row, so that a dead service costs nothing; lets one call through now and then."""

    def __init__(self, failures_to_open: int, open_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._failures_to_open = failures_to_open
        self._open_s = open_s
        self._clock = clock
        self._failures = 0
        self._opened_at: float | None = None
        self._is_probing = False

    def wait_s(self) -> float:
        """Seconds until a call may pass; 0 if it may now, and then it is the probe if the breaker was open."""
        if self._opened_at is None:
            return 0.0
        left_s = self._opened_at + self._open_s - self._clock()
        if left_s > 0 or self._is_probing:
            return max(left_s, 0.001)
        self._is_probing = True
        return 0.0

    def succeeded(self) -> None:
        """A call was answered."""
        self._failures, self._opened_at, self._is_probing = 0, None, False

    def failed(self) -> None:
        """A call failed, after all its tries."""
        self._failures += 1
        if self._is_probing or self._failures >= self._failures_to_open:
            self._opened_at, self._is_probing = self._clock(), False

    def abandoned(self) -> None:
        """A call was given up without having learned anything: the next may probe."""
        self._is_probing = False

    @property
    def is_probing(self) -> bool:
        """Whether a call is under way that finds out how things are."""
        return self._is_probing


class Guard:
    """Calls one boundary within `Limits`."""

    def __init__(
        self,
        boundary: str,
        limits: Limits,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.boundary = boundary
        self._limits = limits
        self._sleep = sleep
        self._breaker = Breaker(limits.failures_to_open, limits.open_s, clock)

    async def call(self, attempt: Callable[[], Awaitable[_Answer]]) -> _Answer:
        """What `attempt` returns; tried again when it raises `TransientError` or takes too long.

        Raises `EnvError` that names the boundary once it is refused, has failed too often, or the breaker is open.
        """
        wait_s = self._breaker.wait_s()
        if wait_s > 0:
            raise EnvError(
                f"{self.boundary}: not asked, since it failed {self._limits.failures_to_open} times in a row; it is "
                f"tried again in {wait_s:.0f} s"
            )
        is_probe = self._breaker.is_probing
        try:
            return await self._tried(attempt, is_probe)
        finally:
            if is_probe:
                self._breaker.abandoned()

    async def _tried(self, attempt: Callable[[], Awaitable[_Answer]], is_probe: bool) -> _Answer:
        tried = 0
        while True:
            tried += 1
            try:
                async with asyncio.timeout(self._limits.timeout_s):
                    answer = await attempt()
            except RefusedError as error:
                self._breaker.succeeded()  # it answers; what it says of this call is another matter
                raise EnvError(f"{self.boundary}: {error}") from None
            except (TransientError, TimeoutError) as error:
                if tried >= self._limits.max_tries or is_probe:
                    self._breaker.failed()
                    reason = str(error) or f"no answer within {self._limits.timeout_s:g} s"
                    raise EnvError(f"{self.boundary}: {reason} ({tried} tries)") from None
                await self._sleep(self._pause_s(tried, getattr(error, "retry_after_s", None)))
            else:
                self._breaker.succeeded()
                return answer

    def _pause_s(self, tried: int, retry_after_s: float | None) -> float:
        if retry_after_s is not None:
            return min(retry_after_s, self._limits.max_pause_s) * (1.0 + 0.1 * _JITTER.random())
        pause_s = min(self._limits.first_pause_s * 2.0 ** (tried - 1), self._limits.max_pause_s)
        return pause_s * (0.5 + _JITTER.random())
