"""KubeRay's objects and Kueue's view of them, as facts."""

from __future__ import annotations

import re
from typing import Final

from afray.api.stages import Stage
from afray.contract import names
from afray.contract.progress import one_line, printable
from afray_operator.manifests.rayjobs import LABELS_ANNOTATION, QUEUE_ANNOTATION
from afray_operator.observed.facts import Fact, RayClusterSeen, RayJobSeen, WorkloadSeen
from afray_operator.observed.json_access import Raw, block, count, entries, moment, text, texts

_EXIT_CODE: Final = re.compile(r"Job entrypoint command failed with exit code (?P<code>\d{1,3})\b")
"""How Ray begins its message; what follows is log, where anybody may have written anything."""
_JOB_UID: Final = "kueue.x-k8s.io/job-uid"


def read_ray_job(raw: Raw) -> RayJobSeen:
    """A RayJob, whatever it holds."""
    metadata, spec, status = block(raw, "metadata"), block(raw, "spec"), block(raw, "status")
    labels, annotations = texts(metadata, "labels"), texts(metadata, "annotations")
    message = text(status, "message")
    code = _EXIT_CODE.match(message)
    return RayJobSeen(
        name=text(metadata, "name"),
        uid=text(metadata, "uid"),
        owner_uid=controller_uid(metadata),
        stage=read_stage(labels),
        attempt=read_attempt(labels),
        is_deleting=bool(metadata.get("deletionTimestamp")),
        is_suspended=spec.get("suspend") is True,
        deployment=text(status, "jobDeploymentStatus"),
        job_status=text(status, "jobStatus"),
        reason=text(status, "reason"),
        message=one_line(message[:1000]),
        exit_code=int(code["code"]) if code else None,
        ended=moment(status, "endTime"),
        cluster=text(status, "rayClusterName"),
        queue=labels.get(names.QUEUE_LABEL, ""),
        asked_queue=annotations.get(QUEUE_ANNOTATION, ""),
        labels_digest=annotations.get(LABELS_ANNOTATION, ""),
        created=moment(metadata, "creationTimestamp"),
    )


def controller_uid(metadata: Raw) -> str:
    """uid of the object that controls this one."""
    return next((text(owner, "uid") for owner in entries(metadata, "ownerReferences") if owner.get("controller")), "")


def read_stage(labels: dict[str, str]) -> Stage | None:
    """The stage that our label names."""
    return next((stage for stage in Stage if stage == labels.get(names.STAGE_LABEL)), None)


def read_attempt(labels: dict[str, str]) -> int:
    """The attempt that our label names, 0 for none."""
    named = labels.get(names.ATTEMPT_LABEL, "")
    return int(named) if re.fullmatch(r"[1-9][0-9]{0,5}", named) else 0


def read_ray_cluster(raw: Raw) -> RayClusterSeen:
    """A RayCluster, whatever it holds."""
    status = block(raw, "status")
    head, failure = _fact(status, "HeadPodReady"), _fact(status, "ReplicaFailure")
    return RayClusterSeen(
        name=text(block(raw, "metadata"), "name"),
        is_head_ready=head is not None and head.holds,
        desired_workers=count(status, "desiredWorkerReplicas"),
        ready_workers=count(status, "readyWorkerReplicas"),
        trouble=failure.message if failure is not None and failure.holds else "",
    )


def read_workload(raw: Raw) -> WorkloadSeen:
    """A Workload, whatever it holds."""
    metadata, status = block(raw, "metadata"), block(raw, "status")
    return WorkloadSeen(
        ray_job_uid=texts(metadata, "labels").get(_JOB_UID) or controller_uid(metadata),
        quota_reserved=_fact(status, "QuotaReserved"),
        admitted=_fact(status, "Admitted"),
        evicted=_fact(status, "Evicted"),
    )


def _fact(status: Raw, kind: str) -> Fact | None:
    for condition in entries(status, "conditions"):
        if condition.get("type") == kind:
            return Fact(
                holds=condition.get("status") == "True",
                reason=text(condition, "reason"),
                message=clean(text(condition, "message")),
            )
    return None


def clean(said: str) -> str:
    """Another controller's sentence, fit for a message of ours: on one line, printable, not endless."""
    return printable(said[:1000]).strip()
