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


def first_round(folder: Path, weights: Path) -> Manifest:
    """12 of 60 images below `folder`, by weights that a test can take away."""
    torch.save(_packaged_lite0(), weights)
    return jobs.changed(
        jobs.images_manifest(folder / "pool", folder / "one"),
        {
            "spec.embedding.weights": {
                "uri": str(weights),
                "sha256": hashlib.sha256(weights.read_bytes()).hexdigest(),
            },
            "spec.selection": {"method": "kmeans", "budget": {"count": 12}},
        },
    )


def test_a_round_needs_the_model_for_new_rows_only(ray_cpus: int, tmp_path: Path) -> None:
    labels = jobs.write_images(tmp_path / "pool", IMAGES)
    weights = tmp_path / "weights.pt"
    first = first_round(tmp_path, weights)
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


def test_held_out_rows_are_embedded_once_for_all_rounds(ray_cpus: int, tmp_path: Path) -> None:
    labels = jobs.write_images(tmp_path / "pool", IMAGES)
    heldout = jobs.write_labels(tmp_path / "heldout.csv", jobs.write_images(tmp_path / "heldout", 30, name=jobs.odd_id))
    known = jobs.write_labels(tmp_path / "pool.csv", labels)
    weights = tmp_path / "weights.pt"
    first = jobs.changed(
        first_round(tmp_path, weights),
        {
            "spec.pool.labels": {"uri": str(known), "format": "csv"},
            "spec.evaluation": {
                "uri": str(tmp_path / "heldout"),
                "format": "images",
                "labels": {"uri": str(heldout), "format": "csv"},
            },
        },
    )
    worth = [jobs.run(first).evaluation.probe]
    kept = weights.read_bytes()
    weights.unlink()
    answers = answer(tmp_path / "one", tmp_path / "labels.csv", labels)
    second = rounds.next_round(first, tmp_path / "two", answers, {"spec.embedding.shardSize": 20})
    worth += [jobs.run(second).evaluation.probe, jobs.run(second).evaluation.probe, jobs.run(first).evaluation.probe]
    assert worth == [worth[0], worth[1], worth[1], worth[0]]
    assert [probe and (probe.labels, probe.test_rows) for probe in worth[:2]] == [(12, 30), (32, 30)]
    assert jobs.vectors_of(tmp_path / "two") == jobs.vectors_of(tmp_path / "one")

    weights.write_bytes(kept)
    jobs.write_file(tmp_path / "heldout" / jobs.odd_id(0), jobs.picture(0, seed=2))
    again = jobs.changed(second, {"spec.output.uri": str(tmp_path / "three")})
    jobs.run(again)
    before, now = jobs.vectors_of(tmp_path / "two"), jobs.vectors_of(tmp_path / "three")
    assert len({*before.items()} ^ {*now.items()}) == 2
