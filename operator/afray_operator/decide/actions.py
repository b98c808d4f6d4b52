"""What the operator may be told to do. Each may be repeated: who performs it takes "it is there" for done."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from afray.api.stages import Stage
from afray.api.status import JobStatus
from afray_operator.decide.event_kinds import Event
from afray_operator.manifests.merging import Manifest


@dataclass(frozen=True, slots=True, kw_only=True)
class AskDryRun:
    """Ask the API server whether it would take a RayJob; the answer, with the digest, comes with the next look."""

    manifest: Manifest
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadRayJob:
    """Read a RayJob from the API server itself: the cache does not have it, and much hangs on whether it is there."""

    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EnsureConfigMap:
    """Create it; if it is there, and `manifest` has data, make the data so."""

    manifest: Manifest


@dataclass(frozen=True, slots=True, kw_only=True)
class EnsureAccount:
    """Create the ServiceAccount unless it is there."""

    manifest: Manifest


@dataclass(frozen=True, slots=True, kw_only=True)
class EnsureRole:
    """Create the Role unless it is there."""

    manifest: Manifest


@dataclass(frozen=True, slots=True, kw_only=True)
class EnsureRoleBinding:
    """Create the RoleBinding unless it is there."""

    manifest: Manifest


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateRayJob:
    """Create the RayJob of an attempt. If the name is taken, read who has it: the next look decides."""

    name: str
    stage: Stage
    attempt: int
    manifest: Manifest


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteRayJob:
    """Delete exactly this one, and in the background what it owns."""

    name: str
    uid: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteJob:
    """Delete the SelectionJob itself: its time to live is over."""

    name: str
    uid: str


Action = (
    AskDryRun
    | ReadRayJob
    | EnsureConfigMap
    | EnsureAccount
    | EnsureRole
    | EnsureRoleBinding
    | CreateRayJob
    | DeleteRayJob
    | DeleteJob
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What follows from one look: actions in their order, then the status, then its events.

    What an action relies on is in the status that was read, never only in the one to be written: so no crash between
    two writes loses a decision. Look again after every write, and not later than `wake_at`.
    """

    actions: tuple[Action, ...] = ()
    status: JobStatus
    events: tuple[Event, ...] = ()
    wake_at: datetime | None = None
