"""The status of a SelectionJob, as the operator writes it and the CRD describes it. Parsed once, never a dict inside.

Its size does not depend on the job's: counts, never lists of rows, shards or pods. Unknown fields are ignored when
read, since a newer operator may have written them.
"""

from __future__ import annotations

from typing import Annotated, Final, Self

from pydantic import Field, JsonValue, ValidationError

from afray.api.conditions import ConditionStatus, ConditionType
from afray.api.stages import Stage
from afray.api.status_fields import LONGEST_MESSAGE as LONGEST_MESSAGE
from afray.api.status_fields import (
    Count,
    Digest,
    JobCondition,
    JobPhase,
    Message,
    Moment,
    Name,
    Ratio,
    Seconds,
    StatusBlock,
    Uri,
    Why,
    Word,
)
from afray.api.status_fields import write_moment as write_moment

MOST_ATTEMPTS: Final = 5
"""Whose usage is listed."""


class Condition(StatusBlock):
    """One fact about the job, in the shape of metav1.Condition."""

    type: JobCondition
    """What it speaks of."""
    status: ConditionStatus
    """Whether it holds."""
    reason: Why
    """Why, in one word for programs."""
    message: Message = ""
    """Why, in a sentence for people, with the next step if one is needed."""
    observed_generation: Count
    """The generation of the spec that it was judged by."""
    last_transition_time: Moment
    """When `status` last changed."""


class AttemptFailure(StatusBlock):
    """How an attempt ended that did not succeed."""

    number: Count
    """The attempt."""
    stage: Stage
    """Its stage."""
    reason: Why
    """Why it failed, as the condition Failed would say it."""
    message: Message = ""
    """The first cause in one line."""
    log_uri: Uri = ""
    """Where its driver's log is."""
    time: Moment
    """When it was seen to have failed."""


class AttemptStatus(StatusBlock):
    """The current attempt of the current stage; each stage counts anew."""

    stage: Stage
    """select, labels or finetune."""
    number: Count
    """Attempts of this stage so far, this one included; resuming after suspension counts here."""
    failures: Count = 0
    """Those that count towards policy.backoffLimit."""
    ray_job_name: Name = Field("", alias="rayJobName")
    """The RayJob of this attempt."""
    ray_job_uid: Word = Field("", alias="rayJobUID")
    """Its uid: another RayJob of the same name is not ours."""
    retry_after: Moment | None = None
    """When the next attempt starts."""
    admitted_time: Moment | None = None
    """When this attempt last got its quota; the start deadline counts from here."""
    started_time: Moment | None = None
    """When its cluster was ready and its driver started; without progress, a stall counts from here."""
    active_since: Moment | None = None
    """Since when the active time runs; empty while queued, suspended or waiting."""
    active_seconds: Seconds = 0
    """Active time of the stage up to `activeSince`, over all attempts."""
    last_failure: AttemptFailure | None = None
    """How the last failed attempt ended."""


class ProgressStatus(StatusBlock):
    """How far the driver is, as it said itself."""

    stage: Word
    """What it does, such as embed."""
    step: Word = ""
    """The part of it."""
    unit: Word = "rows"
    """What `done` and `total` count."""
    done: Count = 0
    """Finished rows or iterations."""
    total: Count | None = None
    """All of them, once known."""
    rate: Annotated[float, Field(ge=0)] | None = None
    """Units per second."""
    eta_seconds: Seconds | None = None
    """Seconds to the end of the stage."""
    summary: Word = ""
    """Stage and share, for `kubectl get`."""
    epoch: Count = 0
    """Owner epoch of the output; what older drivers say is ignored."""
    attempt: Count = 0
    """The attempt that said it."""
    heartbeat_time: Moment
    """When the driver last spoke."""
    advanced_at: Moment
    """When stage or `done` last moved."""
    recorded_at: Moment
    """When this was written, by the operator's clock, as drivers' clocks may lag."""


class ResultStatus(StatusBlock):
    """The stored selection."""

    uri: Uri
    """Where it is."""
    digest: Digest
    """The selection digest: the same rows in the same order have the same."""
    selected: Count
    """Chosen rows."""
    pool_size: Count
    """Unique readable rows that they were chosen from."""


class LabelsStatus(StatusBlock):
    """What the check of the label file found. Counts are of selected rows, `unknown` of ids that nobody asked for."""

    sha256: Digest
    """Digest of the file that was checked."""
    spec_hash: Annotated[str, Field(pattern=r"^([0-9a-f]{64})?$", max_length=64)] = ""
    """Digest of the block that names the file, as it was checked: another location or digest is checked anew."""
    accepted: bool
    """Whether the job goes on with it; then the block can not change any more."""
    answered: Count
    """Selected rows with an answer."""
    asked: Count
    """All selected rows."""
    unknown: Count
    """Ids in the file that were not selected."""
    classes: Count
    """Different labels."""


