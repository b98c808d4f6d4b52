"""Labels that are good answers and yet tell too little, or all there is to tell: said with the next step."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from helpers import jobs, rounds
from helpers.jobs import FinishedJob, RecordingDisplay
from helpers.pools import parquet_bytes, vector_column

pytestmark = pytest.mark.ray


def test_a_round_with_fewer_labels_than_classes_runs_and_names_the_classes(
    vector_job: FinishedJob, tmp_path: Path
) -> None:
    # Five labels and 55 skipped rows, of a pool whose six classes are known beforehand.
    ids = rounds.selected(vector_job.output)
    lines = [f"{row_id},{rounds.LABELS[row_id] if place < 5 else ''},{'' if place < 5 else 'skipped'}"
             for place, row_id in enumerate(ids)]  # fmt: skip
    labels = tmp_path / "labels.csv"
    labels.write_text("\n".join(["id,label,status", *lines]) + "\n")
    known = jobs.write_labels(tmp_path / "known.csv", dict(rounds.LABELS))
    display = RecordingDisplay()
    made = rounds.next_round(
        vector_job.manifest, tmp_path / "out", labels, {"spec.pool.labels": {"uri": str(known), "format": "csv"}}
    )
    jobs.run(made, display=display)
    hit = {rounds.LABELS[row_id] for row_id in ids[:5]}
    without = sorted(set(rounds.LABELS.values()) - hit)
    assert display.was_told(f"{len(without)} of the 6 classes of spec.pool.labels have no label: {without[0]!r}")
    assert display.was_told("there are fewer labels (5) than classes. Nothing predicts a class without a label")
    assert len(set(rounds.selected(tmp_path / "out")) - set(ids)) == 20


def test_a_model_that_is_sure_of_every_row_that_is_left_ends_the_rounds(ray_cpus: int, tmp_path: Path) -> None:
    assert ray_cpus
    side = np.where(np.arange(200) % 2 == 0, 1.0, -1.0)
    vectors = side[:, None] * np.ones(8) + 0.001 * np.random.default_rng(0).normal(size=(200, 8))
    pool = tmp_path / "pool"
    columns = {"id": jobs.row_ids(200), "embedding": vector_column(vectors.astype(np.float32))}
    jobs.write_file(pool / "vectors.parquet", parquet_bytes(columns))
    first = jobs.embeddings_manifest(pool, tmp_path / "one", method="kmeans", budget={"count": 40})
    spec = first["spec"]
    assert isinstance(spec, dict)
    del spec["selection"]["core"]
    jobs.run(first)
    truth = {row_id: "up" if int(row_id[-5:]) % 2 == 0 else "down" for row_id in rounds.selected(tmp_path / "one")}
    labels = jobs.write_labels(tmp_path / "labels.csv", truth)
    said = jobs.refused(rounds.next_round(first, tmp_path / "two", labels), 64)
    assert "spec.selection.method: the labels so far leave no row uncertain (value: 'uherding')" in said
    assert "Stop labelling, or go on by coverage alone with method: kmeans" in said
    jobs.run(rounds.next_round(first, tmp_path / "three", labels, method="kmeans"))
