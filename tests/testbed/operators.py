"""The afray operator on a cluster: this checkout's chart and image, as a platform team installs them."""

from __future__ import annotations

from testbed import base_image, operator_image
from testbed.checkout import ROOT
from testbed.cluster import Cluster
from testbed.helm import Helm
from testbed.steps import step

NAMESPACE = "afray-system"
RELEASE = "afray"
CHART = ROOT / "charts" / "afray"


def install(cluster: Cluster, *, replicas: int = 1) -> None:
    """Put the operator's image and that of Ray pods on the nodes, and install the chart."""
    archives = (base_image.base(), operator_image.operator_image())
    with step("loading the images of the operator and of Ray pods"):
        cluster.load(*archives)
    with step("installing the operator"):
        Helm(cluster.kubeconfig).install(RELEASE, CHART, NAMESPACE, {"replicas": replicas})
