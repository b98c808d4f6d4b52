"""The image of Ray pods that users build from worker/Dockerfile: a job runs from it, with nothing mounted."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from testbed import gate, worker_image
from testbed.cluster import Cluster
from testbed.grounds import Ground
from testbed.installation import Installation
from testbed.s3 import S3
from testbed.small_jobs import run_alone

from afray import __version__

pytestmark = [pytest.mark.cluster, pytest.mark.nightly]


@pytest.fixture(scope="session")
def loaded(cluster: Cluster, request: pytest.FixtureRequest) -> str:
    """The name of the image, which is on every node."""
    with gate.shown(request.config):
        cluster.load(worker_image.worker_image())
    return worker_image.NAME


@pytest.mark.timeout(3600)
def test_a_job_runs_from_the_image_with_nothing_mounted(
    installation: Installation, loaded: str, cluster: Cluster, storage: S3, namespace: str
) -> None:
    installation.install()
    ground = replace(Ground.prepare(cluster, storage, namespace), template={})
    manifest = ground.job()
    manifest["spec"]["runtime"]["image"] = loaded
    held = ground.hold_last_shard()
    job = ground.start(manifest)
    ground.await_held(job, held)
    (head,) = job.pods("head")
    inside = ("exec", head["metadata"]["name"], "-n", namespace, "-c", "ray", "--")
    told = cluster.kubectl(*inside, "afray", "version", "-o", "json")
    assert json.loads(told)["afray"] == __version__
    claimed = [volume for volume in head["spec"]["volumes"] if "persistentVolumeClaim" in volume]
    assert claimed == []
    storage.lift(held)
    status = job.await_complete()
    assert status["result"]["digest"] == run_alone(storage, manifest)["selectionDigest"]
