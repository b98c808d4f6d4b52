"""`afray run` as people and programs call it: one process, its two streams, its exit code, and nothing left behind."""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path

import pytest
from helpers import jobs
from helpers.faults import afray, descendants, started
from helpers.image_jobs import without_labels
from helpers.jobs import FinishedJob
from typer.testing import CliRunner

from afray.cli.main import app

pytestmark = pytest.mark.ray
Ended = subprocess.CompletedProcess[str]
ONE_CPU = "import os; os.sched_setaffinity(0, list(os.sched_getaffinity(0))[:1])"


@pytest.fixture(scope="module")
def on_one_cpu(image_job: FinishedJob, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Ended]:
    """The job of `image_job` up to its selection, in a process with a Ray of its own that may use one CPU."""
    folder = tmp_path_factory.mktemp("one-cpu")
    manifest = jobs.write_manifest(folder / "job.yaml", without_labels(image_job, folder / "out"))
    return folder / "out", afray("run", manifest, "-o", "json", first=ONE_CPU)


def test_one_worker_on_one_cpu_gives_the_same_bits(image_job: FinishedJob, on_one_cpu: tuple[Path, Ended]) -> None:
    output, ended = on_one_cpu
    assert ended.returncode == 0, ended.stderr
    expected, found = jobs.vectors_of(image_job.output), jobs.vectors_of(output)
    assert found
    assert found == {row_id: expected[row_id] for row_id in found}
    assert jobs.json_of(output / "certificate.json")["selectionDigest"] == image_job.digest


def test_stdout_is_one_json_document_and_progress_goes_to_stderr(on_one_cpu: tuple[Path, Ended]) -> None:
    output, ended = on_one_cpu
    said = json.loads(ended.stdout)
    assert said["selectionDigest"] == jobs.json_of(output / "report.json")["selectionDigest"]
    assert said["funnel"]["listed"] == 246
    assert said["report"] == str(output / "report.html")
    for stage in ("index pool", "embed pool", "select", "report"):
        assert f"{stage}: " in ended.stderr
    assert "No labels yet: let people label the rows of selection.csv" in ended.stderr


def test_a_finished_job_is_answered_from_its_report_without_ray(image_job: FinishedJob, tmp_path: Path) -> None:
    manifest = jobs.write_manifest(tmp_path / "job.yaml", image_job.manifest)
    seen: set[str] = set()
    with started("run", manifest, "-o", "json") as process:
        while process.poll() is None:
            seen.update(descendants(process.pid).values())
            time.sleep(0.02)
        output, errors = process.communicate()
    assert process.returncode == 0, errors
    assert json.loads(output)["selectionDigest"] == image_job.digest
    assert seen == set()
    assert errors == ""


def test_report_reads_a_finished_output_and_draws_its_page_again(image_job: FinishedJob) -> None:
    page, kept = image_job.output / "report.html", image_job.output / "kept.html"
    page.rename(kept)
    shown = CliRunner().invoke(app, ["report", str(image_job.output), "-o", "json"])
    assert json.loads(shown.stdout)["selectionDigest"] == image_job.digest
    assert image_job.digest in page.read_text()
    kept.replace(page)


def test_an_error_is_all_on_stderr(tmp_path: Path) -> None:
    (tmp_path / "pool").mkdir()
    manifest = jobs.write_manifest(tmp_path / "job.yaml", jobs.images_manifest(tmp_path / "pool", tmp_path / "out"))
    ended = CliRunner().invoke(app, ["run", str(manifest), "-o", "json"])
    assert (ended.exit_code, ended.stdout) == (65, "")
    assert ended.stderr.startswith("error: empty pool")
