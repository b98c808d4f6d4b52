"""Gauges of every SelectionJob, from its status: no series outlives its job."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from prometheus_client.core import GaugeMetricFamily, Metric

from afray.contract.names import QUEUE_LABEL


def job_families(jobs: Iterable[Mapping[str, Any]]) -> Iterator[Metric]:
    """One family per gauge. `queue` is Kueue's queue name, else empty."""
    phases: Counter[tuple[str, str, str]] = Counter()
    phase = GaugeMetricFamily(
        "afray_job_phase", "1 for the job's phase.", labels=["namespace", "name", "queue", "phase"]
    )
    ratio = GaugeMetricFamily(
        "afray_job_progress_ratio", "Done share of the present stage.", labels=["namespace", "name", "queue", "stage"]
    )
    beat = GaugeMetricFamily(
        "afray_job_heartbeat_timestamp_seconds", "Last sign of the driver.", labels=["namespace", "name", "queue"]
    )
    attempt = GaugeMetricFamily(
        "afray_job_attempt", "Number of the present attempt.", labels=["namespace", "name", "queue"]
    )
    failures = GaugeMetricFamily(
        "afray_job_failures", "Failed attempts of the present stage that count.", labels=["namespace", "name", "queue"]
    )
    for job in jobs:
        metadata, status = job["metadata"], job.get("status") or {}
        names = [metadata["namespace"], metadata["name"], (metadata.get("labels") or {}).get(QUEUE_LABEL, "")]
        current = status.get("phase") or "Pending"
        phases[names[0], names[2], current] += 1
        phase.add_metric([*names, current], 1)
        _progress(status.get("progress") or {}, names, ratio, beat)
        if number := (status.get("attempt") or {}).get("number"):
            attempt.add_metric(names, number)
            failures.add_metric(names, status["attempt"].get("failures") or 0)
    yield from (_counted(phases), phase, ratio, beat, attempt, failures)


def _counted(phases: Mapping[tuple[str, str, str], int]) -> Metric:
    family = GaugeMetricFamily("afray_jobs", "SelectionJobs by phase.", labels=["namespace", "queue", "phase"])
    for labels, number in sorted(phases.items()):
        family.add_metric(list(labels), number)
    return family


def _progress(progress: Mapping[str, Any], names: list[str], ratio: GaugeMetricFamily, beat: GaugeMetricFamily) -> None:
    if total := progress.get("total"):
        ratio.add_metric([*names, progress.get("stage") or ""], min(1.0, (progress.get("done") or 0) / total))
    if text := progress.get("heartbeatTime"):
        beat.add_metric(names, datetime.fromisoformat(text).timestamp())
