"""SelectionJobs as an API server returns them, in any state: `job_record(phase=..., conditions=[...])`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from helpers.selection_jobs import make_manifest

from afray.client.records import JobRecord

MOMENT = "2026-11-25T12:00:00Z"
TIMES = {"heartbeatTime": MOMENT, "advancedAt": MOMENT, "recordedAt": MOMENT}
"""Of a driver's progress."""
CREATED = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
DIGEST = "5e1ec7" + "0" * 58
RESULT = {"uri": "s3://plant/out", "digest": DIGEST, "selected": 100, "poolSize": 9990}
Raw = dict[str, Any]


def condition(kind: str, status: str, reason: str, message: str = "", *, generation: int = 1) -> Raw:
    """One condition of a status."""
    return {
        "type": kind,
        "status": status,
        "reason": reason,
        "message": message,
        "observedGeneration": generation,
        "lastTransitionTime": MOMENT,
    }


def progress(stage: str = "embed", done: int = 4000, **fields: object) -> Raw:
    """A driver's progress."""
    return {"stage": stage, "done": done, "total": 10000, **TIMES, **fields}


def attempt(number: int = 1, stage: str = "select", **fields: object) -> Raw:
    """The current attempt."""
    return {"stage": stage, "number": number, "rayJobName": f"welds-{stage[0]}{number}", **fields}


def status(phase: str | None, *conditions: Raw, **fields: object) -> Raw:
    """A status as the operator writes it."""
    return {**({"phase": phase} if phase else {}), **fields, "conditions": list(conditions)}


def job_object(
    written: Mapping[str, object] | None = None,
    *,
    namespace: str = "plant",
    metadata: Mapping[str, object] | None = None,
    spec: Mapping[str, object] | None = None,
) -> Raw:
    """A SelectionJob as the API server holds it, with the status `written`."""
    made = make_manifest(namespace)
    made["spec"] |= dict(spec or {})
    served = {"uid": "uid-1", "resourceVersion": "7", "generation": 1, "creationTimestamp": MOMENT}
    made["metadata"] |= {**served, **(metadata or {})}
    return made if written is None else {**made, "status": dict(written)}


def job_record(
    phase: str | None = None,
    conditions: Sequence[Raw] = (),
    *,
    metadata: Mapping[str, object] | None = None,
    spec: Mapping[str, object] | None = None,
    **fields: object,
) -> JobRecord:
    """The same, parsed."""
    return JobRecord.read(job_object(status(phase, *conditions, **fields), metadata=metadata, spec=spec))