class FinetuneStatus(StatusBlock):
    """What the training reached."""

    accuracy: Ratio
    """Share of held-out rows that are classified right."""
    macro_recall: Ratio
    """Mean over the classes of the share found."""
    seconds: Annotated[float, Field(ge=0)]
    """Time of training and evaluation."""
    biased: bool
    """Measured by cross-validation on selected rows, for want of held-out ones."""


class AttemptUsage(StatusBlock):
    """What one attempt used."""

    stage: Stage
    """Its stage."""
    number: Count
    """The attempt."""
    gpu_seconds: Count
    """GPUs that its containers requested, times the seconds from their start to their end."""
    failed: bool = False
    """Whether it failed: what it committed stays, the rest was spent in vain."""


class UsageStatus(StatusBlock):
    """GPU time, for those who charge it. A job without GPUs has none."""

    gpu_seconds: Count = 0
    """Over all attempts: GPUs that containers requested, times the seconds from their start to their end."""
    failed_gpu_seconds: Count = 0
    """Those of them that were spent in attempts that failed."""
    gpus: Count = 0
    """GPUs of containers that ran at `countedUntil`."""
    counted_until: Moment
    """What ran up to here is counted; time since then is not yet."""
    attempts: Annotated[tuple[AttemptUsage, ...], Field(max_length=MOST_ATTEMPTS)] = ()
    """The last five that used any."""


class JobStatus(StatusBlock):
    """What the operator knows of the job."""

    observed_generation: Count = 0
    """The generation of the spec that this status speaks of."""
    phase: JobPhase | None = None
    """Where the job stands, in one word for people; programs read conditions."""
    reason: Why | None = None
    """Why it stands there: the reason of the condition that decides the phase."""
    start_time: Moment | None = None
    """When the first attempt was admitted."""
    completion_time: Moment | None = None
    """When Complete or Failed became true."""
    spec_hash: Annotated[str, Field(pattern=r"^([0-9a-f]{64})?$", max_length=64)] = ""
    """Digest of the spec that was accepted; a template changed later is ignored."""
    stage: Stage | None = None
    """The stage that runs or waits."""
    attempt: AttemptStatus | None = None
    """The current attempt."""
    progress: ProgressStatus | None = None
    """How far it is."""
    previous_labels: LabelsStatus | None = None
    """The check of spec.previous.labels."""
    result: ResultStatus | None = None
    """The selection, once it is stored."""
    labels: LabelsStatus | None = None
    """The check of spec.labels."""
    finetune: FinetuneStatus | None = None
    """The finetune, once it is done."""
    usage: UsageStatus | None = None
    """GPU time so far."""
    conditions: Annotated[tuple[Condition, ...], Field(max_length=12)] = ()
    """One per type, in the order of a job's life."""

    @classmethod
    def read(cls, content: JsonValue) -> Self:
        """The status that an API server holds; parts that this version does not understand are left out."""
        known = content if isinstance(content, dict) else {}
        while True:
            try:
                return cls.model_validate(known)
            except ValidationError as error:
                known = _without(known, {_part(details["loc"]) for details in error.errors(include_url=False)})

    def to_json(self) -> dict[str, JsonValue]:
        """What the API server shall hold, without empty fields."""
        written: dict[str, JsonValue] = self.model_dump(mode="json", by_alias=True, exclude_none=True)
        return written

    def condition(self, kind: ConditionType) -> Condition | None:
        """The condition of a type, None if nothing was said of it."""
        return next((condition for condition in self.conditions if condition.type is kind), None)

    def holds(self, kind: ConditionType) -> bool:
        """Whether a condition is there and true."""
        found = self.condition(kind)
        return found is not None and found.status is ConditionStatus.true

    def with_condition(self, new: Condition) -> Self:
        """This status with a condition set; one whose `status` is as before keeps its transition time."""
        old = self.condition(new.type)
        if old is not None and old.status is new.status:
            new = new.model_copy(update={"last_transition_time": old.last_transition_time})
        others = [condition for condition in self.conditions if condition.type is not new.type]
        order = list(ConditionType)
        conditions = tuple(sorted([*others, new], key=lambda condition: order.index(condition.type)))
        return self.model_copy(update={"conditions": conditions})


_Part = tuple[str, int | None]
"""A field of the status, or one entry of its list."""


def _part(location: tuple[int | str, ...]) -> _Part:
    position = location[1] if len(location) > 1 else None
    return str(location[0]), position if isinstance(position, int) else None


def _without(content: dict[str, JsonValue], parts: set[_Part]) -> dict[str, JsonValue]:
    kept: dict[str, JsonValue] = {}
    for name, value in content.items():
        if isinstance(value, list) and (name, None) not in parts:
            kept[name] = [entry for position, entry in enumerate(value) if (name, position) not in parts]
        elif (name, None) not in parts:
            kept[name] = value
    return kept
