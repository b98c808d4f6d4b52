"""How long jobs waited and ran, by team. Histograms outlive jobs, so they carry no job's name."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from prometheus_client import CollectorRegistry, Histogram

from afray.api.conditions import ConditionStatus, ConditionType, Phase, Reason
from afray.api.status import JobStatus
from afray_operator.observed import Observed
from afray_operator.teams import TEAM, Teams

BOUNDS: Final = (1, 10, 60, 300, 900, 3600, 4 * 3600, 24 * 3600, 7 * 24 * 3600)
"""Of buckets, in seconds: from the time of a pod to a week in a queue."""
SUCCEEDED, FAILED = "succeeded", "failed"
"""Outcomes of runs."""


class JobTimes:
    """The histograms of jobs."""

    def __init__(self, registry: CollectorRegistry, teams: Teams) -> None:
        self._teams = teams
        self._queue_wait = Histogram(
            "afray_job_queue_wait_seconds",
            "From the creation of a RayJob, or its eviction, to its admission.",
            TEAM,
            buckets=BOUNDS,
            registry=registry,
        )
        self._run = Histogram(
            "afray_job_run_seconds",
            "From the first admission of a job to its end, succeeded or failed.",
            [*TEAM, "outcome"],
            buckets=BOUNDS,
            registry=registry,
        )

    def observe(self, seen: Observed, status: JobStatus, now: datetime) -> None:
        """Take the wait and the run that end as the status that is seen becomes `status`."""
        if has_place(seen, status):
            self._begin(seen)
        if (waited := queue_wait(seen, status)) is not None:
            self._queue_wait.labels(*self._teams.of(seen)).observe(waited)
        if (ran := run_time(seen, status, now)) is not None:
            outcome = SUCCEEDED if status.phase is Phase.succeeded else FAILED
            self._run.labels(*self._teams.of(seen), outcome).observe(ran)

    def _begin(self, seen: Observed) -> None:
        """Show series of the team at 0: increase() does not see the amount that a series begins with."""
        team = self._teams.of(seen)
        self._queue_wait.labels(*team)
        for outcome in (SUCCEEDED, FAILED):
            self._run.labels(*team, outcome)


def has_place(seen: Observed, status: JobStatus) -> bool:
    """Whether Kueue took the job into its queue: people write queues on jobs that nobody ever made."""
    quota = status.condition(ConditionType.quota_reserved)
    if quota is None or quota.reason == Reason.queue_missing:
        return False
    return quota.status is ConditionStatus.true or any(one.quota_reserved is not None for one in seen.workloads)


def queue_wait(seen: Observed, status: JobStatus) -> float | None:
    """Seconds that the current RayJob waited for the admission that `status` tells of; None if it tells of none."""
    before, attempt = seen.status.attempt, status.attempt
    if attempt is None or attempt.admitted_time is None:
        return None
    is_known = before is not None and before.ray_job_uid == attempt.ray_job_uid and before.admitted_time is not None
    created = next((ray_job.created for ray_job in seen.ray_jobs if ray_job.uid == attempt.ray_job_uid), None)
    if is_known or created is None:
        return None
    return max(0.0, (attempt.admitted_time - _waits_since(seen.status, created)).total_seconds())


def _waits_since(before: JobStatus, created: datetime) -> datetime:
    """One that was evicted waits since then; what was said before the RayJob was made spoke of another."""
    quota = before.condition(ConditionType.quota_reserved)
    if quota is None or quota.status is not ConditionStatus.false:
        return created
    return max(created, quota.last_transition_time)


def run_time(seen: Observed, status: JobStatus, now: datetime) -> float | None:
    """Seconds that a job ran that ends with `status`; None if it does not, or never started."""
    if status.completion_time is None or seen.status.completion_time is not None or status.start_time is None:
        return None
    return max(0.0, (now - status.start_time).total_seconds())
