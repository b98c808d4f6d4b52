"""Stand-in GPUs: a resource that nodes report, the scheduler places and Kueue counts. No CUDA comes with it."""

from __future__ import annotations

import json

from testbed.cluster import Cluster

RESOURCE = "nvidia.com/gpu"


def set_gpus(cluster: Cluster, number: int, count: int) -> None:
    """Let a node offer so many GPUs, and wait until the scheduler may give them away.

    The kubelet would work out by itself what is allocatable, but only when it next reports.
    """
    offered = {RESOURCE: str(count)}
    node, patch = f"node/{cluster.nodes[number].name}", {"status": {"capacity": offered, "allocatable": offered}}
    cluster.kubectl("patch", node, "--subresource=status", "--type=merge", "-p", json.dumps(patch))
    path = "jsonpath={.status.allocatable." + RESOURCE.replace(".", r"\.") + "}=" + str(count)
    cluster.kubectl.wait(node, path, seconds=30)
