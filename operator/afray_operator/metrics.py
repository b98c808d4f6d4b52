"""The operator's own metrics. Job names appear on gauges only, and go with the job."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from datetime import datetime

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from afray import __version__
from afray.api.status import JobStatus
from afray_operator.job_costs import JobCosts
from afray_operator.job_times import JobTimes
from afray_operator.jobs_metrics import job_families
from afray_operator.observed import Observed
from afray_operator.teams import Teams
from afray_operator.watching import Watches


class OperatorMetrics:
    """What the operator counts itself; gauges of jobs are read from the cache when Prometheus asks."""

    def __init__(self, watches: Watches, is_leader: Callable[[], bool], left: Callable[[], Collection[str]]) -> None:
        """`left` names the namespaces that another release serves; it tells their jobs too."""
        self.registry = CollectorRegistry()
        self.reconciles = Counter(
            "afray_operator_reconcile", "Looks at a job; `result` is done or error.", ["result"], registry=self.registry
        )
        self.reconcile_seconds = Histogram(
            "afray_operator_reconcile_duration_seconds",
            "Time of one such look, until nothing more is to be done.",
            registry=self.registry,
        )
        self.writes = Counter(
            "afray_operator_api_writes",
            "Writes to the API server, dry runs and Leases aside.",
            ["kind", "verb"],
            registry=self.registry,
        )
        info = Gauge("afray_operator_info", "1, with the version of the operator.", ["version"], registry=self.registry)
        info.labels(__version__).set(1)
        teams = Teams()
        self._job_times, self._job_costs = JobTimes(self.registry, teams), JobCosts(self.registry, teams)
        self.registry.register(_Live(watches, is_leader, left))

    @contextmanager
    def reconciling(self) -> Iterator[None]:
        """Time and count one reconcile."""
        started = time.perf_counter()
        result = "error"
        try:
            yield
            result = "done"
        finally:
            self.reconciles.labels(result).inc()
            self.reconcile_seconds.observe(time.perf_counter() - started)

    def observe_change(self, seen: Observed, status: JobStatus, now: datetime) -> None:
        """Take the waits and runs that end with this change of the status, and the GPU time that it counts."""
        self._job_times.observe(seen, status, now)
        self._job_costs.observe(seen, status)


class _Live(Collector):
    """What is true at the moment: queue, watches, leadership, the status of every job."""

    def __init__(self, watches: Watches, is_leader: Callable[[], bool], left: Callable[[], Collection[str]]) -> None:
        self._watches, self._is_leader, self._left = watches, is_leader, left

    def collect(self) -> Iterator[Metric]:
        watches, left = self._watches, self._left()
        depth, leads = float(watches.queue.depth), float(self._is_leader())
        yield GaugeMetricFamily("afray_operator_queue_depth", "Jobs that are due for a look.", value=depth)
        yield GaugeMetricFamily("afray_operator_leader", "1 while this process holds the Lease, else 0.", value=leads)
        yield GaugeMetricFamily(
            "afray_operator_namespaces_left",
            "Namespaces whose jobs are left to another release of the operator; it tells of them.",
            value=float(len(left)),
        )
        yield GaugeMetricFamily(
            "afray_operator_resync_timestamp_seconds",
            "When everything was last listed; 0 for never.",
            value=watches.resynced_at,
        )
        events = GaugeMetricFamily(
            "afray_operator_watch_last_event_timestamp_seconds",
            "When the watch of a kind last told something.",
            labels=["resource"],
        )
        for kind, moment in watches.told_at.items():
            events.add_metric([kind.plural], moment)
        yield events
        yield from job_families(raw for raw in watches.cache.jobs() if raw["metadata"]["namespace"] not in left)
