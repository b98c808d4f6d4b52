"""A Ray cluster of several nodes on this machine, as KubeRay starts one: `ray start` for each, on loopback."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from helpers.faults import descendants, end, wait_until
from helpers.s3_server import free_port

RAY = Path(sys.executable).with_name("ray")
LOOPBACK = "127.0.0.1"
STARTS = 5
"""Of a node: Ray gives up after 30 s, which is little on a busy machine. In a cluster its pod would start again."""
NO_TOKEN = {"RAY_AUTH_MODE": "disabled"}
"""As in a pod: no token of this machine's user is found and made a condition. For nodes and drivers alike."""
STARTED = "Ray runtime started"


@dataclass
class RayCluster:
    """A head without CPUs, and worker nodes that join it."""

    address: str
    folder: Path
    nodes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def join(self, name: str, group: str, *, cpus: int = 1, gpus: int = 0) -> None:
        """Start a worker node of a group; KubeRay sets that variable in every pod."""
        sizes = (f"--address={self.address}", f"--num-cpus={cpus}", f"--num-gpus={gpus}")
        self.start(name, *sizes, environment={"RAY_NODE_TYPE_NAME": group})

    def start(self, name: str, *arguments: str, environment: Mapping[str, str]) -> None:
        """Start a node and wait until it works."""
        log = self.folder / f"{name}.log"
        for _ in range(STARTS):
            node = self.nodes[name] = _start(log, *arguments, environment=environment)
            wait_until(partial(_has_settled, node, log), f"start of node {name}")
            if node.poll() is None:
                return
        raise AssertionError(log.read_text())

    def workers(self, name: str) -> list[int]:
        """Processes of crew workers on a node."""
        found = descendants(self.nodes[name].pid)
        return [pid for pid, title in found.items() if title.startswith("ray::Worker")]

    def lose(self, name: str) -> None:
        """Cut a node off with all its processes, as if its machine lost power."""
        node = self.nodes.pop(name)
        for pid in [node.pid, *descendants(node.pid)]:
            end(pid)
        node.wait()


@contextmanager
def running_ray_cluster() -> Iterator[RayCluster]:
    """A head; it ends with all its nodes."""
    # Ray puts sockets below it, whose paths may not be long.
    folder = Path(tempfile.mkdtemp(prefix="ray-"))
    with ExitStack() as exits:
        exits.callback(shutil.rmtree, folder, ignore_errors=True)
        port, client_port = free_port(), free_port()
        cluster = RayCluster(address=f"{LOOPBACK}:{port}", folder=folder)
        exits.callback(_end_all, cluster)
        cluster.start(
            "head",
            "--head",
            f"--port={port}",
            f"--ray-client-server-port={client_port}",
            f"--temp-dir={folder}",
            "--num-cpus=0",
            "--include-dashboard=false",
            environment={"RAY_NODE_TYPE_NAME": "headgroup"},
        )
        yield cluster


def _has_settled(node: subprocess.Popen[bytes], log: Path) -> bool:
    return node.poll() is not None or STARTED in log.read_text()


def _end_all(cluster: RayCluster) -> None:
    for name in [*cluster.nodes]:
        cluster.lose(name)


def _start(log: Path, *arguments: str, environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
    # Every node of one machine must find ports of its own.
    ports = ("--min-worker-port=0", "--max-worker-port=0", "--dashboard-agent-listen-port=0")
    sizes = (f"--node-ip-address={LOOPBACK}", f"--object-store-memory={100 * 2**20}", "--disable-usage-stats")
    with log.open("wb") as file:
        return subprocess.Popen(
            [str(RAY), "start", "--block", *arguments, *ports, *sizes],
            stdout=file,
            stderr=subprocess.STDOUT,
            env={**os.environ, **NO_TOKEN, **environment},
            start_new_session=True,
        )
