from __future__ import annotations

import io
import json
import os
import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from helpers import jobs

from afray.driver.labelling import load_labels
from afray.driver.pipeline import run_stages
from afray.driver.progress import Bar
from afray.driver.verifying import verify
from afray.driver.workspace import RunSettings, Workspace, opened
from afray.errors import IntegrityError, PoolError, SpecError
from afray.pool.labels import read_labels
from afray.reporting.report import Report
from afray.storage.store import StoreRefused

pytestmark = [pytest.mark.ray, pytest.mark.usefixtures("ray_cpus")]


@pytest.fixture(scope="module")
def vectors(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return jobs.write_embeddings(tmp_path_factory.mktemp("vectors") / "pool")


@pytest.fixture(scope="module")
def expected(vectors: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The digest of the undisturbed job."""
    return jobs.run(jobs.embeddings_manifest(vectors, tmp_path_factory.mktemp("expected") / "out")).selection_digest


@pytest.mark.parametrize(("workers", "shard_size"), [(1, 100), (3, 37)])
def test_neither_workers_nor_shards_change_the_selection(
    vectors: Path, expected: str, tmp_path: Path, workers: int, shard_size: int
) -> None:
    manifest = jobs.embeddings_manifest(vectors, tmp_path / "out")
    spec = manifest["spec"]
    assert isinstance(spec, dict)
    spec["embedding"]["shardSize"] = shard_size
    assert jobs.run(manifest, workers=workers).selection_digest == expected


@dataclass
class KillingDisplay(jobs.RecordingDisplay):
    """Kills one worker when a stage starts, or when it reports a step for the first time."""

    stage: str = ""
    step: str | None = None
    workspace: Workspace | None = None
    killed: list[int] = field(default_factory=list)

    @contextmanager
    def bar(self, stage: str, total: int | None, unit: str) -> Iterator[Bar]:
        if stage == self.stage and self.step is None:
            self.kill()
        yield _KillingBar(self, stage)

    def kill(self) -> None:
        assert self.workspace is not None
        victim = self.workspace.crew.pids[0]
        os.kill(victim, signal.SIGKILL)
        self.killed.append(victim)


@dataclass
class _KillingBar:
    display: KillingDisplay
    stage: str

    def update(self, done: int, total: int | None = None, step: str = "") -> None:
        is_due = (self.stage, step) == (self.display.stage, self.display.step)
        if is_due and done and not self.display.killed:
            self.display.kill()


@pytest.mark.parametrize(
    ("stage", "step"),
    [("embed pool", None), ("embed pool", ""), ("select", None), ("select", "core"), ("select", "assign")],
)
def test_a_worker_killed_at_any_stage_changes_nothing(
    vectors: Path, expected: str, tmp_path: Path, stage: str, step: str | None
) -> None:
    job = jobs.parse(jobs.embeddings_manifest(vectors, tmp_path / "out"))
    display = KillingDisplay(stage=stage, step=step)
    with opened(job, RunSettings(workers=2), display) as workspace:
        display.workspace = workspace
        report = run_stages(workspace, load_labels(job))
        assert workspace.crew.replaced >= 1
    assert len(display.killed) == 1
    assert report.selection_digest == expected


def test_a_finished_job_is_answered_from_its_report(vectors: Path, expected: str, tmp_path: Path) -> None:
    manifest = jobs.embeddings_manifest(vectors, tmp_path / "out")
    first, display = jobs.run(manifest), jobs.RecordingDisplay()
    assert jobs.run(manifest, display=display) == first
    assert first.selection_digest == expected
    assert display.stages == []


# ---------------------------------------------------------------------------------------------- images and labels


@dataclass(frozen=True)
class ImageJob:
    manifest: dict[str, object]
    output: Path
    report: Report


@pytest.fixture(scope="module")
def image_job(tmp_path_factory: pytest.TempPathFactory) -> ImageJob:
    """A finished job on images with labels, a held-out set, two copies and three broken files."""
    folder = tmp_path_factory.mktemp("images")
    labels = jobs.write_images(folder / "pool")
    first = folder / "pool" / "0" / "image 0000.png"
    shutil.copy(first, folder / "pool" / "zz copy, of a ü.png")
    (folder / "pool" / "empty.png").touch()
    (folder / "pool" / "text.png").write_text("no picture")
    (folder / "pool" / "truncated.png").write_bytes(first.read_bytes()[:200])
    heldout = jobs.write_images(folder / "heldout", 60, seed=1)
    manifest = jobs.images_manifest(folder / "pool", folder / "out")
    spec = manifest["spec"]
    assert isinstance(spec, dict)
    spec["pool"] |= {
        "maxBadFraction": 0.05,
        "labels": {"uri": str(jobs.write_labels(folder / "labels.csv", labels)), "format": "csv"},
    }
    spec["evaluation"] = {
        "uri": str(folder / "heldout"),
        "format": "images",
        "labels": {"uri": str(jobs.write_labels(folder / "heldout.csv", heldout)), "format": "csv"},
    }
    spec["finetune"] = {"epochs": 2}
    return ImageJob(manifest, folder / "out", jobs.run(manifest))


def test_the_funnel_counts_every_row_once(image_job: ImageJob) -> None:
    funnel, counts = image_job.report.funnel, image_job.report.counts
    assert (funnel.listed, funnel.readable, funnel.unique) == (244, 241, 240)
    assert (funnel.selected, counts.core, counts.boundary) == (20, 12, 8)
    assert funnel.kept == 240 - counts.removed


def test_bad_rows_are_quarantined_with_a_reason_and_copies_point_to_the_lowest_id(image_job: ImageJob) -> None:
    bad = pq.read_table(image_job.output / "quarantine.parquet").to_pydict()
    assert dict(zip(bad["id"], bad["reason"], strict=True)) == {
        "empty.png": "empty",
        "text.png": "not-an-image",
        "truncated.png": "truncated",
    }
    copies = pq.read_table(image_job.output / "duplicates.parquet").to_pydict()
    assert (copies["id"], copies["copy_of"]) == (["zz copy, of a ü.png"], ["0/image 0000.png"])


def test_a_bad_row_moves_no_other_row(image_job: ImageJob, tmp_path: Path) -> None:
    spec = image_job.manifest["spec"]
    assert isinstance(spec, dict)
    clean = tmp_path / "pool"
    shutil.copytree(spec["pool"]["uri"], clean)
    for name in ("empty.png", "text.png", "truncated.png", "zz copy, of a ü.png"):
        (clean / name).unlink()
    report = jobs.run(jobs.images_manifest(clean, tmp_path / "out"))
    assert report.selection_digest == image_job.report.selection_digest


def test_probe_and_finetune_learn_what_is_easy_to_learn(image_job: ImageJob) -> None:
    evaluation = image_job.report.evaluation
    assert evaluation.probe is not None
    assert evaluation.probe.selected > 0.9
    assert [draw.seed for draw in evaluation.probe.random] == [0, 1, 2, 3, 4]
    assert evaluation.finetune is not None
    assert evaluation.finetune.held_out
    assert evaluation.finetune.classes == 2


def test_every_promised_file_is_there_and_verify_accepts_them(image_job: ImageJob) -> None:
    names = {path.name for path in image_job.output.iterdir() if path.is_file()}
    assert names >= {"selection.parquet", "selection.csv", "excluded.parquet", "report.json", "report.html"}
    assert list((image_job.output / "logs").glob("driver-*.log"))
    found = list(verify(str(image_job.output), RunSettings(workers=2), jobs.RecordingDisplay(), embed=7))
    assert [check for check in found if not check.holds] == []
    assert sum(check.what.startswith("vector of row") for check in found) == 7
    assert found[-1].what == "selection"


@pytest.mark.parametrize("workers", [1, 3])
def test_vectors_are_the_same_bits_for_any_number_of_workers(image_job: ImageJob, tmp_path: Path, workers: int) -> None:
    spec = image_job.manifest["spec"]
    assert isinstance(spec, dict)
    manifest = jobs.images_manifest(spec["pool"]["uri"], tmp_path / "out")
    manifest["spec"]["pool"]["maxBadFraction"] = 0.05  # type: ignore[index]
    jobs.run(manifest, workers=workers)
    assert vector_digests(tmp_path / "out") == vector_digests(image_job.output)


def vector_digests(output: Path) -> list[str]:
    certificate = json.loads((output / "certificate.json").read_text())
    return [shard["digest"] for shard in certificate["embedding"]["shards"]]


def damaged(image_job: ImageJob, tmp_path: Path) -> Path:
    copy = tmp_path / "out"
    shutil.copytree(image_job.output, copy)
    return copy


def first_difference(output: Path) -> str:
    for check in verify(str(output), RunSettings(workers=2), jobs.RecordingDisplay()):
        if not check.holds:
            return check.what
    return ""


def test_verify_names_an_edited_output_file(image_job: ImageJob, tmp_path: Path) -> None:
    output = damaged(image_job, tmp_path)
    with (output / "selection.csv").open("a") as file:
        file.write("one more line\n")
    assert first_difference(output) == "selection.csv"


def test_verify_names_a_shard_whose_vectors_were_truncated(image_job: ImageJob, tmp_path: Path) -> None:
    output = damaged(image_job, tmp_path)
    fingerprint = json.loads((output / "certificate.json").read_text())["embedding"]["fingerprint"][:32]
    victim = next((output / "embeddings" / fingerprint).glob("00002.*.vectors.npy"))
    victim.write_bytes(victim.read_bytes()[:100])
    assert first_difference(output) == "embeddings shard 2"


def test_verify_refuses_an_edited_certificate(image_job: ImageJob, tmp_path: Path) -> None:
    output = damaged(image_job, tmp_path)
    text = (output / "certificate.json").read_text()
    (output / "certificate.json").write_text(text.replace('"seed": 0', '"seed": 1'))
    with pytest.raises(IntegrityError, match="seed"):
        first_difference(output)


# ------------------------------------------------------------------------------------------------------ bad input


def bad_embeddings(folder: Path, vectors: list[list[float | None]]) -> Path:
    folder.mkdir()
    ids = [f"r{n}" for n in range(len(vectors))]
    column = pa.array(vectors, pa.list_(pa.float32()))
    pq.write_table(pa.table({"id": ids, "embedding": column}), folder / "vectors.parquet")
    return folder


def test_an_empty_pool_is_named(tmp_path: Path) -> None:
    (tmp_path / "pool").mkdir()
    with pytest.raises(PoolError, match="empty pool"):
        jobs.run(jobs.images_manifest(tmp_path / "pool", tmp_path / "out"))


def test_a_budget_above_the_pool_names_both_numbers_and_a_corrected_run_succeeds(vectors: Path, tmp_path: Path) -> None:
    too_much = jobs.embeddings_manifest(vectors, tmp_path / "out", budget={"count": 601})
    with pytest.raises(SpecError, match=r"budget\.count.*600"):
        jobs.run(too_much)
    # Another budget is another spec, and an output belongs to one spec.
    corrected = jobs.embeddings_manifest(vectors, tmp_path / "other", budget={"count": 50})
    assert jobs.run(corrected).funnel.selected == 50


def test_when_all_rows_are_bad_the_run_ends_with_their_reasons(tmp_path: Path) -> None:
    pool = bad_embeddings(tmp_path / "pool", [[None, 1.0], [float("nan"), 0.0]])
    with pytest.raises(PoolError, match=r"all 2 rows are unreadable \(2 non-finite\)"):
        jobs.run(jobs.embeddings_manifest(pool, tmp_path / "out", budget={"count": 1}, core={"size": 1}))
    assert pq.read_table(tmp_path / "out" / "quarantine.parquet")["id"].to_pylist() == ["r0", "r1"]
    assert not (tmp_path / "out" / "certificate.json").exists()


def test_too_many_bad_rows_end_the_run_and_name_the_ceiling(tmp_path: Path) -> None:
    rows: list[list[float | None]] = [[float(n), 1.0] for n in range(9)]
    pool = bad_embeddings(tmp_path / "pool", [*rows, [None, 0.0]])
    with pytest.raises(PoolError, match=r"1 of 10 rows.*10\.00%.*maxBadFraction allows 1\.00%"):
        jobs.run(jobs.embeddings_manifest(pool, tmp_path / "out", budget={"count": 2}, core={"size": 2}))
    assert pq.read_table(tmp_path / "out" / "quarantine.parquet").num_rows == 1


def test_labels_of_unknown_rows_are_refused_before_anything_is_embedded(tmp_path: Path) -> None:
    labels = jobs.write_images(tmp_path / "pool", 20)
    manifest = jobs.images_manifest(tmp_path / "pool", tmp_path / "out")
    path = jobs.write_labels(tmp_path / "labels.csv", labels | {"nobody.png": "disc"})
    manifest["spec"]["pool"]["labels"] = {"uri": str(path), "format": "csv"}  # type: ignore[index]
    with pytest.raises(PoolError, match=r"nobody\.png"):
        jobs.run(manifest)
    assert not (tmp_path / "out" / "embeddings").exists()


def test_one_class_stops_only_probe_and_finetune(vectors: Path, expected: str, tmp_path: Path) -> None:
    ids = pq.read_table(vectors / "vectors.parquet")["id"].to_pylist()
    manifest = jobs.embeddings_manifest(vectors, tmp_path / "out")
    path = jobs.write_labels(tmp_path / "labels.csv", dict.fromkeys(ids, "good"))
    heldout = jobs.write_embeddings(tmp_path / "heldout", 50, seed=2)
    spec = manifest["spec"]
    assert isinstance(spec, dict)
    spec["pool"]["labels"] = {"uri": str(path), "format": "csv"}
    held = dict.fromkeys(pq.read_table(heldout / "vectors.parquet")["id"].to_pylist(), "good")
    held_labels = {"uri": str(jobs.write_labels(tmp_path / "held.csv", held)), "format": "csv"}
    spec["evaluation"] = {"uri": str(heldout), "format": "embeddings", "labels": held_labels}
    display = jobs.RecordingDisplay()
    report = jobs.run(manifest, display=display)
    assert report.selection_digest == expected
    assert report.evaluation.probe is None
    assert any("class 'good'" in note for note in display.notes)


def test_given_cores_are_used_and_unknown_ones_are_named(vectors: Path, tmp_path: Path) -> None:
    cores = tmp_path / "cores.txt"
    cores.write_text("row-00003\nrow-00200\nrow-00417\n")
    core = {"method": "given", "uri": str(cores), "size": "auto"}
    jobs.run(jobs.embeddings_manifest(vectors, tmp_path / "out", core=core))
    chosen = pq.read_table(tmp_path / "out" / "selection.parquet").to_pydict()
    cores_chosen = [row for row, kind in zip(chosen["id"], chosen["kind"], strict=True) if kind == "core"]
    assert cores_chosen == ["row-00003", "row-00200", "row-00417"]
    cores.write_text("row-00003\nrow-99999\n")
    with pytest.raises(SpecError, match="row-99999"):
        jobs.run(jobs.embeddings_manifest(vectors, tmp_path / "other", core=core))


def test_an_unreadable_prefix_is_an_error_of_storage(tmp_path: Path) -> None:
    (tmp_path / "pool").write_text("a file, not a folder")
    with pytest.raises((PoolError, StoreRefused)):
        jobs.run(jobs.images_manifest(tmp_path / "pool", tmp_path / "out"))


def test_labels_that_come_back_are_evaluated_without_selecting_again(image_job: ImageJob, tmp_path: Path) -> None:
    output = damaged(image_job, tmp_path)
    manifest = json.loads(json.dumps(image_job.manifest))
    spec = manifest["spec"]
    known = read_labels(jobs.parse(manifest).spec.pool.labels)  # type: ignore[arg-type]
    chosen = pq.read_table(output / "selection.parquet")["id"].to_pylist()
    answers = jobs.write_labels(tmp_path / "answers.csv", {row_id: known[row_id] for row_id in chosen})
    spec["output"]["uri"] = str(output)
    spec["labels"] = {"uri": str(answers), "format": "csv"}
    del spec["finetune"]
    display = jobs.RecordingDisplay()
    report = jobs.run(manifest, display=display)
    assert report.selection_digest == image_job.report.selection_digest
    assert report.evaluation.probe is not None
    assert "embed held-out" in display.stages
    assert set(jobs.commit_epochs(output, "selection").values()) == {1}


def test_a_stored_vector_reads_back_as_it_was_given(vectors: Path, tmp_path: Path) -> None:
    jobs.run(jobs.embeddings_manifest(vectors, tmp_path / "out"))
    stored = sorted((tmp_path / "out" / "embeddings").rglob("*.vectors.npy"))
    found = np.concatenate([np.load(io.BytesIO(path.read_bytes())) for path in stored])
    given = np.stack(pq.read_table(vectors / "vectors.parquet")["embedding"].to_numpy())
    np.testing.assert_array_equal(found, given)
