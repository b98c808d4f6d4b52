"""The chart as Helm installed it on the real cluster, asked whether it works."""

from __future__ import annotations

import re

import pytest
from testbed import operators
from testbed.cluster import Cluster
from testbed.helm import Helm

pytestmark = pytest.mark.cluster


def test_helm_test_finds_the_installation_well_and_leaves_nothing(cluster: Cluster, operator: str) -> None:
    told = Helm(cluster.kubeconfig)("test", operators.RELEASE, "--namespace", operator, "--logs")
    assert "Phase:          Succeeded" in told
    assert re.search(r"-suspended: Suspended, UserRequested.*\npassed", told), told
    left = cluster.kubectl("get", "selectionjobs,configmaps,serviceaccounts,roles,pods", "-n", operator, "-o", "name")
    assert [name for name in left.split() if "test-afray" in name] == []
