"""The conditions ClusterReady and Progressing: whether the pods are there, and whether their work advances."""

from __future__ import annotations

from dataclasses import replace

from afray import __version__
from afray.api.conditions import Reason
from afray.api.status import JobStatus
from afray.contract.names import progress_name
from afray_operator.decide.acts import in_the_way, wants_ray_job
from afray_operator.decide.context import (
    Context,
    current_ray_job,
    driver_word,
    is_outline,
    name_is_taken,
    newest_epoch,
    outdated_word,
)
from afray_operator.decide.messages import Judgement, fails, holds, unknown
from afray_operator.decide.mutations import mutations
from afray_operator.decide.troubles import own_cluster, own_pods, worst_trouble
from afray_operator.observed.facts import RayClusterSeen, RayJobSeen
from afray_operator.observed.refusals import Hindrance, Refusal

OTHER_VERSION = "The driver is afray"
UNREADABLE = "The progress in its ConfigMap can not be read"


def readiness(context: Context, status: JobStatus) -> Judgement:
    """What ClusterReady says of an attempt that goes on."""
    found = current_ray_job(context, status)
    if found is None:
        return _not_created(context, status)
    if found.is_suspended:
        return fails(Reason.queued, "Without quota there are no pods.")
    if found.is_finished or found.is_deleting:
        return fails(Reason.gone, f"RayJob {found.name} is over.")
    judged = _of_pods(context, status, found)
    return replace(judged, message=judged.message + mutations(context, status))


def _of_pods(context: Context, status: JobStatus, found: RayJobSeen) -> Judgement:
    if (trouble := worst_trouble(context, status)) is not None:
        return fails(trouble.reason, trouble.message)
    return _ready(found, own_cluster(context, status), has_pods=bool(own_pods(context, status)))


def _not_created(context: Context, status: JobStatus) -> Judgement:
    refusal = context.seen.refusal
    if is_outline(context.job):
        return fails(Reason.invalid_spec, "The condition Accepted says what is wrong; then the attempt starts.")
    if name_is_taken(context, status):
        return fails(Reason.name_taken, f"{in_the_way(context, status)}. Delete or rename it, and the attempt starts.")
    if refusal is not None:
        return _refused(refusal)
    if wants_ray_job(context, status) and (obstacle := in_the_way(context, status)):
        return fails(Reason.stopping, f"{obstacle}; the attempt starts when it has left.")
    return fails(Reason.not_started, "The RayJob is not created yet.")


def _refused(refusal: Refusal) -> Judgement:
    if refusal.hindrance in (Hindrance.taken, Hindrance.leaving):
        return fails(Reason.name_taken, f"{refusal.kind} {refusal.name} {refusal.message}")
    again = f"It is tried again every {refusal.wait.seconds} s."
    return fails(Reason.creation_refused, f"{refusal.kind} {refusal.name}: {refusal.message}. {again}")


def _ready(found: RayJobSeen, cluster: RayClusterSeen | None, *, has_pods: bool) -> Judgement:
    if cluster is None:
        if found.deployment == "Running":
            return holds(Reason.head_and_workers_ready, "KubeRay says so.")
        return fails(Reason.head_pending, "KubeRay has not made the pods yet.")
    if not cluster.is_head_ready:
        return fails(Reason.head_pending, "The head is starting." if has_pods else "KubeRay has not made the pods yet.")
    if cluster.ready_workers < cluster.desired_workers:
        return fails(Reason.workers_pending, _shares(cluster.ready_workers, cluster.desired_workers))
    return holds(Reason.head_and_workers_ready, f"The head and {cluster.desired_workers} workers are ready.")


def _shares(ready: int, desired: int) -> str:
    """How many, in quarters where there are many: not every pod is worth a write."""
    step = max(1, desired // 4)
    shown = ready // step * step
    return f"{'At least ' if step > 1 else ''}{shown} of {desired} workers are ready."


def progress_of_work(context: Context, status: JobStatus) -> Judgement:
    """What Progressing says of an attempt that goes on."""
    attempt, found = status.attempt, current_ray_job(context, status)
    if found is None or attempt is None or attempt.started_time is None:
        waits = found is not None and found.is_suspended
        return fails(Reason.queued if waits else Reason.not_started, "The driver is not started yet.")
    if refused := context.seen.progress.refused or _outdated(context, status):
        remedy = f"Nobody but the driver should write it: delete ConfigMap {progress_name(context.seen.owner.name)}, "
        return unknown(Reason.progress_unreadable, f"{UNREADABLE} ({refused}). {remedy}and it is made anew.")
    if (payload := driver_word(context, status)) is None or status.progress is None:
        return unknown(Reason.no_heartbeat_yet, "The driver has not spoken yet.")
    return holds(Reason.heartbeat, _version_note(payload.afray_version))


def _outdated(context: Context, status: JobStatus) -> str:
    payload = outdated_word(context, status)
    return f"epoch {payload.epoch} is older than {newest_epoch(status)}, seen before" if payload is not None else ""


def _version_note(version: str) -> str:
    if version == __version__:
        return ""
    return f"{OTHER_VERSION} {version}, the operator {__version__}: what they share still works."
