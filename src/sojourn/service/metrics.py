"""Prometheus metrics of a service."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from sojourn.service.episodes import EpisodeTable
from sojourn.service.wire import Code

CONTENT_TYPE = "text/plain; version=1.0.0; charset=utf-8"
_BUCKETS_S = (0.00005, 0.0002, 0.001, 0.005, 0.02, 0.1, 0.5, 2.0, 10.0, 60.0)
_IDLE_BUCKETS_S = (1.0, 10.0, 60.0, 300.0)


class Metrics:
    """The counters of one service; an `Observer` of its table."""

    def __init__(self, names: tuple[str, ...]) -> None:
        self.registry = CollectorRegistry()
        steps = Histogram(
            "sojourn_step_seconds",
            "Time from a step's arrival to its answer.",
            ["env"],
            buckets=_BUCKETS_S,
            registry=self.registry,
        )
        episodes = Counter("sojourn_episodes", "Episodes started.", ["env"], registry=self.registry)
        restarts = Counter("sojourn_worker_restarts", "Workers replaced.", ["env"], registry=self.registry)
        self._failures = Counter(
            "sojourn_failures", "Episodes that failed, by error code.", ["env", "code"], registry=self.registry
        )
        # a look-up by labels costs more than the step of a light environment
        self._steps = {name: steps.labels(name) for name in names}
        self._episodes = {name: episodes.labels(name) for name in names}
        self._restarts = {name: restarts.labels(name) for name in names}

    def started(self, env: str) -> None:
        """An episode has begun."""
        self._episodes[env].inc()

    def stepped(self, env: str, seconds: float) -> None:
        """A step was answered."""
        self._steps[env].observe(seconds)

    def failed(self, env: str, code: Code) -> None:
        """An environment failed, or a lease expired."""
        self._failures.labels(env, code.value).inc()

    def restarted(self, env: str) -> None:
        """A dead worker was replaced."""
        self._restarts[env].inc()

    def watch(self, table: EpisodeTable) -> None:
        """Report what `table` holds at the time of asking."""
        self.registry.register(_TableCollector(table))

    def text(self) -> bytes:
        """Everything in Prometheus' text format."""
        return generate_latest(self.registry)


class _TableCollector(Collector):
    """The state of a table, read when it is asked for."""

    def __init__(self, table: EpisodeTable) -> None:
        self._table = table

    def collect(self) -> Iterator[Metric]:
        table = self._table
        episodes = GaugeMetricFamily("sojourn_open_episodes", "Episodes that are open now.", labels=["env"])
        for name in table.names:
            episodes.add_metric([name], table.open_episodes(name))
        yield episodes
        yield GaugeMetricFamily("sojourn_capacity", "Episodes that may be open at a time.", value=table.capacity)
        idle = table.idle_s()
        waited = GaugeMetricFamily(
            "sojourn_lease_age_episodes", "Open episodes by the seconds since their last call.", labels=["at_most"]
        )
        for bound in (*_IDLE_BUCKETS_S, float("inf")):
            waited.add_metric([f"{bound:g}"], sum(age <= bound for age in idle))
        yield waited
        yield GaugeMetricFamily(
            "sojourn_lease_age_max_seconds",
            "Seconds since the last call of the episode that has waited longest.",
            value=max(idle, default=0.0),
        )
