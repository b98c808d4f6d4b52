"""Locations: how relative ones resolve, and when one lies inside the other."""

from __future__ import annotations

from pathlib import Path

import pytest
from helpers.manifests import EVALUATION, LABELS, make_job

from afray.api.locations import contains, is_uri
from afray.api.uris import locations, resolve_uris

EVERYTHING: dict[str, object] = {
    "spec.pool.labels": {"uri": "known.csv", "format": "csv"},
    "spec.embedding.weights": {"uri": "/models/dino.pt", "sha256": "a" * 64},
    "spec.selection.core": {"method": "given", "uri": "s3://plant/cores.txt"},
    "spec.labels": LABELS,
    "spec.evaluation": EVALUATION,
}


def test_every_location_of_a_job_is_found() -> None:
    assert dict(locations(make_job(EVERYTHING))) == {
        "spec.pool.uri": "pool",
        "spec.pool.labels.uri": "known.csv",
        "spec.embedding.weights.uri": "/models/dino.pt",
        "spec.selection.core.uri": "s3://plant/cores.txt",
        "spec.labels.uri": "labels.csv",
        "spec.evaluation.uri": "heldout",
        "spec.evaluation.labels.uri": "labels.csv",
        "spec.output.uri": "out",
    }


def test_relative_paths_start_at_the_given_directory_and_uris_stay() -> None:
    resolved = resolve_uris(make_job(EVERYTHING), Path("/home/ann/my work"))
    assert dict(locations(resolved)) == {
        "spec.pool.uri": "file:///home/ann/my%20work/pool",
        "spec.pool.labels.uri": "file:///home/ann/my%20work/known.csv",
        "spec.embedding.weights.uri": "file:///models/dino.pt",
        "spec.selection.core.uri": "s3://plant/cores.txt",
        "spec.labels.uri": "file:///home/ann/my%20work/labels.csv",
        "spec.evaluation.uri": "file:///home/ann/my%20work/heldout",
        "spec.evaluation.labels.uri": "file:///home/ann/my%20work/labels.csv",
        "spec.output.uri": "file:///home/ann/my%20work/out",
    }


def test_resolving_changes_nothing_else_and_happens_once() -> None:
    job = make_job()
    resolved = resolve_uris(job, Path("/home/ann"))
    assert job == make_job()
    assert resolved.spec.selection == job.spec.selection
    assert resolve_uris(resolved, Path("/elsewhere")) == resolved


def test_a_tilde_is_the_home_directory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/ann")
    resolved = resolve_uris(make_job({"spec.pool.uri": "~/welds"}), Path("/work"))
    assert resolved.spec.pool.uri == "file:///home/ann/welds"


@pytest.mark.parametrize(
    ("folder", "location", "inside"),
    [
        ("pool", "pool", True),
        ("pool", "./pool/", True),
        ("pool", "pool/a/b", True),
        ("pool", "pool2", False),
        ("pool", "x/../pool/a", True),
        (".", "pool", False),
        ("/", "/pool", True),
        ("s3://plant", "s3://plant/welds", True),
        ("s3://plant/welds", "s3://plant/welds-2", False),
        ("s3://plant/welds", "gs://plant/welds", False),
        ("file:///data/my%20pool", "/data/my pool/a", True),
        ("/data", "file://localhost/data/pool", True),
    ],
)
def test_one_location_inside_another(folder: str, location: str, inside: bool) -> None:
    assert contains(folder, location) is inside


@pytest.mark.parametrize(
    ("location", "is_one"), [("s3://a/b", True), ("file:///a", True), ("/a", False), ("a/b", False)]
)
def test_a_path_is_no_uri(location: str, is_one: bool) -> None:
    assert is_uri(location) is is_one
