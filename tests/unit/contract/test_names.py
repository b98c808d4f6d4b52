from __future__ import annotations

import re

import pytest

from afray.contract import names
from afray.contract.names import Stage

LONGEST_JOB = "w" * 40


@pytest.mark.parametrize(("stage", "name"), [(Stage.select, "welds-s1"), (Stage.labels, "welds-l1"),
                                             (Stage.finetune, "welds-f1")])  # fmt: skip
def test_a_rayjob_is_named_by_job_stage_and_attempt(stage: Stage, name: str) -> None:
    assert names.rayjob_name("welds", stage, 1) == name


def test_the_longest_name_fits_into_what_kuberay_takes() -> None:
    assert max(len(names.rayjob_name(LONGEST_JOB, stage, 99_999)) for stage in Stage) <= 47


def test_the_entrypoint_holds_nothing_that_a_shell_would_read_as_more_than_words() -> None:
    assert re.fullmatch(r"[a-z. -]+", names.ENTRYPOINT)


def test_everything_that_a_job_owns_is_named_after_it_and_apart() -> None:
    made = [names.progress_name("welds"), names.account_name("welds")]
    assert len(set(made)) == 2
    assert all(re.fullmatch(r"welds-[a-z]+", name) for name in made)
