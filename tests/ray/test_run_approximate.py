"""A job that asks for approximations is marked as such, says its errors, and is otherwise a job as any other."""

from __future__ import annotations

from pathlib import Path

import pytest
from helpers import jobs
from helpers.jobs import FinishedJob, RecordingDisplay

from afray.driver.verifying import verify
from afray.driver.workspace import RunSettings

pytestmark = pytest.mark.ray

APPROXIMATE = {"spec.selection.core.probes": 2, "spec.selection.boundary": {"intraDistance": "rms"}}


def test_an_approximate_selection_is_certified_with_its_errors_and_comes_out_again(
    vector_job: FinishedJob, tmp_path: Path
) -> None:
    made = vector_job.elsewhere(tmp_path / "out", APPROXIMATE)
    report = jobs.run(made, workers=2)
    said = jobs.json_of(tmp_path / "out" / "certificate.json")["approximations"]
    assert isinstance(said, dict)
    assert (said["probes"], said["intraDistance"]) == (2, "rms")
    assert 0.5 < said["recall"] < 1.0
    assert 0.0 <= said["changedPicks"] < 0.5
    checks = list(verify(jobs.parse(made).spec.output.uri, RunSettings(workers=3), RecordingDisplay()))
    assert [check.what for check in checks if not check.holds] == []
    assert "approximations" in {check.what for check in checks}
    assert report.selection_digest != vector_job.digest


def test_an_exact_selection_says_nothing_of_approximations(vector_job: FinishedJob) -> None:
    assert "approximations" not in jobs.json_of(vector_job.output / "certificate.json")
