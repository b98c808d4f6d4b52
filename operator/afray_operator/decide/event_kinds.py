"""The kinds of events, and what one event is."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class EventReason(StrEnum):
    """What may happen to a job, in one word."""

    accepted = "Accepted"
    """The spec makes sense, and the API server would take the pods."""
    rejected = "Rejected"
    """It is not taken on; the condition Accepted says why."""
    attempt_created = "AttemptCreated"
    """A RayJob was created."""
    creation_refused = "CreationRefused"
    """The API server did not take an object that the attempt needs."""
    name_taken = "NameTaken"
    """Another RayJob has the name that the attempt needs."""
    admitted = "Admitted"
    """Kueue let the attempt run."""
    preempted = "Preempted"
    """Kueue took the quota back; the attempt goes on when it is admitted again, and nothing is counted."""
    cluster_ready = "ClusterReady"
    """Head and workers are ready."""
    stage_started = "StageStarted"
    """The driver of an attempt works."""
    stalled = "Stalled"
    """The work did not advance for policy.stallTimeoutSeconds."""
    attempt_failed = "AttemptFailed"
    """An attempt failed; the message says why."""
    retry_scheduled = "RetryScheduled"
    """Another attempt follows, and when."""
    selection_complete = "SelectionComplete"
    """The selection is stored."""
    awaiting_labels = "AwaitingLabels"
    """The job waits for people's labels."""
    labels_accepted = "LabelsAccepted"
    """The label file is good, and final."""
    labels_rejected = "LabelsRejected"
    """The label file is not good; the condition (Previous)LabelsReady says why."""
    finetune_complete = "FinetuneComplete"
    """The finetune is done."""
    suspended = "Suspended"
    """The job is stopped, and no pod is left."""
    resumed = "Resumed"
    """The job goes on from its last commit."""
    succeeded = "Succeeded"
    """Everything that was asked for is done."""
    failed = "Failed"
    """The job gave up."""
    spec_change_ignored = "SpecChangeIgnored"
    """A part of the spec was changed that may not change any more."""
    output_shared = "OutputShared"
    """Another job has the same spec.output.uri."""
    pods_mutated = "PodsMutated"
    """A webhook of the cluster added containers to the pods."""
    version_skew = "VersionSkew"
    """The driver's afray version is not the operator's."""
    progress_unreadable = "ProgressUnreadable"
    """Something wrote into the progress ConfigMap what no driver writes."""
    ttl_expired = "TTLExpired"
    """policy.ttlSecondsAfterFinished is over: the job is deleted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One event. `key` tells one occurrence from another of the same reason: the same change has the same key."""

    reason: EventReason
    note: str
    is_warning: bool = False
    key: str = ""
