"""Two releases of the chart in one cluster: the second leaves jobs to the first, says so, and takes over later."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from afray_operator.standing import CLAIM
from testbed.cluster import Cluster
from testbed.grounds import Ground
from testbed.installation import Installation
from testbed.operators import CHART, NAMESPACE
from testbed.s3 import S3

pytestmark = [pytest.mark.cluster, pytest.mark.nightly]

SECOND, ELSEWHERE = "second", "second-system"


@pytest.fixture
def second(installation: Installation) -> Iterator[str]:
    """Another release, installed after the first; the value is its Deployment."""
    installation.install()
    values = {"crds": {"install": False}, "rbac": {"tenantRoles": False}, "replicas": 1}
    installation.helm.install(SECOND, CHART, ELSEWHERE, values)
    yield f"deployment/{SECOND}-afray"
    installation.helm("uninstall", SECOND, "--namespace", ELSEWHERE, "--wait")


@pytest.mark.timeout(900)
def test_the_second_release_stands_aside_and_takes_over_when_the_first_is_gone(
    installation: Installation, second: str, cluster: Cluster, storage: S3, namespace: str
) -> None:
    kubectl, ground = cluster.kubectl, Ground.prepare(cluster, storage, namespace)
    held = ground.hold_last_shard()
    job = ground.start(ground.job())
    ground.await_held(job, held)
    holder = kubectl.get("lease", CLAIM, namespace)["spec"]["holderIdentity"]
    assert holder in (f"{NAMESPACE}/afray", f"{ELSEWHERE}/{SECOND}-afray")
    others = second if holder.startswith(NAMESPACE) else "deployment/afray"
    where = ELSEWHERE if others == second else NAMESPACE
    job.wait_until("its warning", lambda: namespace in kubectl("logs", others, "-n", where))

    installation.uninstall()
    if others == second:
        kubectl("delete", "lease", CLAIM, "-n", namespace)
    storage.lift(held)
    status = job.await_complete()
    assert (status["attempt"]["number"], status["attempt"].get("failures", 0)) == (1, 0)
    assert kubectl.get("lease", CLAIM, namespace)["spec"]["holderIdentity"] == f"{ELSEWHERE}/{SECOND}-afray"
