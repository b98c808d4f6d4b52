"""SelectionJobs as users write them for a cluster."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

QUEUE = {"kueue.x-k8s.io/queue-name": "team-a"}
_PODS = {"cpu": "1", "memory": "1Gi"}
_SPEC: dict[str, Any] = {
    "pool": {"uri": "s3://plant/welds", "format": "images"},
    "embedding": {"model": "timm/vit_small_patch16_224.dino"},
    "selection": {"budget": {"count": 100}},
    "output": {"uri": "s3://plant/out"},
    "runtime": {"image": "afray:0.1.0", "rayVersion": "2.60.0"},
    "cluster": {"head": {"resources": _PODS}, "workers": [{"name": "gpu", "replicas": 2, "resources": _PODS}]},
}


def make_manifest(
    namespace: str, name: str = "welds", *, labels: Mapping[str, str] = QUEUE, **blocks: object
) -> dict[str, Any]:
    """A manifest that a cluster takes; `blocks` stand in for those of the spec."""
    return {
        "apiVersion": "afray.dev/v1alpha1",
        "kind": "SelectionJob",
        "metadata": {"name": name, "namespace": namespace, "labels": dict(labels)},
        "spec": {**copy.deepcopy(_SPEC), **blocks},
    }
