"""What befalls a cluster: processes in pods that are killed or stopped, pods that are taken away, the operator gone."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from testbed import kuberay, kueue, operators
from testbed.cluster import Cluster
from testbed.kubectl import Kubectl
from testbed.situations import situation
from testbed.steps import StepFailed

DRIVER = "-m afray.driver"
DASHBOARD = "ray/dashboard/dashboard.py"
"""Words of command lines, in a head's pod."""
CONTROLLERS = {
    kuberay.NAMESPACE: kuberay.DEPLOYMENT,
    kueue.NAMESPACE: "kueue-controller-manager",
    operators.NAMESPACE: operators.RELEASE,
}
"""Deployments by namespace."""
READY_SECONDS = 180.0
LOOK_SECONDS = 0.5


def kill_operator(cluster: Cluster) -> None:
    """SIGKILL every process of the operator, and wait until another pod leads in its place."""
    for pod in operator_pods(cluster.kubectl):
        signal_pod(pod, signal.SIGKILL)
        remove_pod(cluster.kubectl, pod)
    _await_leader(cluster.kubectl)


def take_operator_away(cluster: Cluster) -> None:
    """SIGKILL the operator, and let no other start."""
    killed = operator_pods(cluster.kubectl)
    for pod in killed:
        signal_pod(pod, signal.SIGKILL)
    _scale(cluster.kubectl, 0)
    for pod in killed:
        remove_pod(cluster.kubectl, pod)


def give_operator_back(cluster: Cluster) -> None:
    """Start it and wait until it leads."""
    _scale(cluster.kubectl, 1)
    _await_leader(cluster.kubectl)


def operator_pods(kubectl: Kubectl) -> list[dict[str, Any]]:
    """Return its pods."""
    pods = kubectl.list("pods", operators.NAMESPACE)
    return [pod for pod in pods if pod["metadata"]["name"].startswith(f"{operators.RELEASE}-")]


def is_ready(pod: dict[str, Any]) -> bool:
    """Tell whether all containers of a pod are ready."""
    conditions = pod.get("status", {}).get("conditions", ())
    return any(condition["type"] == "Ready" and condition["status"] == "True" for condition in conditions)


def remove_pod(kubectl: Kubectl, pod: dict[str, Any]) -> None:
    """Take a pod away at once, without a word to its processes."""
    metadata = pod["metadata"]
    kubectl(
        "delete", "pod", metadata["name"], "-n", metadata["namespace"], "--force", "--grace-period=0", "--wait=false"
    )


def signal_pod(pod: dict[str, Any], number: signal.Signals, word: str = "") -> None:
    """Send a signal to the processes of a pod whose command line has a word in it; there must be some."""
    pids = pod_processes(pod, word)
    assert pids, f"no process {word} in {pod['metadata']['name']}"
    for pid in pids:
        os.kill(pid, number)


def pod_processes(pod: dict[str, Any], word: str = "") -> list[int]:
    """Return the processes of a pod, by the cgroups of its containers."""
    groups = [status["containerID"].removeprefix("containerd://") for status in pod["status"]["containerStatuses"]]
    return list(_processes(lambda place: place.rpartition("/")[2] in groups, word))


def kubelet(cluster: Cluster, number: int) -> int:
    """Return the process that is the kubelet of a node."""
    group = f"/{cluster.instance.name}/{cluster.nodes[number].name}"
    (found,) = _processes(lambda place: place.endswith(group), "/kubelet")
    return found


def clear_of_controllers(cluster: Cluster, number: int) -> None:
    """Move every controller off a node, so that its loss is felt by jobs alone."""
    kubectl, node = cluster.kubectl, cluster.nodes[number].name
    kubectl("cordon", node)
    try:
        for namespace, deployment in CONTROLLERS.items():
            for pod in kubectl.list("pods", namespace):
                if pod["spec"].get("nodeName") == node:
                    remove_pod(kubectl, pod)
            ready = f"deployment/{deployment}"
            kubectl.wait(ready, "condition=Available", namespace=namespace, seconds=READY_SECONDS)
    finally:
        kubectl("uncordon", node)


def _await_leader(kubectl: Kubectl) -> None:
    """Wait until a pod that is there and ready holds the operator's lease."""
    deadline = time.monotonic() + READY_SECONDS
    while not any(is_ready(pod) and _leads(kubectl, pod) for pod in operator_pods(kubectl)):
        if time.monotonic() > deadline:
            raise StepFailed("waiting for the operator", situation(kubectl, operators.NAMESPACE), "see its log")
        time.sleep(LOOK_SECONDS)


def _leads(kubectl: Kubectl, pod: dict[str, Any]) -> bool:
    lease = kubectl.get("lease", operators.RELEASE, operators.NAMESPACE)
    holder: str = lease["spec"].get("holderIdentity") or ""
    return holder.startswith(pod["metadata"]["name"])


def _processes(is_inside: Callable[[str], bool], word: str) -> Iterator[int]:
    """Yield processes with a word in their command line, by one of their cgroups."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            groups = (folder / "cgroup").read_text().splitlines()
            command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:  # it has ended
            continue
        if word in command and any(is_inside(group.split(":", 2)[2]) for group in groups):
            yield int(folder.name)


def _scale(kubectl: Kubectl, replicas: int) -> None:
    kubectl("scale", f"deployment/{operators.RELEASE}", f"--replicas={replicas}", "-n", operators.NAMESPACE)
