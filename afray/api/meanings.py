"""What a condition means for each of its reasons, and what to do about it: for docs/conditions.md and the commands.

The operator says no pair that is not here, and each that is here can occur; tests hold both.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from afray.api.conditions import ConditionStatus, ConditionType, Reason


@dataclass(frozen=True, slots=True)
class Meaning:
    """One reason of one condition, for the platform's team."""

    says: str
    remedy: str = ""
    """The next step; "" where there is nothing to do."""


Pair = tuple[ConditionStatus, Reason]
Meanings = Mapping[Pair, Meaning]

_YES, _NO, _UNKNOWN = ConditionStatus.true, ConditionStatus.false, ConditionStatus.unknown

_NO_ATTEMPT: Final[Meanings] = {
    (_NO, Reason.not_started): Meaning("The attempt has not come that far."),
    (_NO, Reason.retrying): Meaning(
        "An attempt failed; the next one starts at `status.attempt.retryAfter`.",
        "Read `status.attempt.lastFailure`: reason, first cause, and where the driver's log is.",
    ),
    (_NO, Reason.awaiting_labels): Meaning("The selection is done, and nothing runs while people label it."),
    (_NO, Reason.stopping): Meaning("The job was told to stop, and its pods are leaving."),
    (_NO, Reason.suspended): Meaning("The job is suspended and holds no pod."),
    (_NO, Reason.finished): Meaning("The job is over."),
}
"""Of QuotaReserved, ClusterReady and Progressing, while no attempt runs."""

_PODS: Final[Mapping[Reason, Meaning]] = {
    Reason.image_pull_failed: Meaning(
        "The kubelet cannot pull the image; its own sentence follows.",
        "Check `spec.runtime.image` and `imagePullSecrets`. The image is part of the accepted spec: to change it, "
        "create another job on the same output, which goes on from what is committed.",
    ),
    Reason.unschedulable: Meaning(
        "The scheduler finds no node; its own sentence follows.",
        "Add nodes or free some, or ask for less in another job; check node selectors and tolerations of the template.",
    ),
    Reason.configuration_missing: Meaning(
        "A Secret, ConfigMap or volume that the pods name is not there; the kubelet says which.",
        "Create it in the job's namespace: the pods start by themselves then.",
    ),
    Reason.container_failed: Meaning(
        "A container of the pod ends again and again.",
        "`kubectl logs POD --previous`: most often the image is not afray's, or a template changed its command.",
    ),
    Reason.creation_refused: Meaning(
        "The API server does not let the operator, or KubeRay, create what the attempt needs; its sentence follows.",
        "Raise the ResourceQuota, grant the right, or correct the policy it names; it is tried again within a minute.",
    ),
}
"""Of ClusterReady; and of Failed, where nothing of it was mended until the start deadline."""


def _label_file(rows: str, field: str) -> Meanings:
    """What is said of a file with the labels of some rows, which `field` names."""
    return {
        (_YES, Reason.accepted): Meaning("The label file is good, and final."),
        (_NO, Reason.awaiting_labels): Meaning(
            f"People label the {rows}. No pod, no quota and no clock runs meanwhile.",
            f"Set `{field}: {{uri, format}}` when they are done.",
        ),
        (_NO, Reason.validating): Meaning("The label file is checked."),
        (_NO, Reason.rejected): Meaning(
            "The label file is not good: the message has the reason and the counts.",
            f"Correct the file, and set `{field}` to its new `uri` or `sha256`.",
        ),
    }


