"""`helm test` with a tiny job of its own: from the image to a stored selection."""

from __future__ import annotations

import pytest
from testbed.cluster import Cluster
from testbed.grounds import Ground
from testbed.installation import Installation
from testbed.operators import NAMESPACE, RELEASE
from testbed.s3 import S3

pytestmark = [pytest.mark.cluster, pytest.mark.nightly]


@pytest.mark.timeout(900)
def test_a_tiny_job_runs_to_its_end_and_leaves_its_selection(
    installation: Installation, cluster: Cluster, storage: S3, namespace: str
) -> None:
    ground = Ground.prepare(cluster, storage, namespace)
    small = ground.job()["spec"]
    (workers,) = small["cluster"]["workers"]
    spec = {
        "runtime": {"envFrom": small["runtime"]["envFrom"]},
        "cluster": {"head": {"template": ground.template}, "workers": [{**workers, "template": ground.template}]},
    }
    places = {"pool": f"s3://{namespace}/pool", "output": f"s3://{namespace}/tested"}
    job = {**places, "image": small["runtime"]["image"], "spec": spec}
    installation.install(test={"namespace": namespace, "timeoutSeconds": 600, "job": job})
    told = installation.helm("test", RELEASE, "--namespace", NAMESPACE, "--timeout", "12m", "--logs")
    assert "Succeeded, Succeeded: 20 rows selected" in told
    assert storage.read_json(f"s3://{namespace}/tested/report.json")["funnel"]["selected"] == 20
