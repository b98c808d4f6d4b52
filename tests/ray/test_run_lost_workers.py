"""A worker is killed in each step of a selection; tests of the other stages are in the stories of lost drivers."""

from __future__ import annotations

from pathlib import Path

import pytest
from helpers import jobs
from helpers.faults import Killer
from helpers.jobs import At, FinishedJob, RecordingDisplay

pytestmark = pytest.mark.ray

MOMENTS = {
    "statistics": ("", 0),
    "core": ("core", 5),
    "assignment": ("assign", 0),
    "clusters": ("assign", 1),
}
"""Step after whose report the next thing to do is the one of this name, and how far it has come."""


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_worker_killed_while_rows_are_selected_changes_nothing(
    vector_job: FinishedJob, moment: str, tmp_path: Path
) -> None:
    killer, (step, done) = Killer(), MOMENTS[moment]
    display = RecordingDisplay([At("select", killer.start, step=step, done=done)])
    report = jobs.run(vector_job.elsewhere(tmp_path), display=display)
    assert killer.join().startswith("ray::Worker")
    assert display.was_told("worker lost")
    assert report.selection_digest == vector_job.digest
