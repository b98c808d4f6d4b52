"""A node: containerd, kubelet, kube-proxy and all pods, alive and dead together in namespaces of their own."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from testbed import images, pki
from testbed.commands import Argument, run
from testbed.control_plane import ControlPlane
from testbed.gomodules import program
from testbed.instances import remove_cgroups
from testbed.network import GATEWAY, POD_NETWORK, node_address
from testbed.node_files import write_node_files
from testbed.processes import Service

ENTER = Path(__file__).resolve().parent / "node" / "enter.sh"
START_SECONDS = 60.0
READ_THE_LOGS = "read the logs of containerd and the kubelet in the node's folder"


@dataclass(slots=True)
class Node:
    """One node of a cluster, running or without power; its disk stays either way."""

    plane: ControlPlane
    number: int
    _service: Service | None = field(default=None, init=False)

    @property
    def name(self) -> str:
        """As the API server knows it."""
        return f"node{self.number}"

    @property
    def folder(self) -> Path:
        """Its disk: configuration, logs, images, volumes of pods."""
        return self.plane.instance.folder / self.name

    def prepare(self) -> None:
        """Make its disk: keys and configuration."""
        self.folder.mkdir()
        trust, address = self.plane.trust, node_address(self.number)
        pair = trust.authority.issue(
            f"{self.name}-server", user=self.name, usages=[pki.SERVER], hosts=(self.name, address)
        )
        write_node_files(self.folder, self.number, trust.authority.pair.certificate, pair)
        self.plane.kubeconfig_for(self.folder / "node.kubeconfig", f"system:node:{self.name}", "system:nodes")
        self.plane.kubeconfig_for(self.folder / "proxy.kubeconfig", "system:kube-proxy")

    def start(self) -> None:
        """Switch it on."""
        instance = self.plane.instance
        facts = {
            "INSTANCE": instance.name,
            "NODE": self.name,
            "FOLDER": str(self.folder),
            "ADDRESS": node_address(self.number),
            "GATEWAY": GATEWAY,
            "POD_NETWORK": POD_NETWORK,
            "PAUSE": str(images.pause()),
            "KUBELET": str(program("kubelet")),
            "KUBE_PROXY": str(program("kube-proxy")),
        }
        self._service = instance.start(self.name, ["bash", ENTER], environment=os.environ | facts)
        self.plane.network.attach(self.number, self._service)

    def is_running(self) -> bool:
        """Tell whether it has power."""
        return self._service is not None and self._service.is_running()

    def kill(self) -> None:
        """Let it lose power: all on it is gone at once, and nobody is told, not even by the end of a connection."""
        self.plane.network.detach(self.number)
        self._running().kill()
        remove_cgroups(f"{self.plane.instance.name}/{self.name}")

    def await_containers(self) -> None:
        """Wait until containerd answers."""
        self._running().await_ready((self.folder / "kubelet.log").exists, seconds=START_SECONDS)

    def run(self, *command: Argument) -> str:
        """Run a program of the host among the node's mounts, and return what it printed."""
        return run(
            ["nsenter", f"--mount=/proc/{self._running().process.pid}/ns/mnt", "--", *command], remedy=READ_THE_LOGS
        )

    def load(self, archive: Path) -> None:
        """Put an image on its disk."""
        self.run("ctr", "--namespace", "k8s.io", "images", "import", archive)

    def _running(self) -> Service:
        assert self._service is not None, f"{self.name} has not been started"
        return self._service
