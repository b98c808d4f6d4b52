"""The words of a job's status: phases, conditions, and the reasons that a condition may have.

A phase is derived from the conditions, for people and for printing; programs read conditions. What each pair of
condition and reason means, and what to do about it, is in `meanings`.
"""

from __future__ import annotations

from enum import StrEnum


class Phase(StrEnum):
    """Where a job stands, in one word."""

    pending = "Pending"
    """Seen, not yet checked."""
    queued = "Queued"
    """Waits for quota."""
    starting = "Starting"
    """Has quota; its pods are not all ready."""
    running = "Running"
    """Index, embedding or selection."""
    awaiting_labels = "AwaitingLabels"
    """People label the selection, or that of the round before; nothing runs."""
    validating_labels = "ValidatingLabels"
    """The label file is checked."""
    finetuning = "Finetuning"
    """The model is trained on the labelled rows."""
    retrying = "Retrying"
    """An attempt failed; waits before the next."""
    suspending = "Suspending"
    """Was told to stop; pods are still there."""
    suspended = "Suspended"
    """Holds no pod; finished work is kept."""
    succeeded = "Succeeded"
    """Everything that was asked for is done."""
    failed = "Failed"
    """Gave up; the condition Failed says why."""


class ConditionType(StrEnum):
    """What a condition speaks of. The order is that of a job's life."""

    accepted = "Accepted"
    """The spec makes sense, and the API server would take the pods."""
    quota_reserved = "QuotaReserved"
    """Kueue has admitted the current attempt, or does not manage it."""
    cluster_ready = "ClusterReady"
    """The head and all workers of the current attempt are ready."""
    progressing = "Progressing"
    """The driver's work advances."""
    previous_labels_ready = "PreviousLabelsReady"
    """The labels of the round before are its answers."""
    selection_complete = "SelectionComplete"
    """The selection is stored, and status.result names it."""
    labels_ready = "LabelsReady"
    """There are labels to finetune on."""
    finetune_complete = "FinetuneComplete"
    """The finetune is done, and status.finetune holds its metrics."""
    suspended = "Suspended"
    """The job is stopped at the user's wish, and holds no pod."""
    complete = "Complete"
    """Everything that was asked for is done. It is final."""
    failed = "Failed"
    """The job gave up. It is final."""


class ConditionStatus(StrEnum):
    """Whether a condition holds."""

    true = "True"
    false = "False"
    unknown = "Unknown"


class Reason(StrEnum):
    """Why a condition has its status: one word for programs; the message beside it is for people."""

    # Accepted
    valid = "Valid"
    invalid_spec = "InvalidSpec"
    dry_run_rejected = "DryRunRejected"
    ray_api_missing = "RayAPIMissing"
    not_permitted = "NotPermitted"
    not_answered = "NotAnswered"
    # QuotaReserved
    admitted = "Admitted"
    not_managed = "NotManaged"
    queued = "Queued"
    preempted = "Preempted"
    no_queue_name = "NoQueueName"
    queue_missing = "QueueMissing"
    queue_too_small = "QueueTooSmall"
    kueue_missing = "KueueMissing"
    # ClusterReady, and why an attempt that never started failed
    head_and_workers_ready = "HeadAndWorkersReady"
    head_pending = "HeadPending"
    workers_pending = "WorkersPending"
    image_pull_failed = "ImagePullFailed"
    unschedulable = "Unschedulable"
    configuration_missing = "ConfigurationMissing"
    container_failed = "ContainerFailed"
    name_taken = "NameTaken"
    creation_refused = "CreationRefused"
    gone = "Gone"
    # Progressing
    heartbeat = "Heartbeat"
    no_heartbeat_yet = "NoHeartbeatYet"
    progress_unreadable = "ProgressUnreadable"
    stalled = "Stalled"
    retrying = "Retrying"
    # SelectionComplete, FinetuneComplete
    manifest_verified = "ManifestVerified"
    done = "Done"
    not_started = "NotStarted"
    running = "Running"
    disabled = "Disabled"
    # PreviousLabelsReady, LabelsReady
    pool_labels = "PoolLabels"
    accepted = "Accepted"
    awaiting_labels = "AwaitingLabels"
    validating = "Validating"
    rejected = "Rejected"
    # Suspended
    user_requested = "UserRequested"
    stopping = "Stopping"
    resumed = "Resumed"
    # Complete, Failed; `finished` and `suspended` are what the other conditions say then
    succeeded = "Succeeded"
    permanent_error = "PermanentError"
    driver_failed = "DriverFailed"
    head_lost = "HeadLost"
    ray_job_deleted = "RayJobDeleted"
    start_deadline_exceeded = "StartDeadlineExceeded"
    deadline_exceeded = "DeadlineExceeded"
    finished = "Finished"
    suspended = "Suspended"
