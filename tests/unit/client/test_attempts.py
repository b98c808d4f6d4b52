"""Which attempt somebody asks about, and whether it can still write."""

from __future__ import annotations

import pytest
from helpers.job_records import attempt, condition, job_record

from afray.api.stages import Stage
from afray.client.attempts import Attempt, choose_attempt, is_over
from afray.client.faults import NothingLogged
from afray.errors import SpecError

SECOND = Attempt(stage=Stage.select, number=2)


def test_the_current_attempt_is_the_default() -> None:
    record = job_record("Running", attempt=attempt(2))
    assert choose_attempt(record, None, None) == SECOND
    assert choose_attempt(record, None, 1) == Attempt(stage=Stage.select, number=1)
    assert choose_attempt(record, Stage.select, None) == SECOND
    assert str(SECOND) == "attempt 2 of stage select"


def test_another_stage_needs_a_number() -> None:
    record = job_record("Finetuning", attempt=attempt(1, "finetune"))
    assert choose_attempt(record, Stage.select, 2) == SECOND
    with pytest.raises(SpecError, match="--attempt: is missing beside --stage select"):
        choose_attempt(record, Stage.select, None)


def test_a_job_without_an_attempt_says_what_it_waits_for() -> None:
    refused = condition("Accepted", "False", "DryRunRejected", "spec.template: unknown field")
    with pytest.raises(NothingLogged, match=r"no driver yet: Pending, Accepted=False \(DryRunRejected\): spec"):
        choose_attempt(job_record("Pending", [refused]), None, None)


def test_an_attempt_is_over_when_the_job_is_or_another_has_begun() -> None:
    assert not is_over(job_record("Running", attempt=attempt(2)), SECOND)
    assert is_over(job_record("Running", attempt=attempt(3)), SECOND)
    assert is_over(job_record("Finetuning", attempt=attempt(2, "finetune")), SECOND)
    done = [condition("Complete", "True", "Succeeded")]
    assert is_over(job_record("Succeeded", done, attempt=attempt(2)), SECOND)
