"""The control plane of a cluster: etcd, API server, controllers, scheduler and DNS, all on the cluster's network."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from testbed import etcd, kubeconfigs, pki, serving
from testbed.commands import Argument
from testbed.forwarding import forward
from testbed.gomodules import program
from testbed.instances import Instance
from testbed.network import GATEWAY, Network
from testbed.ports import LOOPBACK, HeldPort
from testbed.processes import Service

PORT = 6443
SERVER = f"https://{GATEWAY}:{PORT}"
START_SECONDS = 60.0
ADMINS = "system:masters"
COREFILE = """\
.:53 {{
  errors
  kubernetes cluster.local in-addr.arpa {{
    kubeconfig {kubeconfig} testbed
    ttl 5
  }}
  cache 5
}}
"""


@dataclass(slots=True)
class ControlPlane:
    """What runs beside the nodes, and the keys that all trust."""

    instance: Instance
    network: Network
    trust: serving.Trust
    port: HeldPort
    """Of the host's loopback, leading to the API server."""
    _command: list[Argument]
    _api_server: Service

    @classmethod
    def start(cls, instance: Instance, network: Network, port: HeldPort) -> ControlPlane:
        """Start it and wait until the API server is ready; the rest comes up while nodes join."""
        trust = serving.Trust.create(instance.folder / "pki")
        etcd.start(instance)
        command = network.inside(*_api_server_command(trust))
        plane = cls(instance, network, trust, port, command, instance.start("apiserver", command))
        forward(instance, network, port, GATEWAY, PORT)
        plane._write_kubeconfigs()
        plane.await_ready()
        for name in ("controller-manager", "scheduler"):
            plane._start(name, *plane._controller_command(name))
        plane._start_dns()
        return plane

    @property
    def kubeconfig(self) -> Path:
        """The administrator's, for processes on the host."""
        return self.instance.folder / "admin.kubeconfig"

    def await_ready(self) -> None:
        """Wait until the host's requests are answered."""
        authority = self.trust.authority.pair.certificate
        self._api_server.await_ready(lambda: serving.is_ready(self.port.number, authority), seconds=START_SECONDS)

    def restart_api_server(self) -> None:
        """Kill the API server and start it again: every watch breaks."""
        self._api_server.kill()
        self._api_server = self.instance.start("apiserver", self._command)
        self.await_ready()

    def kubeconfig_for(self, path: Path, user: str, *groups: str, server: str = SERVER) -> Path:
        """Write a kubeconfig for a user of these groups."""
        pair = self.trust.authority.issue(path.stem, user=user, groups=groups, usages=[pki.CLIENT])
        authority = self.trust.authority.pair.certificate
        return kubeconfigs.write(path, server=server, authority=authority, user=kubeconfigs.by_certificate(pair))

    def _write_kubeconfigs(self) -> None:
        folder = self.instance.folder
        self.kubeconfig_for(self.kubeconfig, "admin", ADMINS, server=f"https://{LOOPBACK}:{self.port.number}")
        self.kubeconfig_for(folder / "dns.kubeconfig", "dns", ADMINS)
        for name in ("controller-manager", "scheduler", "proxy"):
            self.kubeconfig_for(folder / f"{name}.kubeconfig", f"system:kube-{name}")

    def _controller_command(self, name: str) -> list[Argument]:
        kubeconfig = self.instance.folder / f"{name}.kubeconfig"
        command: list[Argument] = [
            program(f"kube-{name}"),
            f"--kubeconfig={kubeconfig}",
            f"--authentication-kubeconfig={kubeconfig}",
            f"--authorization-kubeconfig={kubeconfig}",
            "--leader-elect=false",
        ]
        if name == "controller-manager":
            command += [
                f"--service-account-private-key-file={self.trust.signing_key}",
                f"--root-ca-file={self.trust.authority.pair.certificate}",
                "--use-service-account-credentials=true",
                "--pvclaimbinder-sync-period=1s",  # volumes of a test's pods are bound at once, not every 15 s
            ]
        return command

    def _start_dns(self) -> None:
        folder = self.instance.folder
        corefile = folder / "Corefile"
        corefile.write_text(COREFILE.format(kubeconfig=folder / "dns.kubeconfig"))
        self._start("dns", program("coredns"), "-conf", corefile)

    def _start(self, name: str, *command: Argument) -> None:
        self.instance.start(name, self.network.inside(*command))


def _api_server_command(trust: serving.Trust) -> list[str]:
    folder = trust.authority.pair.certificate.parent
    front_proxy = pki.Authority.create(folder, "front-proxy")
    proxy = front_proxy.issue("front-proxy-client", user="front-proxy-client", usages=[pki.CLIENT])
    kubelet = trust.authority.issue("kubelet-client", user="kubelet-client", groups=[ADMINS], usages=[pki.CLIENT])
    return serving.command(
        trust,
        trust.server_pair(GATEWAY, LOOPBACK),
        PORT,
        f"--advertise-address={GATEWAY}",
        f"--kubelet-client-certificate={kubelet.certificate}",
        f"--kubelet-client-key={kubelet.key}",
        f"--kubelet-certificate-authority={trust.authority.pair.certificate}",
        "--kubelet-preferred-address-types=InternalIP",
        "--authorization-mode=Node,RBAC",
        "--enable-admission-plugins=NodeRestriction",
        "--enable-aggregator-routing=true",  # to pods of a Service: no kube-proxy runs beside the API server
        f"--requestheader-client-ca-file={front_proxy.pair.certificate}",
        "--requestheader-allowed-names=front-proxy-client",
        "--requestheader-extra-headers-prefix=X-Remote-Extra-",
        "--requestheader-group-headers=X-Remote-Group",
        "--requestheader-username-headers=X-Remote-User",
        f"--proxy-client-cert-file={proxy.certificate}",
        f"--proxy-client-key-file={proxy.key}",
    )
