"""What every kube-apiserver here is started with, and how one knows that it serves."""

from __future__ import annotations

import http.client
import ssl
from dataclasses import dataclass
from pathlib import Path

from testbed import etcd, pki
from testbed.gomodules import program

SERVICE_NETWORK = "10.96.0.0/16"
SERVICE_ADDRESS = "10.96.0.1"
"""The API server's own Service: the first address of the network."""
ISSUER = "https://kubernetes.default.svc.cluster.local"
ALIASES = (
    "localhost",
    "kubernetes",
    "kubernetes.default",
    "kubernetes.default.svc",
    "kubernetes.default.svc.cluster.local",
)
PROBE_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Trust:
    """Whom a cluster trusts: its authority, and the keys that sign service account tokens."""

    authority: pki.Authority
    signing_key: Path
    verifying_key: Path

    @classmethod
    def create(cls, folder: Path) -> Trust:
        """Make new keys that nobody else has."""
        return cls(pki.Authority.create(folder, "authority"), *pki.create_signing_keys(folder))

    def server_pair(self, *addresses: str) -> pki.KeyPair:
        """Make the API server's certificate for these addresses and the names that pods use."""
        hosts = (*ALIASES, SERVICE_ADDRESS, *addresses)
        return self.authority.issue("apiserver", user="kube-apiserver", usages=[pki.SERVER], hosts=hosts)


def command(trust: Trust, serving: pki.KeyPair, port: int, *more: str) -> list[str]:
    """Return the command line of an API server that stores in the instance's etcd."""
    return [
        str(program("kube-apiserver")),
        f"--etcd-servers={etcd.ENDPOINT}",
        f"--secure-port={port}",
        f"--tls-cert-file={serving.certificate}",
        f"--tls-private-key-file={serving.key}",
        f"--client-ca-file={trust.authority.pair.certificate}",
        f"--service-account-key-file={trust.verifying_key}",
        f"--service-account-signing-key-file={trust.signing_key}",
        f"--service-account-issuer={ISSUER}",
        f"--service-cluster-ip-range={SERVICE_NETWORK}",
        "--allow-privileged=true",
        *more,
    ]


def is_ready(port: int, authority: Path, host: str = "127.0.0.1") -> bool:
    """Ask an API server whether all its parts have started; anybody may."""
    context = ssl.create_default_context(cafile=str(authority))
    connection = http.client.HTTPSConnection(host, port, timeout=PROBE_SECONDS, context=context)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == http.HTTPStatus.OK
    except OSError:
        return False
    finally:
        connection.close()
