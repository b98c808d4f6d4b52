"""Manifests that are valid but for what a test changes: `manifest({"spec.selection.budget": {"percent": 2}})`."""

from __future__ import annotations

import copy
from collections.abc import Mapping

from afray.api import paths
from afray.api.job import SelectionJob
from afray.api.loading import load_object
from afray.api.problems import InvalidManifest, Problem
from afray.api.rules import Target

REMOVED = object()
"""Value of a field that a test leaves out."""

LABELS = {"uri": "labels.csv", "format": "csv"}
EVALUATION = {"uri": "heldout", "format": "images", "labels": LABELS}
RUNTIME = {"image": "registry.example.com/afray:1.0", "rayVersion": "2.60.0"}
WORKERS = {"name": "gpu", "replicas": 2, "resources": {"cpu": "8", "memory": "32Gi", "nvidia.com/gpu": "1"}}
CLUSTER = {"head": {"resources": {"cpu": "2", "memory": "4Gi"}}, "workers": [WORKERS]}

_MINIMAL: dict[str, object] = {
    "apiVersion": "afray.dev/v1alpha1",
    "kind": "SelectionJob",
    "metadata": {"name": "weld-pilot"},
    "spec": {
        "pool": {"uri": "pool", "format": "images"},
        "embedding": {"model": "timm/vit_small_patch16_224.dino"},
        "selection": {"budget": {"count": 100}},
        "output": {"uri": "out"},
    },
}


def manifest(changes: Mapping[str, object] | None = None) -> dict[str, object]:
    """A minimal manifest for `afray run`, with fields set or REMOVED by their paths."""
    made: dict[str, object] = copy.deepcopy(_MINIMAL)
    for path, value in (changes or {}).items():
        set_field(made, paths.split(path), copy.deepcopy(value) if value is not REMOVED else value)
    return made


def cluster_manifest(changes: Mapping[str, object] | None = None) -> dict[str, object]:
    """A minimal manifest for a cluster, with fields set or REMOVED by their paths."""
    on_cluster = {
        "spec.pool.uri": "s3://plant/welds",
        "spec.output.uri": "s3://plant/out",
        "spec.runtime": RUNTIME,
        "spec.cluster": CLUSTER,
    }
    return manifest({**on_cluster, **(changes or {})})


def make_job(changes: Mapping[str, object] | None = None) -> SelectionJob:
    """The job of `manifest(changes)`."""
    return load_object(manifest(changes), "test")


def problems_of(content: object, target: Target | None = None) -> tuple[Problem, ...]:
    """Everything that is wrong with a manifest; nothing if it loads."""
    try:
        load_object(content, "test", target=target)
    except InvalidManifest as error:
        return error.problems
    return ()


def set_field(made: object, path: paths.Path, value: object) -> None:
    """Set a field of a manifest, or remove it, making the blocks around it."""
    *parents, last = path
    for step in parents:
        assert isinstance(made, dict | list)
        made = made.setdefault(step, {}) if isinstance(made, dict) else made[int(step)]
    assert isinstance(made, dict | list)
    if value is REMOVED:
        assert isinstance(made, dict)
        made.pop(last, None)
    else:
        made[last] = value  # type: ignore[index]
