"""RayJobs of jobs of every kind, kept as files: `python -m helpers.rayjob_goldens` (in tests) writes them anew."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import yaml
from afray_operator.manifests.ownership import Owner
from afray_operator.manifests.rayjobs import Attempt, ray_job
from helpers.kube_objects import NAME, NAMESPACE, UID
from helpers.manifests import cluster_manifest
from helpers.repository import ROOT

from afray.api.loading import load_object
from afray.api.rules import Target
from afray.api.stages import Stage

FOLDER: Final = ROOT / "tests/data/rayjobs"
_QUEUE: Final = {"kueue.x-k8s.io/queue-name": "team-a", "kueue.x-k8s.io/priority-class": "high", "team": "welding"}
_CPU: Final = {"name": "cpu", "replicas": 3, "resources": {"cpu": "4", "memory": "8Gi"}}
_GPU: Final = {
    "name": "gpu",
    "replicas": 2,
    "resources": {"cpu": "8", "memory": "32Gi", "nvidia.com/gpu": "1"},
    "template": {
        "metadata": {"labels": {"afray.dev/job": "not-this", "team": "welding"}},
        "spec": {
            "nodeSelector": {"pool": "gpu"},
            "tolerations": [{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}],
            "containers": [{"name": "ray", "env": [{"name": "OMP_NUM_THREADS", "value": "4"}]}],
        },
    },
}
_HEAD: Final = {
    "resources": {"cpu": "2", "memory": "4Gi", "nvidia.com/gpu": "1"},
    "template": {
        "spec": {
            "priorityClassName": "on-demand",
            "containers": [
                {
                    "name": "ray",
                    "env": [{"name": "SELECTION_STAGE", "value": "nothing"}],
                    "volumeMounts": [{"name": "ca", "mountPath": "/etc/ca", "readOnly": True}],
                },
                {"name": "logs", "image": "fluent-bit:3"},
            ],
            "volumes": [{"name": "ca", "configMap": {"name": "ca"}}],
        }
    },
}
_EVERYTHING: Final[dict[str, object]] = {
    "spec.cluster": {"head": _HEAD, "workers": [_GPU, _CPU]},
    "spec.runtime.imagePullSecrets": [{"name": "registry"}],
    "spec.runtime.serviceAccountName": "irsa",
    "spec.runtime.envFrom": [{"secretRef": {"name": "s3"}}, {"configMapRef": {"name": "region"}, "prefix": "AWS_"}],
    "spec.runtime.env": [
        {"name": "HOME", "value": "/home/ray"},
        {"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "hub", "key": "token", "optional": True}}},
    ],
    "spec.pool.uri": "s3://plant/$(HOME)/welds",
    "spec.policy": {"stallTimeoutSeconds": 120},
    "spec.labels": {"uri": "s3://plant/labels.csv", "format": "csv"},
    "spec.finetune": {"epochs": 5, "workers": {"group": "gpu", "replicas": 1}},
}

CASES: Final[Mapping[str, tuple[dict[str, object], Mapping[str, str], Stage, int]]] = {
    "minimal-select": ({}, {}, Stage.select, 1),
    "everything-select": (_EVERYTHING, _QUEUE, Stage.select, 12),
    "everything-labels": (_EVERYTHING, _QUEUE, Stage.labels, 2),
    "everything-finetune": (_EVERYTHING, _QUEUE, Stage.finetune, 1),
}
"""Changes of the minimal manifest, labels of the SelectionJob, stage and attempt."""


def make(case: str) -> Any:
    """The RayJob of a case, as JSON."""
    changes, labels, stage, number = CASES[case]
    job = load_object(cluster_manifest(changes), case, target=Target.cluster)
    owner = Owner(namespace=NAMESPACE, name=NAME, uid=UID)
    made = ray_job(Attempt(owner=owner, job=job, labels=labels, stage=stage, number=number))
    return json.loads(json.dumps(made))


def path(case: str) -> Path:
    """Its file."""
    return FOLDER / f"{case}.yaml"


def write() -> None:
    """Write all files; read the difference before it is committed."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for case in CASES:
        path(case).write_text(yaml.safe_dump(make(case), sort_keys=False, width=110))


if __name__ == "__main__":
    write()
