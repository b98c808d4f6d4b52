"""Cores that a file gives: the file is an input of the selection, so it is kept and certified."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from helpers import jobs
from helpers.jobs import FinishedJob, Manifest, RecordingDisplay

from afray.driver.verifying import verify
from afray.driver.workspace import RunSettings

pytestmark = pytest.mark.ray
FIRST, SECOND = b"row-00417\nrow-00003\n", b"row-00417\nrow-00004\n"


def with_cores(job: FinishedJob, output: Path, cores: Path) -> Manifest:
    core = {"method": "given", "uri": str(cores), "size": "auto"}
    return job.elsewhere(output, {"spec.selection.core": core, "spec.selection.budget": {"count": 8}})


def differences(output: Path) -> Iterator[str]:
    checks = verify(str(output), RunSettings(workers=1), RecordingDisplay())
    return (str(check) for check in checks if not check.holds)


def test_a_changed_file_is_refused_on_its_output_and_certified_on_another(
    vector_job: FinishedJob, tmp_path: Path
) -> None:
    cores = jobs.write_file(tmp_path / "cores.txt", FIRST)
    manifest = with_cores(vector_job, tmp_path / "out", cores)
    first = jobs.run(manifest)
    cores.write_bytes(SECOND)
    said = jobs.refused(manifest, 64)
    assert "spec.selection.core.uri: the file changed since the rows were selected" in said
    assert hashlib.sha256(FIRST).hexdigest() in said
    assert hashlib.sha256(SECOND).hexdigest() in said
    assert "set output.uri to an empty place" in said

    second = jobs.run(with_cores(vector_job, tmp_path / "other", cores))
    certificates = [jobs.json_of(tmp_path / name / "certificate.json") for name in ("out", "other")]
    assert [found["givenCores"] for found in certificates] == [hashlib.sha256(c).hexdigest() for c in (FIRST, SECOND)]
    assert first.selection_digest != second.selection_digest


def test_without_the_file_a_finished_output_is_found_and_verified(vector_job: FinishedJob, tmp_path: Path) -> None:
    cores = jobs.write_file(tmp_path / "cores.txt", FIRST)
    manifest = with_cores(vector_job, tmp_path / "out", cores)
    report = jobs.run(manifest)
    cores.write_bytes(SECOND)
    assert list(differences(tmp_path / "out")) == []
    cores.unlink()
    assert list(differences(tmp_path / "out")) == []
    assert jobs.run(manifest) == report
    (kept,) = (tmp_path / "out").rglob("*.cores.txt")
    assert kept.read_bytes() == FIRST


def test_a_file_that_is_no_text_is_named(vector_job: FinishedJob, tmp_path: Path) -> None:
    cores = jobs.write_file(tmp_path / "cores.txt", b"\xff\xfe")
    said = jobs.refused(with_cores(vector_job, tmp_path / "out", cores), 64)
    assert f"spec.selection.core.uri: the file is not UTF-8 (value: 'file://{cores}')" in said
