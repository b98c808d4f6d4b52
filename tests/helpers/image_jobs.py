"""A job on images with everything in it: labels, a held-out set, a finetune, exact copies and unreadable files."""

from __future__ import annotations

import shutil
from pathlib import Path

from helpers import jobs
from helpers.jobs import FinishedJob, Manifest

BAD = {"0/empty.png": "empty", "1/no picture.png": "not-an-image", "2/cut off.png": "truncated"}
"""Reason by id; they lie in the midst of good rows."""
COPIES = {jobs.odd_id(5): "+ sorted first.png", "zz, a copy.png": jobs.odd_id(0), "zz.png": jobs.odd_id(0)}
"""Row that stands for it, by id: the one with the lowest id, also where that was not the original."""
HELDOUT = 60


def write_image_job(folder: Path) -> Manifest:
    """Write pool, held-out set and label files below a folder; returns the manifest."""
    pool, heldout = folder / "pool", folder / "heldout"
    labels = jobs.write_images(pool, name=jobs.odd_id)
    for row_id, twin in COPIES.items():
        original, copy = (pool / row_id, pool / twin) if row_id in labels else (pool / twin, pool / row_id)
        shutil.copy(original, copy)
    _write_bad_rows(pool)
    heldout_labels = jobs.write_images(heldout, HELDOUT, seed=1)
    return jobs.changed(
        jobs.images_manifest(pool, folder / "out"),
        {
            "spec.pool.labels": _label_block(
                folder / "labels.csv", labels | {"+ sorted first.png": labels[jobs.odd_id(5)]}
            ),
            "spec.evaluation": {
                "uri": str(heldout),
                "format": "images",
                "labels": _label_block(folder / "heldout.csv", heldout_labels),
            },
            "spec.finetune": {"epochs": 10},
        },
    )


def without_labels(job: FinishedJob, output: Path | str) -> Manifest:
    """The same selection with another output, and nothing after it."""
    made = job.elsewhere(output)
    spec = made["spec"]
    assert isinstance(spec, dict)
    del spec["finetune"], spec["evaluation"], spec["pool"]["labels"]
    return made


def _write_bad_rows(pool: Path) -> None:
    whole = jobs.picture(0, seed=9)
    contents = {"empty": b"", "not-an-image": b"this is no picture\n", "truncated": whole[: len(whole) // 2]}
    for row_id, reason in BAD.items():
        jobs.write_file(pool / row_id, contents[reason])


def _label_block(path: Path, labels: dict[str, str]) -> dict[str, str]:
    return {"uri": str(jobs.write_labels(path, labels)), "format": "csv"}
