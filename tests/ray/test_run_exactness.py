"""Nothing that only says how a job is run changes what comes out. (One worker on one CPU: the tests of the command.)"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from helpers import jobs
from helpers.faults import Killer
from helpers.image_jobs import BAD, COPIES, without_labels
from helpers.jobs import At, FinishedJob, RecordingDisplay

pytestmark = pytest.mark.ray


@pytest.mark.parametrize(("workers", "shard_size"), [(1, 37), (3, 50)])
def test_neither_workers_nor_shards_change_the_selection(
    vector_job: FinishedJob, tmp_path: Path, workers: int, shard_size: int
) -> None:
    manifest = vector_job.elsewhere(tmp_path / "out", {"spec.embedding.shardSize": shard_size})
    assert jobs.run(manifest, workers=workers).selection_digest == vector_job.digest


def test_three_workers_of_which_one_is_killed_give_the_same_bits(image_job: FinishedJob, tmp_path: Path) -> None:
    killer = Killer()
    display = RecordingDisplay([At("embed pool", killer.start, done=1)])
    report = jobs.run(without_labels(image_job, tmp_path / "out"), workers=3, display=display)
    assert killer.join().startswith("ray::Worker")
    assert display.was_told("worker lost")
    require_same_results(image_job, tmp_path / "out", report.selection_digest)


def test_a_bad_row_or_a_copy_moves_no_other_row(image_job: FinishedJob, tmp_path: Path) -> None:
    pool = Path(shutil.copytree(image_job.pool, tmp_path / "pool"))
    for row_id in [*BAD, *COPIES]:
        (pool / row_id).unlink()
    report = jobs.run(jobs.images_manifest(pool, tmp_path / "out"))
    assert report.funnel.listed == image_job.report.funnel.unique
    require_same_results(image_job, tmp_path / "out", report.selection_digest)


def require_same_results(job: FinishedJob, output: Path, digest: str) -> None:
    assert digest == job.digest
    expected, found = jobs.vectors_of(job.output), jobs.vectors_of(output)
    assert found
    assert found == {row_id: expected[row_id] for row_id in found}
