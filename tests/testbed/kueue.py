"""Kueue on a cluster: its own chart, and the objects that make a queue."""

from __future__ import annotations

import time
from collections.abc import Mapping

from testbed import images
from testbed.cluster import Cluster
from testbed.gomodules import source
from testbed.helm import Helm
from testbed.kubectl import Kubectl, Manifest
from testbed.steps import StepFailed, step

NAMESPACE = "kueue-system"
API = "kueue.x-k8s.io/v1beta2"
FLAVOR = "default"
GPU = "nvidia.com/gpu"
SERVING_SECONDS = 60.0
RETRY_SECONDS = 0.5


def install(cluster: Cluster) -> None:
    """Install it, and wait until its webhooks answer: only then can queues be made."""
    cluster.load(images.kueue())
    repository, _, tag = images.KUEUE.partition(":")
    manager = {
        "image": {"repository": repository, "tag": tag, "pullPolicy": "IfNotPresent"},
        "resources": {"requests": {"cpu": "50m"}},
    }
    with step("installing Kueue"):
        values: dict[str, object] = {"controllerManager": {"manager": manager}}
        Helm(cluster.kubeconfig).install("kueue", source("kueue-chart"), NAMESPACE, values)
        _apply_when_served(cluster.kubectl, resource_flavor())


def uninstall(cluster: Cluster) -> None:
    """Take it away, with all queues and what waits in them."""
    with step("uninstalling Kueue"):
        for kind in (
            "workloads",
            "localqueues",
            "clusterqueues",
            "resourceflavors",
        ):  # while it answers their finalizers
            cluster.kubectl("delete", f"{kind}.kueue.x-k8s.io", "--all", "--all-namespaces")
        Helm(cluster.kubeconfig)("uninstall", "kueue", "--namespace", NAMESPACE, "--wait")


def resource_flavor(name: str = FLAVOR) -> Manifest:
    """Return a flavor that every node has."""
    return {"apiVersion": API, "kind": "ResourceFlavor", "metadata": {"name": name}}


def cluster_queue(name: str, quota: Mapping[str, str], *, within: str = "Never") -> Manifest:
    """Return a queue with a quota of the default flavor; `within` says which of its own jobs may be preempted."""
    resources = [{"name": resource, "nominalQuota": amount} for resource, amount in quota.items()]
    group = {"coveredResources": list(quota), "flavors": [{"name": FLAVOR, "resources": resources}]}
    spec = {"namespaceSelector": {}, "resourceGroups": [group], "preemption": {"withinClusterQueue": within}}
    return {"apiVersion": API, "kind": "ClusterQueue", "metadata": {"name": name}, "spec": spec}


def local_queue(name: str, namespace: str, queue: str) -> Manifest:
    """Return the way of a namespace into a queue."""
    metadata = {"name": name, "namespace": namespace}
    return {"apiVersion": API, "kind": "LocalQueue", "metadata": metadata, "spec": {"clusterQueue": queue}}


def priority_class(name: str, value: int) -> Manifest:
    """Return a priority that jobs name by label."""
    metadata = {"name": name}
    return {
        "apiVersion": API,
        "kind": "WorkloadPriorityClass",
        "metadata": metadata,
        "value": value,
        "description": name,
    }


def _apply_when_served(kubectl: Kubectl, manifest: Manifest) -> None:
    deadline = time.monotonic() + SERVING_SECONDS
    while True:
        try:
            return kubectl.apply(manifest)
        except StepFailed:
            if time.monotonic() > deadline:
                raise
            time.sleep(RETRY_SECONDS)
