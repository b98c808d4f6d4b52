"""The official command-line client, bound to one kubeconfig: for manifests, which it applies as users do."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from testbed.commands import Argument, run
from testbed.gomodules import program

FIELD_MANAGER = "testbed"
REQUEST_SECONDS = 60.0
READ_THE_MESSAGE = "the API server's message says what it refuses"

Manifest = Mapping[str, Any]
"""A Kubernetes object; its shape is the API server's to judge."""


@dataclass(frozen=True, slots=True)
class Kubectl:
    """Runs kubectl with one identity."""

    kubeconfig: Path

    def __call__(self, *arguments: Argument, given: str | None = None, seconds: float = REQUEST_SECONDS) -> str:
        """Run a command and return what it printed. Raises StepFailed with kubectl's message."""
        command = [program("kubectl"), "--kubeconfig", self.kubeconfig, *arguments]
        return run(command, given=given, remedy=READ_THE_MESSAGE, timeout_seconds=seconds)

    def apply(self, *manifests: Manifest) -> None:
        """Create or change objects by server-side apply."""
        self("apply", "--server-side", "--field-manager", FIELD_MANAGER, "-f", "-", given=_as_list(manifests))

    def create(self, *manifests: Manifest) -> None:
        """Create objects that must not exist yet."""
        self("create", "-f", "-", given=_as_list(manifests))

    def get(self, kind: str, name: str, namespace: str = "default") -> dict[str, Any]:
        """Return one object."""
        found: dict[str, Any] = json.loads(self("get", kind, name, "-n", namespace, "-o", "json"))
        return found

    def list(self, kind: str, namespace: str = "default", selector: str = "") -> list[dict[str, Any]]:
        """Return the objects of a kind in a namespace."""
        found = json.loads(self("get", kind, "-n", namespace, "-l", selector, "-o", "json"))
        items: list[dict[str, Any]] = found["items"]
        return items

    def wait(self, what: str, condition: str, *, namespace: str = "default", seconds: float) -> None:
        """Wait for a condition: `condition` as `kubectl wait --for` takes it. Raises StepFailed when time is up."""
        arguments = ("wait", what, f"--for={condition}", "-n", namespace, f"--timeout={seconds:.0f}s")
        self(*arguments, seconds=seconds + REQUEST_SECONDS)


def _as_list(manifests: Sequence[Manifest]) -> str:
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": list(manifests)})
