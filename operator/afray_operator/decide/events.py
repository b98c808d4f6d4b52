"""Events: what changed from one status to the next, told once, after the new one is stored."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from afray.api.conditions import ConditionStatus, ConditionType, Reason
from afray.api.status import AttemptStatus, Condition, JobStatus, write_moment
from afray_operator.decide import admission, label_files, mutations, readiness
from afray_operator.decide.event_kinds import Event, EventReason

Teller = Callable[[JobStatus, JobStatus], Iterator[Event]]


def events(old: JobStatus, new: JobStatus) -> tuple[Event, ...]:
    """What the change from `old` to `new` means, in the order of a job's life."""
    return tuple(event for tell in TELLERS for event in tell(old, new))


def _event(reason: EventReason, note: str, new: JobStatus, *, is_warning: bool = False, at: str = "") -> Event:
    attempt = new.attempt
    where = f"{attempt.stage.value}/{attempt.number}" if attempt is not None else ""
    return Event(reason=reason, note=note, is_warning=is_warning, key=f"{where}/{at}")


def _of_conditions(old: JobStatus, new: JobStatus) -> Iterator[Event]:
    for kind, status, reason, event, is_warning in _TURNS:
        before, after = old.condition(kind), new.condition(kind)
        if after is None or not _is(after, status, reason) or (before is not None and _is(before, status, reason)):
            continue
        at = write_moment(after.last_transition_time)
        yield _event(event, after.message or event.value, new, is_warning=is_warning, at=at)


def _is(condition: Condition, status: ConditionStatus, reason: Reason | None) -> bool:
    return condition.status is status and reason in (None, condition.reason)


_YES, _NO, _UNKNOWN = ConditionStatus.true, ConditionStatus.false, ConditionStatus.unknown
_TURNS: Final = (
    (ConditionType.cluster_ready, _NO, Reason.name_taken, EventReason.name_taken, True),
    (ConditionType.cluster_ready, _NO, Reason.creation_refused, EventReason.creation_refused, True),
    (ConditionType.quota_reserved, _YES, Reason.admitted, EventReason.admitted, False),
    (ConditionType.quota_reserved, _NO, Reason.preempted, EventReason.preempted, True),
    (ConditionType.cluster_ready, _YES, None, EventReason.cluster_ready, False),
    (ConditionType.progressing, _UNKNOWN, Reason.progress_unreadable, EventReason.progress_unreadable, True),
    (ConditionType.selection_complete, _YES, None, EventReason.selection_complete, False),
    (ConditionType.previous_labels_ready, _NO, Reason.awaiting_labels, EventReason.awaiting_labels, False),
    (ConditionType.previous_labels_ready, _YES, Reason.accepted, EventReason.labels_accepted, False),
    (ConditionType.labels_ready, _NO, Reason.awaiting_labels, EventReason.awaiting_labels, False),
    (ConditionType.labels_ready, _YES, Reason.accepted, EventReason.labels_accepted, False),
    (ConditionType.finetune_complete, _YES, None, EventReason.finetune_complete, False),
    (ConditionType.suspended, _YES, None, EventReason.suspended, False),
    (ConditionType.suspended, _NO, Reason.resumed, EventReason.resumed, False),
    (ConditionType.complete, _YES, None, EventReason.succeeded, False),
    (ConditionType.failed, _YES, None, EventReason.failed, True),
)
"""Condition, its status and reason, and the event of turning so."""


def _of_acceptance(old: JobStatus, new: JobStatus) -> Iterator[Event]:
    before, after = old.condition(ConditionType.accepted), new.condition(ConditionType.accepted)
    if after is None:
        return
    if after.status is ConditionStatus.true and (before is None or before.status is not ConditionStatus.true):
        yield _event(EventReason.accepted, "The job is taken on.", new, at=write_moment(after.last_transition_time))
    if after.status is ConditionStatus.false and (before is None or before.message != after.message):
        yield _event(
            EventReason.rejected, f"{after.reason.value}: {after.message}", new, is_warning=True, at=after.message
        )


_NOTES: Final = (
    (ConditionType.accepted, admission.TEMPLATES_KEPT, EventReason.spec_change_ignored),
    (ConditionType.accepted, admission.TEMPLATES_IGNORED, EventReason.spec_change_ignored),
    (ConditionType.accepted, admission.LABELS_IGNORED, EventReason.spec_change_ignored),
    (ConditionType.accepted, admission.OUTPUT_SHARED, EventReason.output_shared),
    (ConditionType.cluster_ready, mutations.NOT_ASKED_FOR, EventReason.pods_mutated),
    (ConditionType.progressing, readiness.OTHER_VERSION, EventReason.version_skew),
)
"""Condition, what its message says, and the event of beginning to say it."""


_AGAIN: Final = EventReason.spec_change_ignored
"""Every other change is told anew."""


def _of_notes(old: JobStatus, new: JobStatus) -> Iterator[Event]:
    for kind, words, event in _NOTES:
        before, after = _message(old, kind), _message(new, kind)
        if words in after and (words not in before or (event is _AGAIN and before != after)):
            yield _event(event, after, new, is_warning=True, at=after)


def _message(status: JobStatus, kind: ConditionType) -> str:
    condition = status.condition(kind)
    return condition.message if condition is not None else ""


def _of_attempts(old: JobStatus, new: JobStatus) -> Iterator[Event]:
    attempt = new.attempt
    if attempt is None:
        return
    same = old.attempt if old.attempt is not None and _is_same(old.attempt, attempt) else None
    if attempt.ray_job_uid and (same is None or not same.ray_job_uid):
        yield _event(EventReason.attempt_created, f"RayJob {attempt.ray_job_name}, attempt {attempt.number}.", new)
    if attempt.started_time is not None and (same is None or same.started_time is None):
        at = write_moment(attempt.started_time)
        yield _event(EventReason.stage_started, f"{attempt.stage.value}, attempt {attempt.number}.", new, at=at)
    before = old.attempt.last_failure if old.attempt is not None else None
    if attempt.last_failure is not None and attempt.last_failure != before:
        yield from _of_failure(attempt, new)


def _is_same(old: AttemptStatus, new: AttemptStatus) -> bool:
    return (old.stage, old.number) == (new.stage, new.number)


def _of_failure(attempt: AttemptStatus, new: JobStatus) -> Iterator[Event]:
    failure = attempt.last_failure
    assert failure is not None
    if failure.reason is Reason.stalled:
        yield _event(EventReason.stalled, failure.message, new, is_warning=True)
    note = f"Attempt {failure.number} of {failure.stage.value}: {failure.reason.value}: {failure.message}"
    yield _event(EventReason.attempt_failed, note, new, is_warning=True)
    if attempt.retry_after is not None:
        yield _event(
            EventReason.retry_scheduled, f"The next attempt starts at {write_moment(attempt.retry_after)}.", new
        )


def _of_labels(old: JobStatus, new: JobStatus) -> Iterator[Event]:
    for stage, condition in label_files.CONDITIONS.items():
        before, now = (label_files.checked(status, stage) for status in (old, new))
        if now is not None and not now.accepted and now != before:
            note = _message(new, condition)
            yield _event(EventReason.labels_rejected, note, new, is_warning=True, at=now.spec_hash)


TELLERS: Final[tuple[Teller, ...]] = (_of_acceptance, _of_notes, _of_attempts, _of_labels, _of_conditions)
