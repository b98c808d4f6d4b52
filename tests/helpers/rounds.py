"""Rounds of a small labelled pool of vectors: what people would answer, and the job of the round after."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path

from helpers import jobs
from helpers.jobs import Manifest
from helpers.labelled import blobs

LABELS: Mapping[str, str] = dict(
    zip(jobs.row_ids(jobs.VECTORS), blobs(jobs.VECTORS, classes=6, noise=0.8).labels.tolist(), strict=True)
)
"""Of every row of `jobs.write_embeddings`."""


def selected(output: Path) -> list[str]:
    """The ids that a run selected, in rank order."""
    with (output / "selection.csv").open() as file:
        return [line["id"] for line in csv.DictReader(file)]


def answer(output: Path, path: Path) -> Path:
    """Write the true labels of a run's rows as people send them back."""
    return jobs.write_labels(path, {row_id: LABELS[row_id] for row_id in selected(output)})


def next_round(
    before: Manifest,
    output: Path,
    labels: Path,
    changes: Mapping[str, object] | None = None,
    *,
    method: str = "uherding",
) -> Manifest:
    """The job that goes on from the finished job `before`, with 20 new rows."""
    spec = before["spec"]
    assert isinstance(spec, dict)
    return jobs.changed(
        before,
        {
            "spec.previous": {
                "certificate": {"uri": f"{spec['output']['uri']}/certificate.json"},
                "labels": {"uri": str(labels), "format": "csv"},
            },
            "spec.selection": {"method": method, "budget": {"count": 20}},
            "spec.output.uri": str(output),
            **(changes or {}),
        },
    )
