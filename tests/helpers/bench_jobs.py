"""A job that a bench can run on: embeddings with labels, and as many held-out ones."""

from __future__ import annotations

from pathlib import Path

import yaml
from helpers.labelled import blobs
from helpers.pools import parquet_bytes, vector_column

from afray.evaluation.labels import LabelledRows


def write_set(folder: Path, rows: LabelledRows) -> dict[str, object]:
    """A pool of embeddings and its labels; returns the block of the spec that names them."""
    folder.mkdir()
    ids = [f"row-{number:03d}" for number in range(len(rows.labels))]
    (folder / "rows.parquet").write_bytes(parquet_bytes({"id": ids, "embedding": vector_column(rows.vectors)}))
    labels = folder.with_suffix(".csv")
    labels.write_text("id,label\n" + "".join(f"{i},{label}\n" for i, label in zip(ids, rows.labels, strict=True)))
    return {"uri": str(folder), "format": "embeddings", "labels": {"uri": str(labels), "format": "csv"}}


def write_job(folder: Path, pool: LabelledRows, heldout: LabelledRows | None) -> Path:
    """The manifest of a job on these rows, all of it below an existing folder."""
    spec: dict[str, object] = {
        "pool": write_set(folder / "pool", pool),
        "selection": {"method": "bilaf", "budget": {"count": 10}, "core": {"steps": 3}},
        "output": {"uri": str(folder / "out")},
    }
    if heldout is not None:
        spec["evaluation"] = write_set(folder / "heldout", heldout)
    manifest = {"apiVersion": "afray.dev/v1alpha1", "kind": "SelectionJob", "metadata": {"name": "toy"}, "spec": spec}
    path = folder / "job.yaml"
    path.write_text(yaml.safe_dump(manifest))
    return path


def write_manifest(folder: Path, *, evaluation: bool = True) -> Path:
    heldout = blobs(200, classes=6, noise=0.8, seed=1) if evaluation else None
    return write_job(folder, blobs(300, classes=6, noise=0.8), heldout)
