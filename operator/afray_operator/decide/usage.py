"""GPU-seconds of a job, as an integral with a mark: status holds all up to `counted_until`, each look adds the rest.

    ------- in the status -------|------- added ------->
    container  |=================|==========|           its run, as far as it lies behind the mark
                           counted_until          now

So the status needs no list of pods. It is written when something else is, when a container has ended, and every five
minutes. Pods are looked at once more after they are gone; of those that went while no operator looked, the number of
GPUs is in the status, and they count to the end of their RayJob, else until they are missed.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final

from afray.api.conditions import ConditionType
from afray.api.stages import Stage
from afray.api.status import MOST_ATTEMPTS, AttemptUsage, JobStatus, UsageStatus
from afray_operator.decide.actions import Decision
from afray_operator.decide.context import has_failed, later
from afray_operator.decide.fitting import fit
from afray_operator.observed.facts import GpuRun, Observed, PodSeen

SELDOM: Final = timedelta(minutes=5)
"""Between two writes that nothing else asks for."""
_NEVER: Final = datetime.min.replace(tzinfo=UTC)

_Attempt = tuple[Stage, int]


def with_usage(seen: Observed, decision: Decision, now: datetime) -> Decision:
    """The decision, with the GPU time until now if its status is written anyway, or if it is time to."""
    due = _due(seen, now)
    if decision.status == seen.status and (due is None or due > now):
        return replace(decision, wake_at=min(filter(None, (decision.wake_at, due)), default=None))
    return replace(decision, status=fit(charge(seen, decision.status, now)))


def charge(seen: Observed, status: JobStatus, now: datetime) -> JobStatus:
    """The status with all GPU time until now. `seen.status` says what is counted already."""
    before, added, gpus = seen.status.usage, _added(seen, now), _running(seen, now)
    if not added and gpus == (before.gpus if before is not None else 0):
        return _judged(status, before)
    usage = (before or UsageStatus(counted_until=now)).model_copy(update={"counted_until": now, "gpus": gpus})
    for attempt, seconds in added.items():
        usage = _with_seconds(usage, attempt, seconds)
    return _judged(status, usage)


def _due(seen: Observed, now: datetime) -> datetime | None:
    """When the GPU time is to be written: now if some of it may soon be forgotten; None if nothing runs."""
    usage, mark = seen.status.usage, _mark(seen)
    runs = [run for pod in _pods(seen) for run in pod.gpu_runs]
    ended = any(_seconds(run, mark, now) for run in runs if run.has_ended(now))
    if ended or (usage is not None and usage.gpus > _running(seen, now)):
        return now
    running = [run.started for run in runs if not run.has_ended(now)]
    return max(mark, min(running)) + SELDOM if running else None


def _running(seen: Observed, now: datetime) -> int:
    return sum(run.gpus for pod in _pods(seen) for run in pod.gpu_runs if not run.has_ended(now))


def _added(seen: Observed, now: datetime) -> Counter[_Attempt]:
    """GPU-seconds behind the mark, by attempt."""
    added: Counter[_Attempt] = Counter()
    for pod in _pods(seen):
        attempt = (pod.stage or Stage.select, pod.attempt)
        added[attempt] += sum(run.gpus * _seconds(run, _mark(seen), now) for run in pod.gpu_runs)
    current = seen.status.attempt
    if current is not None:
        gone = min(filter(None, (_ray_job_end(seen), now)))
        added[current.stage, current.number] += _unseen(seen) * _span(_mark(seen), gone)
    return +added


def _unseen(seen: Observed) -> int:
    """GPUs that ran at the mark, in pods of which nothing is known any more."""
    usage = seen.status.usage
    if usage is None:
        return 0
    pods = (pod for pod in _pods(seen) if pod.created is None or pod.created <= usage.counted_until)
    return max(0, usage.gpus - sum(pod.gpus for pod in pods))


def _ray_job_end(seen: Observed) -> datetime | None:
    attempt = seen.status.attempt
    found = seen.ray_job(attempt.ray_job_name) if attempt is not None else None
    return found.ended if found is not None else None


def _mark(seen: Observed) -> datetime:
    return seen.status.usage.counted_until if seen.status.usage is not None else _NEVER


def _pods(seen: Observed) -> tuple[PodSeen, ...]:
    return (*seen.pods, *seen.departed)


def _seconds(run: GpuRun, mark: datetime, now: datetime) -> int:
    return _span(max(run.started, mark), min(run.ended or now, now))


def _span(start: datetime, end: datetime) -> int:
    return max(0, int((end - start).total_seconds()))


def _with_seconds(usage: UsageStatus, attempt: _Attempt, seconds: int) -> UsageStatus:
    """Add to the total, and to the attempt if it is one of the last."""
    stage, number = attempt
    known = [one for one in usage.attempts if (one.stage, one.number) == attempt]
    one = known[0] if known else AttemptUsage(stage=stage, number=number, gpu_seconds=0)
    others = [other for other in usage.attempts if other not in known]
    attempts = sorted([*others, one.model_copy(update={"gpu_seconds": one.gpu_seconds + seconds})], key=_age)
    changes = {
        "gpu_seconds": usage.gpu_seconds + seconds,
        "failed_gpu_seconds": usage.failed_gpu_seconds + (seconds if one.failed else 0),
        "attempts": tuple(attempts[-MOST_ATTEMPTS:]),
    }
    return usage.model_copy(update=changes)


def _age(attempt: AttemptUsage) -> tuple[int, int]:
    return list(Stage).index(attempt.stage), attempt.number


def _judged(status: JobStatus, usage: UsageStatus | None) -> JobStatus:
    """The status with this usage; once the current attempt has failed, its time counts as lost."""
    current = status.attempt
    if usage is None or current is None or not (has_failed(status) or status.holds(ConditionType.failed)):
        return later(status, usage=usage)
    here = (current.stage, current.number)
    lost = [one for one in usage.attempts if (one.stage, one.number) == here and not one.failed]
    changes = {
        "failed_gpu_seconds": usage.failed_gpu_seconds + sum(one.gpu_seconds for one in lost),
        "attempts": tuple(one.model_copy(update={"failed": True}) if one in lost else one for one in usage.attempts),
    }
    return later(status, usage=usage.model_copy(update=changes))
