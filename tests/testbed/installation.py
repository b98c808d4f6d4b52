"""The chart's release on a cluster, as Helm installs it, upgrades it and takes it away."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from testbed.cluster import Cluster
from testbed.faults import operator_pods
from testbed.followed_jobs import FollowedJob
from testbed.helm import Helm
from testbed.operators import CHART, NAMESPACE, RELEASE
from testbed.released import Released

FIRST = Released("0.1.0")


@dataclass(frozen=True, slots=True)
class Installation:
    """The release on the cluster."""

    cluster: Cluster

    @property
    def helm(self) -> Helm:
        """With the administrator's rights."""
        return Helm(self.cluster.kubeconfig)

    def install_first(self) -> None:
        """The first version of all."""
        self.helm.install(RELEASE, FIRST.chart, NAMESPACE, {})

    def install(self, **values: Any) -> None:
        """This checkout's, as an upgrade if another is there."""
        self.helm.install(RELEASE, CHART, NAMESPACE, values)

    def uninstall(self) -> None:
        """Take it away, and wait until its pods are gone."""
        self.helm("uninstall", RELEASE, "--namespace", NAMESPACE, "--ignore-not-found", "--wait")
        nobody = FollowedJob(self.cluster.kubectl, NAMESPACE)
        nobody.wait_until("the operator's pods to go", lambda: not operator_pods(self.cluster.kubectl))

    def versions(self) -> set[str]:
        """Those of the pods."""
        return {pod["metadata"]["labels"]["app.kubernetes.io/version"] for pod in operator_pods(self.cluster.kubectl)}

    def await_only(self, version: str) -> None:
        """Wait until pods of other versions are gone."""
        nobody = FollowedJob(self.cluster.kubectl, NAMESPACE)
        nobody.wait_until(f"pods of {version} alone", lambda: self.versions() == {version})
