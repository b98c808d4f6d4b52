"""What a status says to a person: where the job stands, what changed, why it waits, how it ended. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from enum import Enum, auto

from afray.api.conditions import ConditionStatus, ConditionType, Phase, Reason
from afray.api.meanings import meaning
from afray.api.status import Condition, ProgressStatus
from afray.client.records import JobRecord

_CHAIN = (
    ConditionType.accepted,
    ConditionType.quota_reserved,
    ConditionType.cluster_ready,
    ConditionType.progressing,
)
"""What an attempt needs, in this order: where one is missing, the later ones are too."""
_LABELS = (ConditionType.previous_labels_ready, ConditionType.labels_ready)
_QUIET = (Reason.not_started, Reason.disabled)
"""Reasons of things that are not there because it is not their turn."""
_WORKING = (Phase.running, Phase.validating_labels, Phase.finetuning)
_SLOW = 10.0
"""Units per second below which a rate has decimals."""


class Ending(Enum):
    """Why there is nothing more to watch."""

    complete = auto()
    failed = auto()
    awaits_labels = auto()
    """People label a selection, this job's or that of the round before, for days."""
    labels_refused = auto()
    """The label file is not accepted; a better one may follow."""


def ending(record: JobRecord) -> Ending | None:
    """How the job ended, None while something is still to come by itself.

    A job that waits for labels has not ended, but nothing happens before a person does something. A status that has
    not seen the present spec says nothing about that.
    """
    status = record.status
    if status.holds(ConditionType.complete):
        return Ending.complete
    if status.holds(ConditionType.failed):
        return Ending.failed
    labels = labels_awaited(record)
    if labels is None or labels.observed_generation < record.generation:
        return None
    return {Reason.awaiting_labels: Ending.awaits_labels, Reason.rejected: Ending.labels_refused}.get(labels.reason)


def labels_awaited(record: JobRecord) -> Condition | None:
    """The condition of the labels that the job needs next, None if it has all that it needs."""
    found = (record.status.condition(kind) for kind in _LABELS)
    return next((condition for condition in found if condition and not _is_true(condition)), None)


def standing(record: JobRecord) -> str:
    """Where the job stands, in one line."""
    status = record.status
    if record.deleting:
        return "being deleted"
    if status.phase is None:
        return "not yet seen by the operator: does it run, and does it watch this namespace?"
    attempt = status.attempt
    counted = f", attempt {attempt.number}" if attempt is not None and attempt.number > 1 else ""
    return f"{status.phase}{counted}"


def situation(record: JobRecord) -> str:
    """Where the job stands, and what it waits for."""
    waiting = obstacle(record)
    return standing(record) + (f", {tell(waiting)}" if waiting else "")


def obstacle(record: JobRecord) -> Condition | None:
    """The first condition that the job waits for."""
    conditions = (record.status.condition(kind) for kind in (*_CHAIN, *_LABELS))
    return next((found for found in conditions if found and not _is_true(found) and not _is_quiet(found)), None)


def news(before: JobRecord | None, now: JobRecord) -> Iterator[str]:
    """Lines about what is different from `before`; without one, where it stands and what it waits for."""
    if before is None:
        told = [found] if (found := obstacle(now)) else []
    else:
        told = [new for new in now.status.conditions if _is_news(before.status.condition(new.type), new, now)]
    if before is None or standing(before) != standing(now):
        yield standing(now)
    for condition in told:
        yield tell(condition)
        if remedy := advice(condition):
            yield f"next: {remedy}"


def tell(condition: Condition) -> str:
    """A condition in one line, such as `QuotaReserved=False (Queued): ...`."""
    message = f": {condition.message}" if condition.message else ""
    return f"{condition.type}={condition.status} ({condition.reason}){message}"


def advice(condition: Condition) -> str:
    """What to do about a condition; "" where there is nothing to do, or a newer operator wrote it."""
    found = meaning(condition.type, condition.status, condition.reason)
    return found.remedy if found else ""


def current_progress(record: JobRecord) -> ProgressStatus | None:
    """How far the driver is, None while none works: what an earlier one said is no news."""
    return record.status.progress if record.status.phase in _WORKING else None


def tell_progress(progress: ProgressStatus) -> str:
    """Stage, count, rate and remaining time in one line."""
    step = f" ({progress.step})" if progress.step else ""
    return ", ".join([f"{progress.stage}: {amount(progress)}", *speeds(progress)]) + step


def speeds(progress: ProgressStatus) -> Iterator[str]:
    """Rate and remaining time, as far as they are known."""
    if progress.rate:
        yield f"{progress.rate:,.3g}/s" if progress.rate < _SLOW else f"{progress.rate:,.0f}/s"
    if progress.eta_seconds is not None:
        yield f"{duration(progress.eta_seconds)} left"


def amount(progress: ProgressStatus) -> str:
    """How much is done, such as `4,000/10,000 rows`."""
    of = "" if progress.total is None else f"/{progress.total:,}"
    return f"{progress.done:,}{of} {progress.unit}"


def duration(seconds: float) -> str:
    """A time span as people read it: `45 s`, `3 min 20 s`, `2 h 5 min`, `3 d 4 h`."""
    span = timedelta(seconds=round(seconds))
    hours, rest = divmod(span.seconds, 3600)
    sizes = ((span.days, "d"), (hours, "h"), (rest // 60, "min"), (rest % 60, "s"))
    first = next((place for place, (count, _) in enumerate(sizes) if count), len(sizes) - 1)
    return " ".join(f"{count} {unit}" for count, unit in sizes[first : first + 2] if count) or "0 s"


def _is_news(old: Condition | None, new: Condition, now: JobRecord) -> bool:
    if _is_quiet(new) or _follows_from_an_obstacle(new, now):
        return False
    if old is None or (old.status, old.reason) != (new.status, new.reason):
        return True
    # A message that only counts on while all is well is no news.
    return not _is_true(new) and old.message != new.message


def _follows_from_an_obstacle(condition: Condition, record: JobRecord) -> bool:
    """Whether it is false because one before it in the chain is, and that one is told."""
    first = obstacle(record)
    if first is None or not {first.type, condition.type} <= {*_CHAIN}:
        return False
    return _CHAIN.index(condition.type) > _CHAIN.index(first.type)


def _is_true(condition: Condition) -> bool:
    return condition.status is ConditionStatus.true


def _is_quiet(condition: Condition) -> bool:
    """Whether it says nothing that the phase does not say."""
    return not _is_true(condition) and (not condition.message or condition.reason in _QUIET)
