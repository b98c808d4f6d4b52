"""What to look at when something did not happen in time: pods of a namespace, warnings, the ends of logs."""

from __future__ import annotations

from testbed.kubectl import Kubectl
from testbed.steps import StepFailed, excerpt

LOG_LINES = 8
"""Of each container."""
EVENTS = 15


def situation(kubectl: Kubectl, namespace: str) -> str:
    """Describe a namespace in a few dozen lines."""
    parts = [kubectl("get", "pods", "-n", namespace, "-o", "wide"), _warnings(kubectl, namespace)]
    for pod in kubectl.list("pods", namespace):
        name = pod["metadata"]["name"]
        parts += [f"--- {name}", _log(kubectl, namespace, name)]
    return "\n".join(parts)


def _warnings(kubectl: Kubectl, namespace: str) -> str:
    found = kubectl("get", "events", "-n", namespace, "--field-selector=type=Warning", "--sort-by=.lastTimestamp")
    return excerpt(found, EVENTS)


def _log(kubectl: Kubectl, namespace: str, pod: str) -> str:
    try:
        return kubectl("logs", pod, "-n", namespace, "--all-containers", f"--tail={LOG_LINES}").strip()
    except StepFailed as error:  # a container that has not started has no log
        return error.reason
