"""What jobs cost in GPU time, by team: counters, which outlive jobs, so they carry no job's name."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter

from afray.api.status import JobStatus, UsageStatus
from afray_operator.observed import Observed
from afray_operator.teams import TEAM, Teams


class JobCosts:
    """The counters of jobs."""

    def __init__(self, registry: CollectorRegistry, teams: Teams) -> None:
        self._teams = teams
        self._spent = Counter(
            "afray_gpu_seconds",
            "GPUs that containers of jobs requested, times the seconds that they ran; also of jobs that are deleted.",
            TEAM,
            registry=registry,
        )
        self._failed = Counter(
            "afray_failed_gpu_seconds",
            "Those of them that were spent in attempts that failed; told when the attempt has failed.",
            TEAM,
            registry=registry,
        )

    def observe(self, seen: Observed, status: JobStatus) -> None:
        """Take what the status that is seen does not count yet, and `status` does; nothing may have failed so far."""
        if status.usage is None:
            return
        before, after = _spent(seen.status.usage), _spent(status.usage)
        for counter, earlier, later in zip((self._spent, self._failed), before, after, strict=True):
            counter.labels(*self._teams.of(seen)).inc(max(0, later - earlier))


def _spent(usage: UsageStatus | None) -> tuple[int, int]:
    return (usage.gpu_seconds, usage.failed_gpu_seconds) if usage is not None else (0, 0)
