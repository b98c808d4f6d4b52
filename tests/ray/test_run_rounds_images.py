"""A round on images: no model is loaded unless a row is new, and another encoder is refused."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
import torch
from helpers import jobs, rounds
from helpers.jobs import Manifest

from afray.embedding.backbones import _packaged_lite0

pytestmark = pytest.mark.ray
IMAGES = 60


def answer(output: Path, path: Path, labels: dict[str, str]) -> Path:
    return jobs.write_labels(path, {row_id: labels[row_id] for row_id in rounds.selected(output)})


def test_a_round_needs_the_model_for_new_rows_only(ray_cpus: int, tmp_path: Path) -> None:
    labels = jobs.write_images(tmp_path / "pool", IMAGES)
    weights = tmp_path / "weights.pt"
    torch.save(_packaged_lite0(), weights)
    first: Manifest = jobs.changed(
        jobs.images_manifest(tmp_path / "pool", tmp_path / "one"),
        {
            "spec.embedding.weights": {
                "uri": str(weights),
                "sha256": hashlib.sha256(weights.read_bytes()).hexdigest(),
            },
            "spec.selection": {"method": "kmeans", "budget": {"count": 12}},
        },
    )
    jobs.run(first)
    answers = answer(tmp_path / "one", tmp_path / "labels.csv", labels)
    kept = weights.read_bytes()
    weights.unlink()
    jobs.run(rounds.next_round(first, tmp_path / "two", answers))
    assert jobs.vectors_of(tmp_path / "two") == jobs.vectors_of(tmp_path / "one")

    weights.write_bytes(kept)
    jobs.write_file(tmp_path / "pool" / "0/new.png", jobs.picture(IMAGES))
    jobs.run(rounds.next_round(first, tmp_path / "three", answers))
    before, now = jobs.vectors_of(tmp_path / "one"), jobs.vectors_of(tmp_path / "three")
    assert {row_id: now[row_id] for row_id in before} == before
    assert set(now) - set(before) == {"0/new.png"}

    said = jobs.refused(rounds.next_round(first, tmp_path / "four", answers, {"spec.embedding.imageSize": 48}), 64)
    fingerprint = jobs.json_of(tmp_path / "one" / "certificate.json")["embedding"]
    assert isinstance(fingerprint, dict)
    assert f"the fingerprint {fingerprint['fingerprint']}, this spec gives" in said
