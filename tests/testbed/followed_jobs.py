"""A SelectionJob under way: what its status says, and waiting until it says something else."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from testbed.jobs import KIND, LOOK_SECONDS, await_complete
from testbed.kubectl import Kubectl, Manifest
from testbed.situations import situation
from testbed.steps import StepFailed

WAIT_SECONDS = 300.0
"""For what must happen sooner or later, on however busy a machine."""


@dataclass(frozen=True, slots=True)
class FollowedJob:
    """One job by its name."""

    kubectl: Kubectl
    namespace: str
    name: str = "small"

    @classmethod
    def apply(cls, kubectl: Kubectl, job: Manifest) -> FollowedJob:
        """Apply a manifest and follow the job."""
        kubectl.apply(job)
        return cls(kubectl, job["metadata"]["namespace"], job["metadata"]["name"])

    @property
    def status(self) -> dict[str, Any]:
        """What the operator says of it; empty before it said anything."""
        status: dict[str, Any] = self.kubectl.get(KIND, self.name, self.namespace).get("status", {})
        return status

    @property
    def attempt(self) -> int:
        """The number of the current attempt, 0 before there is one."""
        return int(self.status.get("attempt", {}).get("number", 0))

    @property
    def failures(self) -> int:
        """How many attempts failed."""
        return int(self.status.get("attempt", {}).get("failures", 0))

    def condition(self, kind: str) -> tuple[str, str]:
        """Status and reason of a condition; empty texts before it is there."""
        found = (condition for condition in self.status.get("conditions", ()) if condition["type"] == kind)
        return next(((condition["status"], condition["reason"]) for condition in found), ("", ""))

    def ray_job(self) -> dict[str, Any] | None:
        """The RayJob of the latest attempt that has one."""
        found = self.kubectl.list("rayjob", self.namespace, f"afray.dev/job={self.name}")
        return max(found, key=lambda ray_job: str(ray_job["metadata"]["creationTimestamp"]), default=None)

    def pods(self, role: str, attempt: int | None = None) -> list[dict[str, Any]]:
        """Its pods with a node type of Ray, head or worker; of one attempt or all."""
        number = "" if attempt is None else f",afray.dev/attempt={attempt}"
        return self.kubectl.list("pods", self.namespace, f"afray.dev/job={self.name},ray.io/node-type={role}{number}")

    def suspend(self, wanted: bool) -> None:
        """Set spec.suspend."""
        patch = f'{{"spec": {{"suspend": {str(wanted).lower()}}}}}'
        self.kubectl("patch", KIND, self.name, "-n", self.namespace, "--type=merge", "-p", patch)

    def await_condition(self, kind: str, status: str, reason: str, *, seconds: float = WAIT_SECONDS) -> None:
        """Wait until a condition has a status and a reason."""
        self.wait_until(f"{kind} {status} {reason}", lambda: self.condition(kind) == (status, reason), seconds=seconds)

    def await_complete(self, *, seconds: float = 2 * WAIT_SECONDS) -> dict[str, Any]:
        """Wait until it is complete and return its status. Raises StepFailed as soon as it has failed."""
        status: dict[str, Any] = await_complete(self.kubectl, self.name, self.namespace, seconds=seconds)["status"]
        return status

    def wait_until(self, what: str, happened: Callable[[], object], *, seconds: float = WAIT_SECONDS) -> None:
        """Look again and again. Raises StepFailed with the namespace's situation if it never happens."""
        deadline = time.monotonic() + seconds
        while not happened():
            if time.monotonic() > deadline:
                told = f"status: {self.status}\n{situation(self.kubectl, self.namespace)}"
                raise StepFailed(f"waiting for {what}", told, "see what the operator's log says of the job")
            time.sleep(LOOK_SECONDS)
