"""A Kubernetes of two nodes on this machine: no Docker, no registry, no uplink.

`down` leaves nothing: no process, mount, namespace, cgroup or file. A cluster dies with the process that made it,
unless it is to stay.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from testbed import debian, images
from testbed.control_plane import ControlPlane
from testbed.gomodules import API_SERVER, program
from testbed.instances import Instance
from testbed.kubectl import Kubectl
from testbed.network import Network
from testbed.nodes import Node
from testbed.ports import HeldPort
from testbed.steps import step

PROGRAMS = (
    *API_SERVER, "kube-controller-manager", "kube-scheduler", "coredns", "kubelet", "kube-proxy",
)  # fmt: skip
NODES = (1, 2)
READY_SECONDS = 120.0


@dataclass(slots=True)
class Cluster:
    """A running cluster."""

    instance: Instance
    plane: ControlPlane
    nodes: dict[int, Node]

    @classmethod
    def up(cls, *, stays: bool = False) -> Cluster:
        """Start it and wait until both nodes are ready; with `stays` it outlives this process."""
        prepare()
        instance, port = Instance.create(stays=stays), HeldPort.hold()
        try:
            with step("starting a cluster of two nodes"):
                return cls._start(instance, port)
        except BaseException:
            instance.down()
            raise
        finally:
            port.release()  # the process that leads from it into the cluster holds it now

    @classmethod
    def _start(cls, instance: Instance, port: HeldPort) -> Cluster:
        plane = ControlPlane.start(instance, Network.start(instance), port)
        cluster = cls(instance, plane, {number: Node(plane, number) for number in NODES})
        for node in cluster.nodes.values():
            node.prepare()
            node.start()
        cluster.await_nodes()
        return cluster

    @property
    def kubeconfig(self) -> Path:
        """The administrator's."""
        return self.plane.kubeconfig

    @property
    def kubectl(self) -> Kubectl:
        """The administrator's."""
        return Kubectl(self.kubeconfig)

    def await_nodes(self) -> None:
        """Wait until every node is there and ready."""
        for node in self.nodes.values():
            node.await_containers()
            self.kubectl(
                "wait", f"node/{node.name}", "--for=create", f"--timeout={READY_SECONDS:.0f}s", seconds=READY_SECONDS
            )
            self.kubectl.wait(f"node/{node.name}", "condition=Ready", seconds=READY_SECONDS)

    def load(self, *archives: Path) -> None:
        """Put images on every node."""
        with ThreadPoolExecutor() as pool:
            for archive in archives:
                list(pool.map(lambda node, archive=archive: node.load(archive), self.nodes.values()))

    def kill_node(self, number: int) -> None:
        """Let a node lose power."""
        self.nodes[number].kill()

    def start_node(self, number: int) -> None:
        """Switch a node on again; it joins with the disk that it had."""
        self.nodes[number].start()

    def restart_apiserver(self) -> None:
        """Kill the API server and start it again."""
        self.plane.restart_api_server()

    def down(self) -> None:
        """Take everything away."""
        self.instance.down()


@contextmanager
def running_cluster() -> Iterator[Cluster]:
    """Start a cluster and take it down afterwards."""
    cluster = Cluster.up()
    try:
        yield cluster
    finally:
        cluster.down()


def prepare() -> None:
    """Make all that takes minutes: packages, programs, the image that every pod needs."""
    debian.require()
    for name in PROGRAMS:
        program(name)
    images.pause()
