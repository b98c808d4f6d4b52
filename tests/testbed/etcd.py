"""etcd as every control plane here uses it: one member on a socket file, without waiting for the disk."""

from __future__ import annotations

from testbed.commands import Argument
from testbed.gomodules import program
from testbed.instances import Instance
from testbed.processes import Service

ENDPOINT = "unix://etcd-client:0"
"""A socket file named etcd-client:0 in the folder where etcd and the API server both run."""
PEER = "unix://etcd-peer:0"


def start(instance: Instance) -> Service:
    """Start etcd in an instance's folder."""
    command: list[Argument] = [
        program("etcd"),
        "--name=testbed",
        "--data-dir=etcd",
        f"--listen-client-urls={ENDPOINT}",
        f"--advertise-client-urls={ENDPOINT}",
        f"--listen-peer-urls={PEER}",
        f"--initial-advertise-peer-urls={PEER}",
        f"--initial-cluster=testbed={PEER}",
        "--unsafe-no-fsync",
        "--log-level=warn",
    ]
    return instance.start("etcd", command)
