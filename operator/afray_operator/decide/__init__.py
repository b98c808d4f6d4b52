"""What to do about a job, given everything that is seen of it. Pure: no clock, no API, no memory but the status.

    decide(seen, now)
      deleted, or over          clean up, and delete after the time to live
      not taken on yet          ask, then accept or say why not
      in any case               count what GPUs it held
      taken on                  rules, in their order, until none changes anything:

        record RayJob -> clock -> progress -> outcome -> deadline -> failure -> replace -> suspend -> retry -> stage

What the rules write down is stored before it is acted upon: an action needs no more than the status that was read. So
an operator that dies between any two writes finds, when it comes back, either nothing done or what to do next.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

from afray.api.conditions import ConditionType, Phase
from afray.api.job import SelectionJob
from afray.api.status import JobStatus, write_moment
from afray_operator.decide import (
    acts,
    admission,
    attempts,
    clocks,
    failures,
    finishing,
    outcomes,
    progress,
    stages,
    suspension,
    waking,
)
from afray_operator.decide.actions import Action, Decision, DeleteJob
from afray_operator.decide.context import Context, is_final, later
from afray_operator.decide.describe import describe
from afray_operator.decide.event_kinds import Event, EventReason
from afray_operator.decide.events import events
from afray_operator.decide.fitting import fit
from afray_operator.decide.messages import Judgement, set_condition
from afray_operator.decide.usage import with_usage
from afray_operator.manifests.templates import templates_digest, templates_of
from afray_operator.observed.facts import Observed

Rule = Callable[[Context, JobStatus], JobStatus]

RULES: Final[tuple[Rule, ...]] = (
    clocks.record_ray_job,
    clocks.run_clock,
    progress.record_progress,
    outcomes.record_outcome,
    finishing.fail_at_deadline,
    failures.note_failure,
    attempts.replace_outdated,
    suspension.suspend_or_resume,
    attempts.retry_when_due,
    stages.advance_stage,
)
_MOST_ROUNDS = 20
"""Each round ends an attempt or a stage, or is the last."""


def decide(seen: Observed, now: datetime) -> Decision:
    """The next actions, the whole status, its events, and when to look again. Never raises."""
    now = now.astimezone(UTC).replace(microsecond=0)
    return with_usage(seen, _decide(seen, now), now)


def _decide(seen: Observed, now: datetime) -> Decision:
    if seen.is_deleting:
        return Decision(status=seen.status)
    if is_final(seen.status):
        return _after_the_end(seen, now)
    if seen.job is None:
        return _not_accepted(seen, admission.invalid(seen), now)
    if not seen.offers.ray_job:
        return _not_accepted(seen, admission.RAY_API_MISSING, now)
    if not admission.was_accepted(seen.status):
        return _before_acceptance(seen, seen.job, now)
    return _decide_accepted(seen, seen.job, seen.status, now)


def _after_the_end(seen: Observed, now: datetime) -> Decision:
    """Nothing of a final status changes any more."""
    cleaning = tuple(acts.clean_up(seen, seen.status))
    expiry = finishing.expires_at(seen.status, seen.job)
    if expiry is None or now < expiry:
        return Decision(actions=cleaning, status=seen.status, wake_at=expiry)
    delete = DeleteJob(name=seen.owner.name, uid=seen.owner.uid)
    told = Event(reason=EventReason.ttl_expired, note=f"Finished, and expired at {write_moment(expiry)}.")
    return Decision(actions=(delete,), status=seen.status, events=(told,))


def _not_accepted(seen: Observed, judgement: Judgement, now: datetime, wake_at: datetime | None = None) -> Decision:
    """Say why not; what may run already is left alone."""
    status = set_condition(seen.status, ConditionType.accepted, judgement, generation=seen.generation, now=now)
    phase = seen.status.phase if admission.was_accepted(seen.status) else Phase.pending
    status = fit(later(status, phase=phase, reason=judgement.reason, observed_generation=seen.generation))
    return Decision(status=status, events=events(seen.status, status), wake_at=wake_at)


def _before_acceptance(seen: Observed, job: SelectionJob, now: datetime) -> Decision:
    admitted = admission.admit(seen, job, now)
    if admitted.judgement is None:
        return Decision(actions=admitted.actions, status=seen.status)
    if admitted.ask_again is not None:
        return _not_accepted(seen, admitted.judgement, now, admitted.ask_again)
    return _decide_accepted(seen, job, later(seen.status, spec_hash=templates_digest(templates_of(job))), now)


def _decide_accepted(seen: Observed, job: SelectionJob, status: JobStatus, now: datetime) -> Decision:
    context = Context(seen=seen, job=admission.accepted_job(seen, status, job), now=now)
    ruled = _follow_rules(context, status)
    is_written = _ledger(ruled) == _ledger(seen.status)
    actions: tuple[Action, ...] = acts.acts(context, ruled) if is_written else ()
    told = fit(describe(context, ruled, admission.standing(seen, ruled, job)))
    return Decision(
        actions=actions,
        status=told,
        events=events(seen.status, told),
        wake_at=finishing.expires_at(ruled, job) if is_final(ruled) else waking.wake_at(context, ruled),
    )


def _follow_rules(context: Context, status: JobStatus) -> JobStatus:
    for _ in range(_MOST_ROUNDS):
        before = status
        for rule in RULES:
            if is_final(status):
                return status
            status = rule(context, status)
        if status == before:
            break
    return status


def _ledger(status: JobStatus) -> tuple[object, ...]:
    """What actions rely on."""
    suspended = status.condition(ConditionType.suspended)
    return (
        status.spec_hash,
        status.stage,
        status.attempt,
        status.result,
        status.previous_labels,
        status.labels,
        status.finetune,
        suspended.reason if suspended is not None else None,
        is_final(status),
    )


__all__ = ["Action", "Decision", "Event", "EventReason", "decide"]
