"""Bad input: a message that says what, which value and what to do, and nothing that a later run would trust."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from helpers import jobs
from helpers.answering_server import Answer, answering
from helpers.faults import afray
from helpers.jobs import FinishedJob, Manifest, RecordingDisplay
from helpers.pools import parquet_bytes
from helpers.s3_server import environment

pytestmark = [pytest.mark.ray, pytest.mark.usefixtures("ray_cpus")]
SMALL = {"budget": {"count": 4}, "core": {"size": 3, "steps": 5}}


def write_vectors(folder: Path, vectors: list[list[float | None]]) -> Path:
    """A pool of these vectors, a, b, c and so on."""
    column = pa.array(vectors, pa.list_(pa.float32()))
    ids = [chr(ord("a") + number) for number in range(len(vectors))]
    jobs.write_file(folder / "vectors.parquet", parquet_bytes({"id": ids, "embedding": column}))
    return folder


def some_vectors(count: int) -> list[list[float | None]]:
    rows: list[list[float | None]] = np.random.default_rng(0).normal(size=(count, 4)).tolist()
    return rows


def quarantine(output: Path) -> dict[str, str]:
    rows = pq.read_table(output / "quarantine.parquet").to_pylist()
    return {row["id"]: row["reason"] for row in rows}


def require_nothing_selected(output: Path) -> None:
    left = {path.name for path in output.iterdir()} if output.exists() else set()
    assert left <= {"owner", "logs", "index", "embeddings", "quarantine.parquet"}


# ----------------------------------------------------------------------------------------------------------- rows


def test_an_empty_pool_is_named_and_can_be_filled(tmp_path: Path) -> None:
    manifest = jobs.embeddings_manifest(tmp_path / "pool", tmp_path / "out", **SMALL)
    (tmp_path / "pool").mkdir()
    (tmp_path / "pool" / "readme.txt").write_text("soon")
    said = jobs.refused(manifest, 65)
    assert f"empty pool: no rows of format embeddings at file://{tmp_path}/pool (ignored: 1 .txt)" in said
    require_nothing_selected(tmp_path / "out")
    write_vectors(tmp_path / "pool", some_vectors(12))
    assert jobs.run(manifest).funnel.selected == 4


@pytest.mark.parametrize("missing", ["folder", "file in its place"])
def test_a_pool_that_is_no_folder_is_named(missing: str, tmp_path: Path) -> None:
    if missing != "folder":
        (tmp_path / "pool").write_text("not a folder")
    manifest = jobs.images_manifest(tmp_path / "pool", tmp_path / "out")
    said = jobs.refused(manifest, 65 if missing == "folder" else 66)
    assert str(tmp_path / "pool") in said
    require_nothing_selected(tmp_path / "out")


def test_when_all_rows_are_bad_each_has_a_reason(tmp_path: Path) -> None:
    pool = write_vectors(tmp_path / "pool", [[None, 1.0], [float("nan"), 0.0], [0.0, 0.0], [float("inf"), 1.0]])
    manifest = jobs.embeddings_manifest(pool, tmp_path / "out", **SMALL)
    manifest = jobs.changed(manifest, {"spec.embedding.normalize": "l2"})
    said = jobs.refused(manifest, 65)
    assert "spec.pool: all 4 rows are unreadable (3 non-finite, 1 zero-vector)" in said
    assert quarantine(tmp_path / "out") == {"a": "non-finite", "b": "non-finite", "c": "zero-vector", "d": "non-finite"}
    require_nothing_selected(tmp_path / "out")
    # What was read stays read, and the message says so: mended rows need another output.
    write_vectors(pool, some_vectors(12))
    assert jobs.refused(manifest, 65).endswith("Then set another output.uri: this one keeps what was read.")
    assert jobs.run(jobs.changed(manifest, {"spec.output.uri": str(tmp_path / "other")})).funnel.selected == 4


def test_more_bad_rows_than_allowed_end_the_run_and_as_many_do_not(tmp_path: Path) -> None:
    pool = write_vectors(tmp_path / "pool", [[float("nan")] * 4, *some_vectors(11)])
    manifest = jobs.embeddings_manifest(pool, tmp_path / "out", **SMALL)
    said = jobs.refused(manifest, 65)
    assert "1 of 12 rows are unreadable (1 non-finite): 8.33%, and spec.pool.maxBadFraction allows 1.00%" in said
    assert quarantine(tmp_path / "out") == {"a": "non-finite"}
    require_nothing_selected(tmp_path / "out")
    allowed = jobs.changed(manifest, {"spec.pool.maxBadFraction": 0.1, "spec.output.uri": str(tmp_path / "other")})
    assert jobs.run(allowed).funnel.unique == 11
    assert quarantine(tmp_path / "other") == {"a": "non-finite"}


# ----------------------------------------------------------------------------------------------------------- spec


def test_a_budget_above_the_pool_is_refused_before_anything_is_embedded(
    vector_job: FinishedJob, tmp_path: Path
) -> None:
    too_much = vector_job.elsewhere(tmp_path / "out", {"spec.selection.budget": {"count": 601}})
    said = jobs.refused(too_much, 64)
    assert "spec.selection.budget.count" in said
    assert "600" in said
    assert not (tmp_path / "out" / "embeddings").exists()
    require_nothing_selected(tmp_path / "out")


def test_a_refused_budget_can_be_corrected_as_it_is_advised_and_nothing_is_embedded_twice(
    vector_job: FinishedJob, tmp_path: Path
) -> None:
    """All rows can be had until outliers are removed, so this is found out once everything is embedded."""
    output = tmp_path / "out"
    too_much = vector_job.elsewhere(output, {"spec.selection.budget": {"count": 600}})
    said = jobs.refused(too_much, 64)
    assert "spec.selection.budget" in said
    embedded = jobs.commit_epochs(output, "embeddings")
    require_nothing_selected(output)
    assert jobs.run(vector_job.elsewhere(output)).selection_digest == vector_job.digest
    assert jobs.commit_epochs(output, "embeddings") == embedded == dict.fromkeys(embedded, 1)
    assert len(embedded) == 6
    assert "belongs to another spec" in jobs.refused(too_much, 69)


def test_another_treatment_of_zero_vectors_is_not_taken_from_what_was_embedded_before(tmp_path: Path) -> None:
    pool = write_vectors(tmp_path / "pool", [[0.0] * 4, *some_vectors(11)])
    scaled = jobs.changed(
        jobs.embeddings_manifest(pool, tmp_path / "out", **SMALL),
        {"spec.pool.maxBadFraction": 0.01, "spec.embedding.normalize": "l2"},
    )
    assert "1 of 12 rows are unreadable (1 zero-vector)" in jobs.refused(scaled, 65)
    assert jobs.run(jobs.changed(scaled, {"spec.embedding.normalize": "none"})).funnel.readable == 12


def test_more_cores_than_budget_are_refused_before_the_output_is_touched(
    vector_job: FinishedJob, tmp_path: Path
) -> None:
    manifest = vector_job.elsewhere(tmp_path / "out", {"spec.selection.core.size": 61})
    ended = afray("run", jobs.write_manifest(tmp_path / "job.yaml", manifest))
    assert ended.returncode == 64
    assert "spec.selection.core.size" in ended.stderr
    assert not (tmp_path / "out").exists()


def test_more_cores_than_a_percentage_pays_are_refused(vector_job: FinishedJob, tmp_path: Path) -> None:
    manifest = vector_job.elsewhere(tmp_path / "out", {"spec.selection.budget": {"percent": 5}})
    assert "spec.selection.core.size: is more than the budget of 30 rows (value: 40)" in jobs.refused(manifest, 64)
    require_nothing_selected(tmp_path / "out")


def test_unknown_given_cores_are_named_and_a_corrected_file_is_taken(vector_job: FinishedJob, tmp_path: Path) -> None:
    cores = tmp_path / "cores.txt"
    cores.write_text("row-00003\nrow-99999\n")
    manifest = vector_job.elsewhere(
        tmp_path / "out", {"spec.selection.core": {"method": "given", "uri": str(cores), "size": "auto"}}
    )
    said = jobs.refused(manifest, 64)
    assert "spec.selection.core.uri: is no unique readable row of the pool (value: 'row-99999')" in said
    require_nothing_selected(tmp_path / "out")
    cores.write_text("row-00417\nrow-00003\n")
    jobs.run(manifest)
    chosen = pq.read_table(tmp_path / "out" / "selection.parquet").to_pylist()
    assert [row["id"] for row in chosen if row["kind"] == "core"] == ["row-00003", "row-00417"]


# --------------------------------------------------------------------------------------------------------- labels


def test_labels_of_unknown_rows_are_refused_before_anything_is_embedded_and_can_be_corrected(
    vector_job: FinishedJob, tmp_path: Path
) -> None:
    labels = dict.fromkeys(jobs.row_ids(600), "good")
    file = jobs.write_labels(tmp_path / "labels.csv", labels | {"row-600": "bad", "row-601": "bad"})
    manifest = with_labels(vector_job, tmp_path, file)
    said = jobs.refused(manifest, 65)
    assert "spec.pool.labels: 2 of 602 ids are unknown: 'row-600', 'row-601'" in said
    assert "'row-00000'" in said
    assert not (tmp_path / "out" / "embeddings").exists()
    jobs.write_labels(file, labels)
    assert jobs.run(manifest).selection_digest == vector_job.digest


def test_a_missing_label_file_is_named_before_anything_is_listed(vector_job: FinishedJob, tmp_path: Path) -> None:
    said = jobs.refused(with_labels(vector_job, tmp_path, tmp_path / "labels.csv"), 66)
    assert f"{tmp_path}/labels.csv: there is no such object" in said
    assert not (tmp_path / "out" / "index").exists()


def test_one_class_stops_only_the_probe(vector_job: FinishedJob, tmp_path: Path) -> None:
    jobs.write_embeddings(tmp_path / "heldout", 50, seed=2)
    heldout = jobs.write_labels(tmp_path / "heldout.csv", dict.fromkeys(jobs.row_ids(50), "good"))
    labels = jobs.write_labels(tmp_path / "labels.csv", dict.fromkeys(jobs.row_ids(600), "good"))
    block = {"uri": f"{tmp_path}/heldout", "format": "embeddings", "labels": {"uri": str(heldout), "format": "csv"}}
    display = RecordingDisplay()
    report = jobs.run(
        jobs.changed(with_labels(vector_job, tmp_path, labels), {"spec.evaluation": block}), display=display
    )
    assert report.selection_digest == vector_job.digest
    assert report.evaluation.probe is None
    assert display.was_told("labels: all 60 labelled rows are of class 'good', so there is nothing to learn")


def test_labels_of_none_of_the_selected_rows_are_no_reason_to_fail(vector_job: FinishedJob, tmp_path: Path) -> None:
    chosen = pq.read_table(vector_job.output / "selection.parquet")["id"].to_pylist()
    others = [row_id for row_id in jobs.row_ids(600) if row_id not in chosen][:9]
    labels = jobs.write_labels(tmp_path / "labels.csv", dict.fromkeys(others, "good"))
    display = RecordingDisplay()
    report = jobs.run(with_labels(vector_job, tmp_path, labels), display=display)
    assert report.evaluation.probe is None
    assert display.was_told("No selected row has a label in spec.pool.labels")


def test_unknown_held_out_rows_are_refused_and_the_selection_stays(vector_job: FinishedJob, tmp_path: Path) -> None:
    output = Path(shutil.copytree(vector_job.output, tmp_path / "out"))
    jobs.write_embeddings(tmp_path / "heldout", 50, seed=2)
    labels = jobs.write_labels(tmp_path / "labels.csv", dict.fromkeys(jobs.row_ids(600), "good"))
    heldout = jobs.write_labels(tmp_path / "heldout.csv", dict.fromkeys(jobs.row_ids(51), "good"))
    block = {"uri": f"{tmp_path}/heldout", "format": "embeddings", "labels": {"uri": str(heldout), "format": "csv"}}
    certificate = (output / "certificate.json").read_bytes()
    said = jobs.refused(jobs.changed(with_labels(vector_job, tmp_path, labels), {"spec.evaluation": block}), 65)
    assert "spec.evaluation.labels: 1 of 51 ids are unknown: 'row-00050'" in said
    assert (output / "certificate.json").read_bytes() == certificate
    assert jobs.run(vector_job.elsewhere(output)) == vector_job.report


def test_too_many_bad_held_out_rows_end_the_run_and_have_a_file_of_their_own(
    vector_job: FinishedJob, tmp_path: Path
) -> None:
    write_vectors(tmp_path / "heldout", [[float("nan")] * 4, *some_vectors(9)])
    heldout = jobs.write_labels(tmp_path / "heldout.csv", dict.fromkeys("abcdefghij", "good"))
    block = {"uri": f"{tmp_path}/heldout", "format": "embeddings", "labels": {"uri": str(heldout), "format": "csv"}}
    labels = jobs.write_labels(tmp_path / "labels.csv", dict.fromkeys(jobs.row_ids(600), "good"))
    said = jobs.refused(jobs.changed(with_labels(vector_job, tmp_path, labels), {"spec.evaluation": block}), 65)
    assert "spec.evaluation: 1 of 10 rows are unreadable (1 non-finite)" in said
    assert "See heldout-quarantine.parquet in the output" in said
    (row,) = pq.read_table(tmp_path / "out" / "heldout-quarantine.parquet").to_pylist()
    assert (row["id"], row["reason"]) == ("a", "non-finite")


def with_labels(job: FinishedJob, folder: Path, file: Path) -> Manifest:
    return job.elsewhere(folder / "out", {"spec.pool.labels": {"uri": str(file), "format": "csv"}})


# -------------------------------------------------------------------------------------------------------- storage


@pytest.mark.parametrize("field", ["spec.pool.uri", "spec.output.uri"])
def test_wrong_credentials_are_named_without_the_server_s_words(
    field: str, vector_job: FinishedJob, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = b"<Error><Code>AccessDenied</Code><AWSAccessKeyId>AKIA-OF-SOMEBODY</AWSAccessKeyId></Error>"
    with answering(Answer(403, body)) as endpoint:
        for name, value in environment(endpoint).items():
            monkeypatch.setenv(name, value)
        said = jobs.refused(vector_job.elsewhere(tmp_path / "out", {field: "s3://plant/welds"}), 66)
    assert "s3://plant/welds" in said
    assert "access denied" in said
    assert "AKIA" not in said
    require_nothing_selected(tmp_path / "out")


# ------------------------------------------------------------------------------------------------------- held-out set


@pytest.mark.parametrize("length", [3, 5000])
def test_held_out_vectors_of_another_length_are_named_and_the_selection_stays(length: int, tmp_path: Path) -> None:
    pool = write_vectors(tmp_path / "pool", some_vectors(12))
    rows: list[list[float | None]] = np.random.default_rng(1).normal(size=(4, length)).tolist()
    write_vectors(tmp_path / "heldout", rows)
    labels = jobs.write_labels(
        tmp_path / "labels.csv", {letter: "even" if letter in "aceg" else "odd" for letter in "abcdefghijkl"}
    )
    heldout = jobs.write_labels(tmp_path / "heldout.csv", {"a": "even", "b": "odd", "c": "even", "d": "odd"})
    blocks = {
        "spec.pool.labels": {"uri": str(labels), "format": "csv"},
        "spec.evaluation": {
            "uri": f"{tmp_path}/heldout",
            "format": "embeddings",
            "labels": {"uri": str(heldout), "format": "csv"},
        },
    }
    made = jobs.embeddings_manifest(pool, tmp_path / "out", **SMALL)
    said = jobs.refused(jobs.changed(made, blocks), 65)
    assert f"spec.evaluation.uri: the vectors of file://{tmp_path}/heldout have {length} numbers" in said
    assert f"those of file://{pool} (spec.pool.uri) have 4" in said
    assert (tmp_path / "out" / "certificate.json").exists()
