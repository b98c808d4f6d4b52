"""An API server for tests: kube-apiserver and etcd on loopback, no controllers, up in seconds.

Nothing else runs, so nothing collects garbage, deletes namespaces or starts pods: tests that need those need a Cluster.
Several may run side by side, in one process or many. All that one makes is in its folder, and `down` removes that.
"""

from __future__ import annotations

import secrets
import signal
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from testbed import etcd, kubeconfigs, serving
from testbed.gomodules import API_SERVER, program
from testbed.instances import Instance
from testbed.kubectl import Kubectl
from testbed.ports import LOOPBACK, HeldPort
from testbed.processes import Service
from testbed.steps import step

ADMIN = "admin"
ADMIN_GROUP = "system:masters"
TOKENS = "tokens.csv"
START_SECONDS = 60.0

Groups = Mapping[str, Sequence[str]]
"""Users by name, with the groups of each."""


@dataclass(slots=True)
class ApiServer:
    """A running kube-apiserver with its own etcd."""

    instance: Instance
    port: HeldPort
    trust: serving.Trust
    _command: list[str]
    _process: Service

    @classmethod
    def up(cls, users: Groups | None = None) -> ApiServer:
        """Start etcd and kube-apiserver and wait until they are ready. `users` get a token each, beside the admin."""
        for name in API_SERVER:
            program(name)
        instance, port = Instance.create(), HeldPort.hold()
        try:
            with step("starting an API server"):
                return cls._start(instance, port, {ADMIN: (ADMIN_GROUP,), **(users or {})})
        except BaseException:
            instance.down()
            port.release()
            raise

    @classmethod
    def _start(cls, instance: Instance, port: HeldPort, users: Groups) -> ApiServer:
        trust = serving.Trust.create(instance.folder / "pki")
        _write_users(instance.folder, f"https://{LOOPBACK}:{port.number}", trust, users)
        etcd.start(instance)
        command = serving.command(
            trust,
            trust.server_pair(LOOPBACK),
            port.number,
            f"--bind-address={LOOPBACK}",
            "--permit-port-sharing=true",
            f"--token-auth-file={instance.folder / TOKENS}",
            "--authorization-mode=RBAC",
            "--disable-admission-plugins=ServiceAccount",  # no controller makes the accounts that it asks for
        )
        server = cls(instance, port, trust, command, instance.start("apiserver", command))
        server.await_ready()
        return server

    @property
    def kubeconfig(self) -> Path:
        """The administrator's."""
        return self.kubeconfig_of(ADMIN)

    @property
    def kubectl(self) -> Kubectl:
        """The administrator's."""
        return Kubectl(self.kubeconfig)

    def kubeconfig_of(self, user: str) -> Path:
        """Return the kubeconfig of one of the users named at the start."""
        return self.instance.folder / f"{user}.kubeconfig"

    def await_ready(self) -> None:
        """Wait until requests are answered."""
        authority = self.trust.authority.pair.certificate
        self._process.await_ready(lambda: serving.is_ready(self.port.number, authority), seconds=START_SECONDS)

    def pause(self) -> None:
        """Let it hang: connections stay open, nothing is answered."""
        self._process.signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on after a pause."""
        self._process.signal(signal.SIGCONT)

    def kill(self) -> None:
        """End the API server; etcd keeps what it stored."""
        self._process.kill()

    def start_again(self) -> None:
        """Start it after a kill, on the same port, and wait until it is ready."""
        self._process = self.instance.start("apiserver", self._command)
        self.await_ready()

    def restart(self) -> None:
        """Kill it and start it again: every watch breaks."""
        self.kill()
        self.start_again()

    def down(self) -> None:
        """End it and remove all that it stored."""
        self.instance.down()
        self.port.release()


@contextmanager
def running_api_server(users: Groups | None = None) -> Iterator[ApiServer]:
    """Start an API server and take it down afterwards."""
    server = ApiServer.up(users)
    try:
        yield server
    finally:
        server.down()


def _write_users(folder: Path, server: str, trust: serving.Trust, users: Groups) -> None:
    lines = []
    for user, groups in users.items():
        token, authority = secrets.token_hex(16), trust.authority.pair.certificate
        lines.append(f'{token},{user},{user},"{",".join(groups)}"\n')
        login = kubeconfigs.by_token(token)
        kubeconfigs.write(folder / f"{user}.kubeconfig", server=server, authority=authority, user=login)
    (folder / TOKENS).write_text("".join(lines))
