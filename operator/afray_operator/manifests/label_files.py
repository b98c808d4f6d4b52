"""The label file that a stage checks, as the spec names it."""

from __future__ import annotations

import hashlib
import json
from typing import Final

from afray.api.job import SelectionJob
from afray.api.stages import Stage
from afray.api.training import AnnotationsSpec

FIELDS: Final = {Stage.previous: "spec.previous.labels", Stage.labels: "spec.labels"}
"""Where a spec names the file, by the stage that checks it."""


def named_labels(job: SelectionJob, stage: Stage) -> AnnotationsSpec | None:
    """The file that a stage checks, None as long as the spec names none."""
    if stage is Stage.previous:
        return job.spec.previous.labels if job.spec.previous is not None else None
    return job.spec.labels if stage is Stage.labels else None


def with_labels(job: SelectionJob, stage: Stage, labels: AnnotationsSpec) -> SelectionJob:
    """The job with another file for a stage to check."""
    spec = job.spec
    if stage is Stage.previous:
        assert spec.previous is not None, "only such a job has the stage"
        changes: dict[str, object] = {"previous": spec.previous.model_copy(update={"labels": labels})}
    else:
        changes = {"labels": labels}
    return job.model_copy(update={"spec": spec.model_copy(update=changes)})


def labels_digest(labels: AnnotationsSpec | None) -> str:
    """What tells one file of the spec from another; "" for none."""
    if labels is None:
        return ""
    said = labels.model_dump(mode="json", by_alias=True, exclude_none=True)
    return hashlib.sha256(json.dumps(said, sort_keys=True, ensure_ascii=False).encode()).hexdigest()
