"""The network of one cluster: a bridge in a namespace without name and without uplink, with the control plane on it.

Addresses mean something only in there, so clusters never collide and nothing leaves the machine. The host reaches in
through `forwarding` alone.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from testbed.commands import Argument, run
from testbed.instances import Instance
from testbed.processes import LOOK_SECONDS, Service
from testbed.steps import StepFailed

GATEWAY = "10.200.0.1"
"""Where the control plane listens, and through which nodes reach each other's pods."""
FIRST_NODE = 10
POD_NETWORK = "10.244.0.0/16"
READ_IP = "the message of `ip` says what this kernel lacks; a cluster needs network namespaces, bridges and veth pairs"
START_SECONDS = 10.0


def node_address(number: int) -> str:
    """Return the address of a node."""
    return f"10.200.0.{FIRST_NODE + number}"


def pod_network(number: int) -> str:
    """Return the addresses of a node's pods."""
    return f"10.244.{number}.0/24"


@dataclass(frozen=True, slots=True)
class Network:
    """The namespace that holds the bridge."""

    holder: Service

    @classmethod
    def start(cls, instance: Instance) -> Network:
        """Make the namespace, its bridge and the control plane's address."""
        network = cls(instance.start("network", ["unshare", "--net", "--", "sleep", "infinity"]))
        await_own_network(network.holder)
        network.configure(
            "link set lo up",
            "link add nodes type bridge",
            f"address add {GATEWAY}/24 dev nodes",
            "link set nodes up",
            "route add default dev nodes",
        )
        run(network.inside("sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward"), remedy=READ_IP)
        return network

    def inside(self, *command: Argument) -> list[Argument]:
        """Return a command that runs in this namespace."""
        return ["nsenter", f"--net={_namespace(self.holder)}", "--", *command]

    def attach(self, number: int, node: Service) -> None:
        """Lay a cable from the bridge to a node's namespace; the node waits for its end, eth0."""
        await_own_network(node)
        cable = f"node{number}"
        run(self.inside("sh", "-c", f"! ip link show {cable} || ip link delete {cable}"), remedy=READ_IP)
        self.configure(
            f"link add {cable} type veth peer name eth0 netns {node.process.pid}",
            f"link set {cable} master nodes up",
            f"route replace {pod_network(number)} via {node_address(number)}",
        )

    def detach(self, number: int) -> None:
        """Pull the cable of a node: what it sends is lost."""
        self.configure(f"link set node{number} down")

    def configure(self, *lines: str) -> None:
        """Run lines of `ip` in this namespace."""
        run(self.inside("ip", "-batch", "-"), given="\n".join(lines), remedy=READ_IP)


def await_own_network(service: Service) -> None:
    """Wait until a process has left the host's network."""
    host, deadline = Path("/proc/self/ns/net").readlink(), time.monotonic() + START_SECONDS
    while _namespace(service).readlink() == host:
        if not service.is_running() or time.monotonic() > deadline:
            raise StepFailed("making a network namespace", service.log.read_text(), READ_IP)
        time.sleep(LOOK_SECONDS)


def _namespace(service: Service) -> Path:
    return Path(f"/proc/{service.process.pid}/ns/net")
