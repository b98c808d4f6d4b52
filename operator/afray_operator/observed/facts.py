"""What is seen of one job at one moment: its own object, and everything that Kubernetes holds for it. Frozen, no dicts.

Nothing here is an opinion: what follows from it is decided in `decide`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from afray.api.job import SelectionJob
from afray.api.stages import Stage
from afray.api.status import JobStatus
from afray.contract import names
from afray.contract.progress import ProgressPayload
from afray_operator.manifests.ownership import Owner
from afray_operator.manifests.templates import Templates
from afray_operator.observed.refusals import DryRun, Refusal


@dataclass(frozen=True, slots=True, kw_only=True)
class RayJobSeen:
    """A RayJob that carries our label, or a name that we would give."""

    name: str
    uid: str
    owner_uid: str
    """uid of the controller, "" for none."""
    stage: Stage | None
    attempt: int
    """0 if it has no number of ours."""
    is_deleting: bool
    is_suspended: bool
    """spec.suspend: Kueue's hand, or whoever else wrote it."""
    deployment: str
    """status.jobDeploymentStatus: "" (new), Initializing, Running, Complete, Failed, Suspending, Suspended, ..."""
    job_status: str
    """status.jobStatus: "", PENDING, RUNNING, STOPPED, SUCCEEDED, FAILED."""
    reason: str
    message: str
    """The first line of status.message, which may go on with 20,000 characters of log."""
    exit_code: int | None
    """The driver's, as far as the message tells."""
    ended: datetime | None
    cluster: str
    queue: str
    """Kueue's queue, by its label."""
    asked_queue: str
    """The queue that we asked for."""
    labels_digest: str
    """Which label file it checks."""
    created: datetime | None = None

    @property
    def is_finished(self) -> bool:
        """Nothing more will happen; KubeRay takes its pods away."""
        return self.deployment in ("Complete", "Failed")


@dataclass(frozen=True, slots=True, kw_only=True)
class RayClusterSeen:
    """The RayCluster of a RayJob."""

    name: str
    is_head_ready: bool
    desired_workers: int
    ready_workers: int
    trouble: str
    """Why KubeRay cannot make its pods."""


class Trouble(StrEnum):
    """What keeps a pod from running, the worst first."""

    image = "image"
    configuration = "configuration"
    crash = "crash"
    unschedulable = "unschedulable"


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuRun:
    """One run of a container that requests GPUs; a container that was restarted has two that are known."""

    gpus: int
    started: datetime
    ended: datetime | None
    """When it ended, or will have ended at the latest; None while it runs."""

    def has_ended(self, now: datetime) -> bool:
        """Whether it is over."""
        return self.ended is not None and self.ended <= now


@dataclass(frozen=True, slots=True, kw_only=True)
class PodSeen:
    """A pod of one attempt."""

    name: str
    role: str
    """head, submitter, or the worker group."""
    stage: Stage | None
    attempt: int
    is_finished: bool
    is_ready: bool
    gone_by: datetime | None
    """When it should have left, once it was told to: its node may be lost."""
    trouble: Trouble | None
    said: str
    """The kubelet's or the scheduler's own sentence about the trouble."""
    last_words: str = ""
    """Exit code and last line of a container that failed."""
    created: datetime | None = None
    containers: tuple[str, ...] = ()
    """Names, those that only run first included."""
    gpus: int = 0
    """GPUs that its containers request."""
    gpu_runs: tuple[GpuRun, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """A condition of another controller's object."""

    holds: bool
    reason: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkloadSeen:
    """Kueue's view of a RayJob."""

    ray_job_uid: str
    quota_reserved: Fact | None
    admitted: Fact | None
    evicted: Fact | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgressSeen:
    """The progress ConfigMap: at most one of `payload` and `refused` says something."""

    exists: bool = False
    payload: ProgressPayload | None = None
    refused: str = ""
    """Why the text says nothing."""
    version: int | None = None
    """The payload's version, where it is one that this operator does not know."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Offers:
    """What the API server knows."""

    ray_job: bool
    kueue: bool
    kueue_readable: bool = True
    """Whether this operator may read what Kueue says of a job."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """One job and all that belongs to it."""

    owner: Owner
    generation: int
    resource_version: str
    is_deleting: bool
    labels: Mapping[str, str]
    job: SelectionJob | None
    """What the spec says; of an accepted job whose spec does not load any more, what is left of it."""
    problem: str
    """What is wrong with the spec as it stands; "" for nothing."""
    status: JobStatus
    ray_jobs: tuple[RayJobSeen, ...] = ()
    ray_clusters: tuple[RayClusterSeen, ...] = ()
    pods: tuple[PodSeen, ...] = ()
    departed: tuple[PodSeen, ...] = ()
    """Pods that are gone, as this process saw them last; their GPU time may not be counted yet."""
    workloads: tuple[WorkloadSeen, ...] = ()
    progress: ProgressSeen = field(default_factory=ProgressSeen)
    templates: Templates | None = None
    """The accepted pod templates, as kept in their ConfigMap; None if there is none."""
    offers: Offers
    dry_run: DryRun | None = None
    """The last one, if this process has asked."""
    missing: frozenset[str] = frozenset()
    """RayJobs that a read of the API server itself, not of the cache, did not find."""
    refusal: Refusal | None = None
    """The last creation that was refused, if it was not repaired since."""
    same_output: tuple[str, ...] = ()
    """Other SelectionJobs with the same spec.output.uri, as namespace/name."""

    @property
    def queue(self) -> str:
        """Kueue's queue that the job's label names, "" for none."""
        return self.labels.get(names.QUEUE_LABEL, "")

    def ray_job(self, name: str) -> RayJobSeen | None:
        """The RayJob of that name."""
        return next((seen for seen in self.ray_jobs if seen.name == name), None)

    def is_ours(self, ray_job: RayJobSeen) -> bool:
        """Whether this SelectionJob, not another of the same name before it, owns the RayJob."""
        return ray_job.owner_uid == self.owner.uid
