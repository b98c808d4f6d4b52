"""The custom resources of KubeRay and Kueue alone, for an API server on which neither of them runs."""

from __future__ import annotations

from testbed.gomodules import source
from testbed.kubectl import FIELD_MANAGER, Kubectl

ESTABLISHED_SECONDS = 30.0


def apply_crds(kubectl: Kubectl) -> None:
    """Apply them, and wait until the API server serves them."""
    for folder in (source("kuberay-config") / "crd" / "bases", source("kueue-crds")):
        kubectl("apply", "--server-side", "--field-manager", FIELD_MANAGER, "-f", folder)
    kubectl("wait", "crd", "--all", "--for=condition=Established", f"--timeout={ESTABLISHED_SECONDS:.0f}s")