MEANINGS: Final[Mapping[ConditionType, Meanings]] = {
    ConditionType.accepted: {
        (_YES, Reason.valid): Meaning(
            "The job is taken on. A message beside it is a warning: a change that is ignored, an output that another "
            "job has too."
        ),
        (_NO, Reason.invalid_spec): Meaning(
            "The spec breaks a rule; the message names field, value and what to write.",
            "`afray validate --for cluster FILE` shows every problem. Delete the job, and apply the corrected file; "
            "a pod template may be corrected in place. An accepted job runs on meanwhile, within its deadlines.",
        ),
        (_NO, Reason.dry_run_rejected): Meaning(
            "The API server, or a webhook, would refuse the RayJob; its own sentence follows.",
            "Most often a pod template: correct it in place. It is asked again after each change, and every 5 minutes.",
        ),
        (_NO, Reason.ray_api_missing): Meaning(
            "KubeRay is not installed, or older than 1.5. A job that runs already is left alone.",
            "Install or upgrade KubeRay; the job is taken on within 5 minutes.",
        ),
        (_NO, Reason.not_permitted): Meaning(
            "The operator lacks a right in this namespace; the message says which.",
            "Add the namespace to the chart's `watchNamespaces`, or bind the operator's role there.",
        ),
        (_NO, Reason.name_taken): Meaning(
            "The ConfigMap `NAME-templates`, in which accepted pod templates are kept, exists and is not this job's.",
            "Delete or rename it. One that a deleted job of the same name left goes by itself.",
        ),
        (_UNKNOWN, Reason.not_answered): Meaning(
            "The API server, or a webhook that it asks, is down or overrun; its own sentence follows.",
            "If it stays so: see that the webhook it names runs. It is asked again every 10 seconds.",
        ),
    },
    ConditionType.quota_reserved: {
        (_YES, Reason.admitted): Meaning("Kueue has admitted the attempt."),
        (_YES, Reason.not_managed): Meaning("The job names no queue, so it needs no admission."),
        (_NO, Reason.queued): Meaning(
            "The attempt waits in its queue; the message is Kueue's own.",
            "`kubectl get workloads` shows what is ahead of it.",
        ),
        (_NO, Reason.preempted): Meaning(
            "Kueue took the quota back; why, says its own sentence. Nothing is counted, finished work is kept, and the "
            "attempt goes on when it is admitted again."
        ),
        (_NO, Reason.no_queue_name): Meaning(
            "The RayJob was suspended though the job names no queue: Kueue is set to manage jobs without one.",
            "Label the job with `kueue.x-k8s.io/queue-name`; it moves there by itself.",
        ),
        (_NO, Reason.queue_missing): Meaning(
            "The queue that the label names does not exist, or its ClusterQueue does not.",
            "Set the label `kueue.x-k8s.io/queue-name` to a queue of this namespace (`kubectl get localqueues`).",
        ),
        (_NO, Reason.queue_too_small): Meaning(
            "The job asks for more than the queue will ever have; the message says of what.",
            "Label it with a larger queue, or create a job that asks for less.",
        ),
        (_NO, Reason.kueue_missing): Meaning(
            "The job names a queue, and Kueue is not installed, or serves no v1beta2 Workloads (it does from 0.15 on): "
            "it will not run past its queue.",
            "Install or upgrade Kueue, or take the label away.",
        ),
        **_NO_ATTEMPT,
    },
    ConditionType.cluster_ready: {
        (_YES, Reason.head_and_workers_ready): Meaning("All pods are ready."),
        (_NO, Reason.head_pending): Meaning("The head pod is not ready yet."),
        (_NO, Reason.workers_pending): Meaning(
            "Some workers are not ready. Of a running job: lost workers are being replaced, and the others go on."
        ),
        **{(_NO, reason): meaning for reason, meaning in _PODS.items()},
        (_NO, Reason.name_taken): Meaning(
            "A RayJob, ConfigMap or account of the name that the attempt needs exists, and is not this job's.",
            "Delete or rename it. One that a deleted job of the same name left goes by itself.",
        ),
        (_NO, Reason.invalid_spec): Meaning(
            "The spec of the accepted job does not load any more, so no other attempt can start.",
            "The condition Accepted names field, value and what to write.",
        ),
        (_NO, Reason.queued): Meaning("Without quota there are no pods."),
        (_NO, Reason.gone): Meaning("The RayJob is over; its outcome is being read."),
        **_NO_ATTEMPT,
        (_NO, Reason.stopping): Meaning(
            "Pods or a RayJob of an earlier attempt are still there, or the job was told to stop. Two drivers never "
            "run at once on purpose.",
            "A pod on a lost node is given up after a minute. If a RayJob does not go, check that KubeRay runs.",
        ),
    },
    ConditionType.progressing: {
        (_YES, Reason.heartbeat): Meaning("The driver works; `status.progress` says how far it is."),
        (_UNKNOWN, Reason.no_heartbeat_yet): Meaning(
            "The driver was started and has not spoken yet.",
            "If it stays so: `afray logs`, and check that the pods' account may patch the progress ConfigMap.",
        ),
        (_UNKNOWN, Reason.progress_unreadable): Meaning(
            "The progress ConfigMap holds what no driver writes, or belongs to somebody else.",
            "Find out who writes it; delete it, and the operator makes a new one.",
        ),
        (_NO, Reason.stalled): Meaning(
            "Neither stage nor `done` advanced for `policy.stallTimeoutSeconds`; another attempt follows.",
            "`afray logs` shows where it stood. If a shard may take that long, raise the timeout.",
        ),
        (_NO, Reason.queued): Meaning("The attempt waits for quota."),
        **_NO_ATTEMPT,
    },
    ConditionType.previous_labels_ready: {
        **_label_file("rows of the round before", "spec.previous.labels"),
        (_NO, Reason.finished): Meaning("The job ended before."),
    },
    ConditionType.selection_complete: {
        (_YES, Reason.manifest_verified): Meaning("The selection is stored; `status.result` has its URI and digest."),
        (_NO, Reason.running): Meaning("The driver works on it."),
        (_NO, Reason.not_started): Meaning("No driver works on it now."),
        (_NO, Reason.finished): Meaning("The job ended before."),
    },
    ConditionType.labels_ready: {
        (_YES, Reason.pool_labels): Meaning("`spec.pool.labels` are taken."),
        **_label_file("selected rows", "spec.labels"),
        (_NO, Reason.not_started): Meaning("Labels are looked at when the selection is complete."),
        (_NO, Reason.finished): Meaning("The job ended before."),
    },
    ConditionType.finetune_complete: {
        (_YES, Reason.done): Meaning("The finetune is done; `status.finetune` has its figures."),
        (_NO, Reason.running): Meaning("The driver works on it."),
        (_NO, Reason.not_started): Meaning("No driver works on it now."),
        (_NO, Reason.disabled): Meaning("The spec asks for none."),
        (_NO, Reason.finished): Meaning("The job ended before. The selection, if it was complete, stays."),
    },
    ConditionType.suspended: {
        (_YES, Reason.user_requested): Meaning(
            "`spec.suspend` is set, and no pod is left.", "Unset it to go on from the last commit."
        ),
        (_NO, Reason.stopping): Meaning("`spec.suspend` is set, and pods are leaving."),
        (_NO, Reason.resumed): Meaning(
            "The job goes on; the resumed attempt has the next number, and counts no failure."
        ),
    },
    ConditionType.complete: {(_YES, Reason.succeeded): Meaning("Everything that was asked for is done.")},
    ConditionType.failed: {
        (_YES, Reason.permanent_error): Meaning(
            "The driver, or KubeRay, says that trying again will not help; the message has the class, the first cause "
            "and the log.",
            "Mend the cause, and create another job on the same output: it goes on from what is committed.",
        ),
        (_YES, Reason.driver_failed): Meaning(
            "The driver ended with an error that could have passed, more often than `policy.backoffLimit` allows.",
            "Read the log that the message names.",
        ),
        (_YES, Reason.head_lost): Meaning(
            "The head pod was lost, more often than the limit allows.",
            "Look at its node; out of memory is the commonest cause: ask for more in `spec.cluster.head.resources`.",
        ),
        (_YES, Reason.ray_job_deleted): Meaning(
            "Somebody deleted the RayJob, more often than the limit allows.",
            "To stop a job, set `spec.suspend`.",
        ),
        (_YES, Reason.start_deadline_exceeded): Meaning(
            "The cluster was not ready `policy.startDeadlineSeconds` after admission, and nobody said why.",
            "Look at the events of the RayCluster and at KubeRay's log.",
        ),
        (_YES, Reason.deadline_exceeded): Meaning(
            "A stage used up its active time, waiting and suspension not counted.",
            "What is committed stays: another job on the same output, with a later deadline, goes on from there.",
        ),
        (_YES, Reason.stalled): Meaning(
            "The work stopped to advance, more often than the limit allows.",
            "`afray logs` shows where it stood.",
        ),
        **{(_YES, reason): meaning for reason, meaning in _PODS.items()},
    },
}


def meaning(kind: ConditionType, status: ConditionStatus, reason: Reason) -> Meaning | None:
    """What a condition means; None if a newer operator wrote it."""
    return MEANINGS[kind].get((status, reason))
