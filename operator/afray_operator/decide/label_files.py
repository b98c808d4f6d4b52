"""The label files that a job goes on from: which one a stage checks, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from afray.api.conditions import ConditionType
from afray.api.job import SelectionJob
from afray.api.stages import Stage
from afray.api.status import JobStatus, LabelsStatus
from afray.api.training import AnnotationsSpec
from afray_operator.manifests.label_files import FIELDS, labels_digest, named_labels, with_labels

_RECORDED: Final = {Stage.previous: "previous_labels", Stage.labels: "labels"}
"""The field of the status that has what came of it, by the stage that checks."""

CONDITIONS: Final = {Stage.previous: ConditionType.previous_labels_ready, Stage.labels: ConditionType.labels_ready}
"""What says how the file of a stage stands."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelFile:
    """What the spec names, and what the last check found."""

    named: AnnotationsSpec | None
    checked: LabelsStatus | None

    @property
    def is_accepted(self) -> bool:
        """Whether a file was accepted, which is final."""
        return self.checked is not None and self.checked.accepted

    @property
    def is_refused(self) -> bool:
        """Whether the very file that the spec names was checked and refused."""
        checked = self.checked
        return checked is not None and not checked.accepted and checked.spec_hash == labels_digest(self.named)

    @property
    def is_awaited(self) -> bool:
        """Whether nothing is to do until people give labels, or other ones."""
        return not self.is_accepted and (self.named is None or self.is_refused)

    @property
    def was_changed(self) -> bool:
        """Whether the spec names another file than the one that was accepted."""
        checked = self.checked
        return checked is not None and checked.accepted and checked.spec_hash != labels_digest(self.named)


def label_file(job: SelectionJob, status: JobStatus, stage: Stage) -> LabelFile:
    """The file of a stage that checks one."""
    return LabelFile(named=named_labels(job, stage), checked=checked(status, stage))


def checked(status: JobStatus, stage: Stage) -> LabelsStatus | None:
    """What the last check of a stage found."""
    found: LabelsStatus | None = getattr(status, _RECORDED[stage])
    return found


def record(stage: Stage, found: LabelsStatus) -> dict[str, object]:
    """The change of the status by what a check found."""
    return {_RECORDED[stage]: found}


def pin_labels(job: SelectionJob, status: JobStatus) -> SelectionJob:
    """The job with the very labels that were accepted: a file that changed since is refused."""
    for stage in FIELDS:
        file = label_file(job, status, stage)
        if file.named is not None and file.checked is not None and file.is_accepted:
            job = with_labels(job, stage, file.named.model_copy(update={"sha256": file.checked.sha256}))
    return job
