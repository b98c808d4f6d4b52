"""Gauges of every SelectionJob, from its status: no series outlives its job."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from prometheus_client.core import GaugeMetricFamily, Metric

from afray.contract.metrics import JOB_LABELS
from afray.contract.names import QUEUE_LABEL
from afray_operator.observed.json_access import Raw, block, count, moment, text, texts

Sample = tuple[tuple[str, ...], float]
"""Values of the further labels, and the value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobGauge:
    """One gauge: what it reads of a status, a sample at most."""

    name: str
    help: str
    labels: tuple[str, ...] = ()
    read: Callable[[Raw], Sample | None]


def _phase(status: Raw) -> Sample:
    return (text(status, "phase") or "Pending",), 1


def _reason(status: Raw) -> Sample:
    return (*_phase(status)[0], text(status, "reason")), 1


def _progress(status: Raw) -> Sample | None:
    progress = block(status, "progress")
    total = count(progress, "total")
    return ((text(progress, "stage"),), min(1.0, count(progress, "done") / total)) if total else None


def _heartbeat(status: Raw) -> Sample | None:
    spoke = moment(block(status, "progress"), "heartbeatTime")
    return ((), spoke.timestamp()) if spoke is not None else None


def _attempt(field: str) -> Callable[[Raw], Sample | None]:
    """A count of an attempt, if there is one."""

    def read(status: Raw) -> Sample | None:
        attempt = block(status, "attempt")
        return ((), count(attempt, field)) if count(attempt, "number") else None

    return read


def _usage(field: str) -> Callable[[Raw], Sample | None]:
    """GPU time, of jobs that have any."""

    def read(status: Raw) -> Sample | None:
        usage = block(status, "usage")
        return ((), count(usage, field)) if usage else None

    return read


GAUGES: Final = (
    JobGauge(name="afray_job_phase", help="1, with the phase of the job.", labels=("phase",), read=_phase),
    JobGauge(
        name="afray_job_reason",
        help="1, with the phase of the job and the reason of the condition that decides it.",
        labels=("phase", "reason"),
        read=_reason,
    ),
    JobGauge(
        name="afray_job_progress_ratio",
        help="Done share of what the driver does, 0 to 1; `stage` is its own word for it.",
        labels=("stage",),
        read=_progress,
    ),
    JobGauge(name="afray_job_heartbeat_timestamp_seconds", help="When the driver last spoke.", read=_heartbeat),
    JobGauge(
        name="afray_job_attempt",
        help="Number of the current attempt; each stage counts anew.",
        read=_attempt("number"),
    ),
    JobGauge(
        name="afray_job_failures",
        help="Attempts of the stage that failed, against policy.backoffLimit.",
        read=_attempt("failures"),
    ),
    JobGauge(name="afray_job_gpus", help="GPUs of the job's containers that run.", read=_usage("gpus")),
    JobGauge(
        name="afray_job_gpu_seconds",
        help="GPUs that its containers requested, times the seconds that they ran, as of status.usage.",
        read=_usage("gpuSeconds"),
    ),
    JobGauge(
        name="afray_job_failed_gpu_seconds",
        help="Those of them that were spent in attempts that failed.",
        read=_usage("failedGpuSeconds"),
    ),
)


def job_families(jobs: Iterable[Mapping[str, Any]]) -> Iterator[Metric]:
    """One family per gauge, and the number of jobs by phase."""
    phases: Counter[tuple[str, ...]] = Counter()
    families = [GaugeMetricFamily(gauge.name, gauge.help, labels=[*JOB_LABELS, *gauge.labels]) for gauge in GAUGES]
    for job in jobs:
        metadata, status = block(job, "metadata"), block(job, "status")
        queue = texts(metadata, "labels").get(QUEUE_LABEL, "")
        phases[text(metadata, "namespace"), queue, *_phase(status)[0]] += 1
        for gauge, family in zip(GAUGES, families, strict=True):
            if (sample := gauge.read(status)) is not None:
                family.add_metric([text(metadata, "namespace"), text(metadata, "name"), queue, *sample[0]], sample[1])
    yield from (_counted(phases), *families)


def _counted(phases: Mapping[tuple[str, ...], int]) -> Metric:
    family = GaugeMetricFamily("afray_jobs", "Number of SelectionJobs.", labels=["namespace", "queue", "phase"])
    for labels, number in sorted(phases.items()):
        family.add_metric(list(labels), number)
    return family
