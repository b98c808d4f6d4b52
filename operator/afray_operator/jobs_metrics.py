"""Gauges of every SelectionJob, from its status: no series outlives its job."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from prometheus_client.core import GaugeMetricFamily, Metric

from afray.contract.names import QUEUE_LABEL
from afray_operator.observed.json_access import block, count, moment, text, texts


def job_families(jobs: Iterable[Mapping[str, Any]]) -> Iterator[Metric]:
    """One family per gauge. `queue` is Kueue's queue name, else empty."""
    phases: Counter[tuple[str, str, str]] = Counter()
    phase = GaugeMetricFamily(
        "afray_job_phase", "1, with the phase of the job.", labels=["namespace", "name", "queue", "phase"]
    )
    reason = GaugeMetricFamily(
        "afray_job_reason",
        "1, with the phase of the job and the reason of the condition that decides it.",
        labels=["namespace", "name", "queue", "phase", "reason"],
    )
    ratio = GaugeMetricFamily(
        "afray_job_progress_ratio",
        "Done share of what the driver does, 0 to 1; `stage` is its own word for it.",
        labels=["namespace", "name", "queue", "stage"],
    )
    beat = GaugeMetricFamily(
        "afray_job_heartbeat_timestamp_seconds", "When the driver last spoke.", labels=["namespace", "name", "queue"]
    )
    attempt = GaugeMetricFamily(
        "afray_job_attempt",
        "Number of the current attempt; each stage counts anew.",
        labels=["namespace", "name", "queue"],
    )
    failures = GaugeMetricFamily(
        "afray_job_failures",
        "Attempts of the stage that failed, against policy.backoffLimit.",
        labels=["namespace", "name", "queue"],
    )
    for job in jobs:
        metadata, status = block(job, "metadata"), block(job, "status")
        queue = texts(metadata, "labels").get(QUEUE_LABEL, "")
        names = [text(metadata, "namespace"), text(metadata, "name"), queue]
        current = text(status, "phase") or "Pending"
        phases[names[0], queue, current] += 1
        phase.add_metric([*names, current], 1)
        reason.add_metric([*names, current, text(status, "reason")], 1)
        _progress(block(status, "progress"), names, ratio, beat)
        if number := count(block(status, "attempt"), "number"):
            attempt.add_metric(names, number)
            failures.add_metric(names, count(block(status, "attempt"), "failures"))
    yield from (_counted(phases), phase, reason, ratio, beat, attempt, failures)


def _counted(phases: Mapping[tuple[str, str, str], int]) -> Metric:
    family = GaugeMetricFamily("afray_jobs", "Number of SelectionJobs.", labels=["namespace", "queue", "phase"])
    for labels, number in sorted(phases.items()):
        family.add_metric(list(labels), number)
    return family


def _progress(progress: Mapping[str, Any], names: list[str], ratio: GaugeMetricFamily, beat: GaugeMetricFamily) -> None:
    if total := count(progress, "total"):
        ratio.add_metric([*names, text(progress, "stage")], min(1.0, count(progress, "done") / total))
    if (spoke := moment(progress, "heartbeatTime")) is not None:
        beat.add_metric(names, spoke.timestamp())
