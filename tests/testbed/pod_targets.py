"""Targets for a Prometheus that cannot ask Kubernetes, as Debian's cannot: pods, under the labels of its own discovery.

A file of them is kept up to date; what relabels targets of Kubernetes works on these unchanged.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from testbed.kubectl import Kubectl
from testbed.steps import StepFailed

LOOK_SECONDS = 3.0
META = "__meta_kubernetes_"


def targets(pods: Iterable[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yield a group for each port of each pod that runs."""
    for pod in pods:
        if pod["status"]["phase"] == "Running" and "podIP" in pod["status"]:
            yield from _ports(pod)


def _ports(pod: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    metadata = pod["metadata"]
    labels = {f"{META}pod_label_{_fit(name)}": value for name, value in metadata.get("labels", {}).items()}
    labels |= {f"{META}namespace": metadata["namespace"], f"{META}pod_name": metadata["name"]}
    for container in pod["spec"]["containers"]:
        for port in container.get("ports", ()):
            named = {f"{META}pod_container_port_name": port.get("name", "")}
            yield {"targets": [f"{pod['status']['podIP']}:{port['containerPort']}"], "labels": labels | named}


def _fit(name: str) -> str:
    return re.sub(r"\W", "_", name)


@dataclass(slots=True)
class TargetsFile:
    """The file. It is kept up to date until `stop`."""

    kubectl: Kubectl
    path: Path
    _over: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def start(self) -> None:
        """Write it, and go on to do so."""
        self._write()
        self._thread = threading.Thread(target=self._keep, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Leave it as it is."""
        self._over.set()
        if self._thread is not None:
            self._thread.join()

    def _keep(self) -> None:
        while not self._over.wait(LOOK_SECONDS):
            try:
                self._write()
            except StepFailed:  # the API server is away for a while: its discovery would keep what it knows, too
                continue

    def _write(self) -> None:
        pods = json.loads(self.kubectl("get", "pods", "--all-namespaces", "-o", "json"))["items"]
        new = self.path.with_suffix(".new")
        new.write_text(json.dumps(list(targets(pods))))
        new.replace(self.path)
