"""A RayJob as a platform team would write it: restricted pods, a head, a worker with a GPU on each of some nodes."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from afray_operator.manifests.merging import Manifest, merge
from pydantic import JsonValue, TypeAdapter
from testbed import base_image
from testbed.environment import RAY_CONTAINER, EnvironmentVolumes
from testbed.gpus import RESOURCE as GPU
from testbed.kubectl import Kubectl
from testbed.situations import situation

LOOK_SECONDS = 1.0
QUEUE = "kueue.x-k8s.io/queue-name"
SUBMITTER = "ray-job-submitter"
HEAD_SIZE = {"cpu": "300m", "memory": "3Gi"}
WORKER_SIZE = {"cpu": "200m", "memory": "1Gi", GPU: "1"}
SUBMITTER_SIZE = {"cpu": "200m", "memory": "500Mi"}
_POD = TypeAdapter(dict[str, JsonValue])


def ray_job(name: str, environment: EnvironmentVolumes, program: Path, *, nodes: Sequence[str], queue: str) -> Manifest:
    """Return a RayJob that waits in a queue and then runs a program of this checkout."""
    groups: list[JsonValue] = [
        {
            "groupName": node,
            "replicas": 1,
            "minReplicas": 1,
            "maxReplicas": 1,
            "rayStartParams": {},
            "template": _pod(environment, RAY_CONTAINER, WORKER_SIZE, {"kubernetes.io/hostname": node}),
        }
        for node in nodes
    ]
    head: Manifest = {"rayStartParams": {}, "template": _pod(environment, RAY_CONTAINER, HEAD_SIZE)}
    return {
        "apiVersion": "ray.io/v1",
        "kind": "RayJob",
        "metadata": {"name": name, "namespace": environment.namespace, "labels": {QUEUE: queue}},
        "spec": {
            "entrypoint": f"python {program}",
            "suspend": True,  # until Kueue admits it
            "shutdownAfterJobFinishes": True,
            "submitterPodTemplate": _pod(environment, SUBMITTER, SUBMITTER_SIZE),
            "rayClusterSpec": {"headGroupSpec": head, "workerGroupSpecs": groups},
        },
    }


def await_complete(kubectl: Kubectl, name: str, namespace: str, *, seconds: float) -> None:
    """Wait until a RayJob is complete. If it is not in time, or fails, the message tells what its pods say."""
    deadline, state = time.monotonic() + seconds, ""
    while state != "Complete":
        state = kubectl.get("rayjob", name, namespace).get("status", {}).get("jobDeploymentStatus", "")
        assert state != "Failed", f"{state}\n{situation(kubectl, namespace)}"
        assert time.monotonic() < deadline, f"{state} after {seconds:.0f} s\n{situation(kubectl, namespace)}"
        time.sleep(LOOK_SECONDS)


def submitter_log(kubectl: Kubectl, name: str, namespace: str) -> str:
    """Return what the job's driver printed, as its submitter followed it."""
    return kubectl("logs", f"job/{name}", "-n", namespace, "-c", SUBMITTER)


def _pod(
    environment: EnvironmentVolumes, container: str, size: Mapping[str, str], selector: Mapping[str, str] | None = None
) -> Manifest:
    variables: list[JsonValue] = [
        {"name": "HOME", "value": "/tmp"},
        {"name": "USER", "value": "nobody"},
        {"name": "NODE", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}},
    ]
    ours: Manifest = {
        "name": container,
        "image": base_image.NAME,
        "imagePullPolicy": "Never",
        "env": variables,
        "resources": {"requests": dict(size), "limits": _limits(size)},
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
    }
    spec: Manifest = {
        "restartPolicy": "Never" if container == SUBMITTER else "Always",
        "securityContext": {"runAsNonRoot": True, "runAsUser": 1000, "seccompProfile": {"type": "RuntimeDefault"}},
        "nodeSelector": dict(selector or {}),
        "containers": [ours],
    }
    return merge({"spec": spec}, _POD.validate_python(environment.template(container)))


def _limits(size: Mapping[str, str]) -> Manifest:
    """Return no limit of the CPU: Ray gives up when its processes do not answer within 30 s of the start."""
    return {resource: amount for resource, amount in size.items() if resource != "cpu"}
