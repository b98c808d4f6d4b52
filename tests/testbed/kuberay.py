"""KubeRay on a cluster: the manifests of its own module, with an image that no registry has seen."""

from __future__ import annotations

import json
import shutil

from testbed import images
from testbed.cluster import Cluster
from testbed.gomodules import source
from testbed.kubectl import FIELD_MANAGER
from testbed.steps import step

NAMESPACE = "kuberay-system"
DEPLOYMENT = "kuberay-operator"
READY_SECONDS = 120.0
QUICK = [
    {"op": "remove", "path": "/spec/template/spec/containers/0/resources/limits/cpu"},
    {"op": "replace", "path": "/spec/template/spec/containers/0/readinessProbe/initialDelaySeconds", "value": 1},
]
"""A tenth of a core would make every test wait."""


def install(cluster: Cluster) -> None:
    """Install it and wait until it works."""
    cluster.load(images.kuberay())
    with step("installing KubeRay"):
        _apply(cluster)
        cluster.kubectl.wait(
            f"deployment/{DEPLOYMENT}", "condition=Available", namespace=NAMESPACE, seconds=READY_SECONDS
        )


def _apply(cluster: Cluster) -> None:
    folder = cluster.instance.folder / "kuberay"
    shutil.copytree(source("kuberay-config"), folder / "config")
    name, _, tag = images.KUBERAY.partition(":")
    (folder / "namespace.json").write_text(
        json.dumps({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}})
    )
    (folder / "kustomization.yaml").write_text(
        json.dumps(
            {
                "apiVersion": "kustomize.config.k8s.io/v1beta1",
                "kind": "Kustomization",
                "namespace": NAMESPACE,
                "resources": ["namespace.json", "config/crd", "config/rbac", "config/manager"],
                "images": [{"name": "kuberay/operator", "newName": name, "newTag": tag}],
                "patches": [{"target": {"kind": "Deployment"}, "patch": json.dumps(QUICK)}],
            }
        )
    )
    cluster.kubectl("apply", "--server-side", "--field-manager", FIELD_MANAGER, "-k", folder)
