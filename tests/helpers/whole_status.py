"""A status with every field filled: as an operator would write it, and at its longest."""

from __future__ import annotations

from datetime import UTC, datetime

from afray.api.conditions import ConditionStatus, ConditionType, Phase, Reason
from afray.api.stages import Stage
from afray.api.status import (
    LONGEST_MESSAGE,
    AttemptFailure,
    AttemptStatus,
    AttemptUsage,
    Condition,
    FinetuneStatus,
    JobStatus,
    LabelsStatus,
    ProgressStatus,
    ResultStatus,
    UsageStatus,
)

MOMENT = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
DIGEST = "5e1ec7" + "0" * 58
LARGEST = 2**53


def condition(kind: ConditionType, status: ConditionStatus, reason: Reason, message: str = "") -> Condition:
    return Condition(
        type=kind,
        status=status,
        reason=reason,
        message=message,
        observed_generation=1,
        last_transition_time=MOMENT,
    )


def whole_status(*, text: str = "a sentence for people", uri: str = "s3://plant/out", number: int = 7) -> JobStatus:
    """Every field has a value; texts, locations and numbers as given."""
    longest_reason = max(Reason, key=len)
    failure = AttemptFailure(
        number=number, stage=Stage.finetune, reason=longest_reason, message=text, log_uri=f"{uri}/log", time=MOMENT
    )
    return JobStatus(
        observed_generation=number,
        phase=Phase.validating_labels,
        reason=longest_reason,
        start_time=MOMENT,
        completion_time=MOMENT,
        spec_hash=DIGEST,
        stage=Stage.finetune,
        attempt=AttemptStatus(
            stage=Stage.finetune,
            number=number,
            failures=number,
            ray_job_name="w" * 47,
            ray_job_uid="6f1c0d2e-0000-4000-8000-000000000000",
            retry_after=MOMENT,
            admitted_time=MOMENT,
            started_time=MOMENT,
            active_since=MOMENT,
            active_seconds=number,
            last_failure=failure,
        ),
        progress=ProgressStatus(
            stage="embed",
            step="extract",
            unit="iterations",
            done=number,
            total=number,
            rate=1234.5,
            eta_seconds=number,
            summary="embed 412/820",
            epoch=number,
            attempt=number,
            heartbeat_time=MOMENT,
            advanced_at=MOMENT,
            recorded_at=MOMENT,
        ),
        previous_labels=LabelsStatus(
            sha256=DIGEST, spec_hash=DIGEST, accepted=True, answered=number, asked=number, unknown=number, classes=2
        ),
        result=ResultStatus(uri=uri, digest=DIGEST, selected=number, pool_size=number),
        labels=LabelsStatus(
            sha256=DIGEST, spec_hash=DIGEST, accepted=True, answered=number, asked=number, unknown=number, classes=2
        ),
        finetune=FinetuneStatus(accuracy=0.9375, macro_recall=0.91, seconds=1234.5, biased=True),
        usage=UsageStatus(
            gpu_seconds=number,
            failed_gpu_seconds=number,
            gpus=number,
            counted_until=MOMENT,
            attempts=(AttemptUsage(stage=Stage.finetune, number=number, gpu_seconds=number, failed=True),) * 5,
        ),
        conditions=tuple(condition(kind, ConditionStatus.unknown, longest_reason, text) for kind in ConditionType),
    )


def longest_status() -> JobStatus:
    """As large as a status gets with locations of common length."""
    return whole_status(text="x" * LONGEST_MESSAGE, uri="s3://plant/" + "o" * 200, number=LARGEST)
