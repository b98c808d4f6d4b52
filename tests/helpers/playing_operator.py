"""The operator's part, played by a test: it writes the status of a job, as the operator does."""

from __future__ import annotations

import json
from collections.abc import Mapping

from testbed.kubectl import Kubectl


def set_status(kubectl: Kubectl, namespace: str, status: Mapping[str, object], name: str = "welds") -> None:
    """Lay a status over the present one; None takes a field away."""
    patch = json.dumps({"status": status})
    kubectl("patch", "sj", name, "-n", namespace, "--subresource=status", "--type=merge", "-p", patch)
