"""The operator as a process of its own: started, killed, stopped a while, asked for its metrics."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from helpers.processes import cpu_seconds
from helpers.repository import ROOT
from helpers.s3_server import free_port
from testbed.kubectl import FIELD_MANAGER, Kubectl

CRD = ROOT / "crds" / "selectionjobs.afray.dev.yaml"


@dataclass(slots=True)
class OperatorProcess:
    """A running operator."""

    port: int
    process: subprocess.Popen[bytes]

    @classmethod
    def start(cls, kubeconfig: Path, *options: str, log: Path | None = None) -> OperatorProcess:
        """Start it. `log` takes what it says; else that goes where ours goes."""
        port = free_port()
        command = [str(Path(sys.executable).parent / "afray-operator"), f"--port={port}", *options]
        environment = {**os.environ, "KUBECONFIG": str(kubeconfig)}
        if log is None:
            return cls(port, subprocess.Popen(command, env=environment))
        with log.open("ab") as said:
            return cls(port, subprocess.Popen(command, env=environment, stdout=said, stderr=said))

    @property
    def is_alive(self) -> bool:
        """Whether it still runs."""
        return self.process.poll() is None

    def page(self, path: str) -> str:
        """One of /metrics, /healthz, /readyz. Raises OSError if nobody answers, or with 503."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=5) as answer:
            return str(answer.read().decode())

    def metric(self, name: str) -> float:
        """Sum of a metric's series."""
        lines = self.page("/metrics").splitlines()
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines if re.match(rf"{name}(\{{|\s)", line))

    def await_leading(self, seconds: float = 60) -> None:
        """Wait until it leads and has listed everything."""
        await_that(lambda: not self.is_alive or self.metric("afray_operator_resync_timestamp_seconds") > 0, seconds)
        assert self.is_alive, "the operator ended; its log says why"

    @property
    def cpu_seconds(self) -> float:
        """User and system time so far."""
        return cpu_seconds(self.process.pid)

    @property
    def resident_bytes(self) -> int:
        """Resident memory."""
        (kilobytes,) = re.findall(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{self.process.pid}/status").read_text())
        return int(kilobytes) * 1024

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self.process.send_signal(number)

    def kill(self) -> None:
        """End it without a chance to say anything."""
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        """End it in order, if it still runs."""
        self.process.terminate()
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.kill()


@contextmanager
def operating(kubeconfig: Path, *options: str, log: Path | None = None) -> Iterator[OperatorProcess]:
    """Run an operator that leads."""
    operator = OperatorProcess.start(kubeconfig, *options, log=log)
    try:
        operator.await_leading()
        yield operator
    finally:
        operator.stop()


def apply_own_crd(kubectl: Kubectl) -> None:
    """Apply the CRD of SelectionJobs, and wait until the API server serves it."""
    kubectl("apply", "--server-side", "--field-manager", FIELD_MANAGER, "-f", CRD)
    await_established(kubectl, "selectionjobs.afray.dev")


def await_established(kubectl: Kubectl, crd: str) -> None:
    """Wait until a CRD is served. `kubectl wait` fails on one that is so new that it has no conditions."""
    await_that(lambda: _is_established(kubectl.get("crd", crd)))


def _is_established(crd: dict[str, Any]) -> bool:
    conditions = crd.get("status", {}).get("conditions") or ()
    return any((one["type"], one["status"]) == ("Established", "True") for one in conditions)


def await_that(question: Callable[[], object], seconds: float = 30) -> None:
    """Wait until the answer is yes. Raises AssertionError when time is up; no answer counts as no."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            if question():
                return
        except OSError:
            pass
        time.sleep(0.05)
    raise AssertionError(f"not so after {seconds} s")
