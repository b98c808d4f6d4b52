"""What befalls a cluster: processes in pods that are killed or stopped, pods that are taken away, the operator gone."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

from testbed import operators
from testbed.cluster import Cluster
from testbed.kubectl import Kubectl

DRIVER = "-m afray.driver"
OPERATOR = "afray-operator"
READY_SECONDS = 180


def kill_operator(cluster: Cluster) -> None:
    """SIGKILL every process of the operator, and wait until another pod is ready in its place."""
    take_operator_away(cluster)
    give_operator_back(cluster)


def take_operator_away(cluster: Cluster) -> None:
    """SIGKILL the operator, and let no other start."""
    _scale(cluster.kubectl, 0)
    for pod in operator_pods(cluster.kubectl):
        signal_pod(pod, "", signal.SIGKILL)
        remove_pod(cluster.kubectl, pod)


def give_operator_back(cluster: Cluster) -> None:
    """Start it and wait until it is ready."""
    _scale(cluster.kubectl, 1)
    seconds = f"--timeout={READY_SECONDS}s"
    rollout = ("rollout", "status", f"deployment/{operators.RELEASE}", "-n", operators.NAMESPACE, seconds)
    cluster.kubectl(*rollout, seconds=READY_SECONDS)


def operator_pods(kubectl: Kubectl) -> list[dict[str, Any]]:
    """Return its pods."""
    pods = kubectl.list("pods", operators.NAMESPACE)
    return [pod for pod in pods if pod["metadata"]["name"].startswith(f"{operators.RELEASE}-")]


def remove_pod(kubectl: Kubectl, pod: dict[str, Any]) -> None:
    """Take a pod away at once, without a word to its processes."""
    metadata = pod["metadata"]
    kubectl(
        "delete", "pod", metadata["name"], "-n", metadata["namespace"], "--force", "--grace-period=0", "--wait=false"
    )


def signal_pod(pod: dict[str, Any], word: str, number: signal.Signals) -> int:
    """Send a signal to the processes of a pod whose command line has a word in it; returns how many there were."""
    pids = pod_processes(pod, word)
    for pid in pids:
        os.kill(pid, number)
    return len(pids)


def pod_processes(pod: dict[str, Any], word: str = "") -> list[int]:
    """Return the processes of a pod, by the cgroup that its node put them into."""
    uid = pod["metadata"]["uid"]
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            is_inside = f"pod{uid}" in (folder / "cgroup").read_text()
            command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:  # it has ended
            continue
        if is_inside and word in command and not command.startswith("/pause"):
            found.append(int(folder.name))
    return found


def _scale(kubectl: Kubectl, replicas: int) -> None:
    kubectl("scale", f"deployment/{operators.RELEASE}", f"--replicas={replicas}", "-n", operators.NAMESPACE)
