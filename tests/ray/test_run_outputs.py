"""What a finished job leaves behind: every file is there, and they agree with each other."""

from __future__ import annotations

import csv
import hashlib
import json
import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from helpers import jobs
from helpers.image_jobs import BAD, COPIES
from helpers.jobs import FinishedJob, RecordingDisplay

from afray.driver.verifying import verify
from afray.driver.workspace import RunSettings
from afray.pool.labels import read_labels

pytestmark = pytest.mark.ray

TASKS, FORM = "handover/label-studio/tasks-00001.json", "handover/csv/rows-00001.csv"


def read(job: FinishedJob, name: str) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = pq.read_table(job.output / f"{name}.parquet").to_pylist()
    return rows


def test_the_funnel_counts_every_row_once(image_job: FinishedJob) -> None:
    funnel, counts = image_job.report.funnel, image_job.report.counts
    assert (funnel.listed, funnel.readable, funnel.unique) == (246, 243, 240)
    assert (funnel.selected, counts.core, counts.boundary) == (20, 12, 8)
    assert (counts.copies, counts.quarantined) == (len(COPIES), len(BAD))
    assert funnel.kept == 240 - counts.removed
    assert counts.removed == len(read(image_job, "excluded")) > 0


def test_selected_rows_are_pool_rows_under_their_own_names(image_job: FinishedJob) -> None:
    for row in read(image_job, "selection"):
        file = image_job.pool / str(row["id"])
        assert Path(str(row["uri"])) == file
        assert row["sha256"] == hashlib.sha256(file.read_bytes()).hexdigest()


def test_the_selection_lists_each_core_before_its_boundary_rows(image_job: FinishedJob) -> None:
    rows = read(image_job, "selection")
    assert [row["rank"] for row in rows] == list(range(20))
    cluster = None
    for row in rows:
        cluster = row["id"] if row["kind"] == "core" else cluster
        assert row["cluster"] == cluster
        assert (row["kind"] == "core") == (row["score"] is None) == (row["opponent"] is None)
    assert [row["kind"] for row in rows].count("core") == 12
    assert len({row["id"] for row in rows}) == 20


def test_no_removed_row_is_selected(image_job: FinishedJob) -> None:
    assert not {row["id"] for row in read(image_job, "excluded")} & {row["id"] for row in read(image_job, "selection")}


def test_the_csv_says_what_the_parquet_file_says(image_job: FinishedJob) -> None:
    with (image_job.output / "selection.csv").open(newline="", encoding="utf-8") as file:
        found = list(csv.DictReader(file))
    expected = [
        {name: "" if value is None else str(value) for name, value in row.items()}
        for row in read(image_job, "selection")
    ]
    numbers = ("score", "distance")
    for one, other in zip(found, expected, strict=True):
        assert [float(one.pop(name) or -1) for name in numbers] == [float(other.pop(name) or -1) for name in numbers]
    assert found == expected


def test_bad_rows_are_quarantined_with_a_reason(image_job: FinishedJob) -> None:
    assert {row["id"]: row["reason"] for row in read(image_job, "quarantine")} == BAD
    assert all(row["detail"] for row in read(image_job, "quarantine"))


def test_exact_copies_collapse_to_the_lowest_id(image_job: FinishedJob) -> None:
    assert {row["id"]: row["copy_of"] for row in read(image_job, "duplicates")} == COPIES


def test_the_selection_digest_is_that_of_the_listed_rows(image_job: FinishedJob) -> None:
    lines = [
        json.dumps([row["id"], row["kind"], row["rank"]], ensure_ascii=False, separators=(",", ":")) + "\n"
        for row in read(image_job, "selection")
    ]
    digest = hashlib.sha256("".join(lines).encode()).hexdigest()
    certificate = json.loads((image_job.output / "certificate.json").read_text())
    assert certificate["selectionDigest"] == image_job.digest == digest
    assert digest in (image_job.output / "report.html").read_text()


def test_the_certificate_names_every_table_by_its_digest(image_job: FinishedJob) -> None:
    certificate = json.loads((image_job.output / "certificate.json").read_text())
    tables = {path.name for path in image_job.output.glob("*.parquet")} | {"selection.csv", "job.json", TASKS, FORM}
    assert certificate["outputs"] == {
        name: hashlib.sha256((image_job.output / name).read_bytes()).hexdigest() for name in tables
    }
    assert certificate["counters"] == image_job.report.funnel.model_dump()


def test_what_is_handed_over_names_each_selected_row_in_rank_order(image_job: FinishedJob) -> None:
    rows = read(image_job, "selection")
    tasks = [task["data"] for task in json.loads((image_job.output / TASKS).read_text())]
    assert [(task["afray_id"], task["image"], task["afray_rank"]) for task in tasks] == [
        (row["id"], row["uri"], row["rank"]) for row in rows
    ]
    assert {task["afray_job"] for task in tasks} == {f"weld-pilot#{image_job.digest}"}
    with (image_job.output / FORM).open(newline="", encoding="utf-8") as file:
        assert [line["id"] for line in csv.DictReader(file)] == [row["id"] for row in rows]


def test_a_row_of_a_file_of_vectors_has_no_picture_to_show(vector_job: FinishedJob) -> None:
    tasks = json.loads((vector_job.output / TASKS).read_text())
    assert not any("image" in task["data"] for task in tasks)


def test_the_report_on_disk_is_the_one_that_was_shown(image_job: FinishedJob) -> None:
    stored = json.loads((image_job.output / "report.json").read_text())
    assert stored["selectionDigest"] == image_job.digest
    assert stored["funnel"] == image_job.report.funnel.model_dump()
    assert list((image_job.output / "logs").glob("driver-1.log"))


def test_probe_and_finetune_learn_what_is_easy_to_learn(image_job: FinishedJob) -> None:
    evaluation = image_job.report.evaluation
    assert evaluation.probe is not None
    assert evaluation.probe.selected > 0.9
    assert [draw.seed for draw in evaluation.probe.random] == [0, 1, 2, 3, 4]
    assert evaluation.finetune is not None
    assert evaluation.finetune.held_out
    assert (evaluation.finetune.labels, evaluation.finetune.classes) == (20, 2)


def test_verify_repeats_vectors_and_selection(image_job: FinishedJob) -> None:
    found = list(verify(str(image_job.output), RunSettings(workers=1), RecordingDisplay(), embed=7))
    assert [check for check in found if not check.holds] == []
    assert sum(check.what.startswith("vector of row") for check in found) == 7
    assert found[-1].what == "selection"


def test_labels_that_come_back_are_evaluated_without_selecting_again(image_job: FinishedJob, tmp_path: Path) -> None:
    output = Path(shutil.copytree(image_job.output, tmp_path / "out"))
    block = jobs.parse(image_job.manifest).spec.pool.labels
    assert block is not None
    known = read_labels(block)
    answers = {str(row["id"]): known[str(row["id"])] for row in read(image_job, "selection")}
    labels = {"uri": str(jobs.write_labels(tmp_path / "answers.csv", answers)), "format": "csv"}
    manifest = image_job.elsewhere(output, {"spec.labels": labels})
    spec = manifest["spec"]
    assert isinstance(spec, dict)
    del spec["finetune"]
    display = RecordingDisplay()
    report = jobs.run(manifest, display=display)
    assert report.selection_digest == image_job.digest
    assert report.evaluation.probe is not None
    assert "embed held-out" in display.stages
    assert set(jobs.commit_epochs(output, "selection").values()) == {1}
