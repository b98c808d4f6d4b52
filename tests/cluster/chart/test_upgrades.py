"""The operator is upgraded, rolled back, taken away and installed anew while a job is at work, which goes on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from testbed.cluster import Cluster
from testbed.followed_jobs import FollowedJob
from testbed.grounds import Ground
from testbed.installation import FIRST, Installation
from testbed.jobs import KIND
from testbed.operators import NAMESPACE, RELEASE
from testbed.s3 import S3
from testbed.small_jobs import run_alone

from afray import __version__

pytestmark = [pytest.mark.cluster, pytest.mark.nightly]


class Held:
    """A job that stands still in the midst of its work."""

    def __init__(self, ground: Ground) -> None:
        self.ground, self.manifest = ground, ground.job()
        self.pattern = ground.hold_last_shard()
        self.job = ground.start(self.manifest)
        ground.await_held(self.job, self.pattern)
        self.lives = self.read_lives()

    def read_lives(self) -> dict[str, Any]:
        """Its pods, each with how often its containers started."""
        pods = (*self.job.pods("head"), *self.job.pods("worker"))
        return {
            pod["metadata"]["uid"]: [one["restartCount"] for one in pod["status"]["containerStatuses"]] for pod in pods
        }

    def goes_on(self) -> None:
        """Lift what held it."""
        assert self.read_lives() == self.lives
        self.ground.storage.lift(self.pattern)

    def check(self, status: dict[str, Any]) -> None:
        """It chose what one machine chooses, in its first attempt."""
        assert (status["attempt"]["number"], status["attempt"].get("failures", 0)) == (1, 0)
        made = self.ground.kubectl.list("rayjob", self.ground.namespace)
        assert [one["metadata"]["name"] for one in made] == ["small-s1"]
        assert status["result"]["digest"] == run_alone(self.ground.storage, self.manifest)["selectionDigest"]


@pytest.mark.timeout(1800)
def test_a_job_of_the_first_version_goes_on_under_this_one(
    installation: Installation, cluster: Cluster, storage: S3, namespace: str, first_environment: Path
) -> None:
    installation.uninstall()
    installation.install_first()
    held = Held(Ground.prepare(cluster, storage, namespace, first_environment))
    installation.install()
    installation.await_only(__version__)
    held.job.wait_until("a word of this version", lambda: held.job.status.get("usage", {}).get("gpus") == 1)
    held.goes_on()
    held.check(held.job.await_complete())


@pytest.mark.timeout(1800)
def test_a_job_of_this_version_goes_on_after_a_rollback_to_the_first(
    installation: Installation, cluster: Cluster, storage: S3, namespace: str
) -> None:
    installation.uninstall()
    installation.install_first()
    installation.install()
    installation.await_only(__version__)
    held = Held(Ground.prepare(cluster, storage, namespace))
    installation.helm("rollback", RELEASE, "1", "--namespace", NAMESPACE, "--wait")
    installation.await_only(FIRST.version)
    held.goes_on()
    held.check(held.job.await_complete())


@pytest.mark.timeout(1800)
def test_a_job_outlives_the_operator_and_is_taken_up_by_the_next_one(
    installation: Installation, cluster: Cluster, storage: S3, namespace: str
) -> None:
    installation.install()
    held = Held(Ground.prepare(cluster, storage, namespace))
    installation.uninstall()
    assert cluster.kubectl.get(KIND, held.job.name, namespace)["status"]["phase"] == "Running"
    held.goes_on()
    held.job.wait_until("the end of its work", lambda: has_ended(held.job))
    assert held.job.status["phase"] == "Running"
    report = storage.read_json(f"s3://{namespace}/{held.job.name}/report.json")
    installation.install()
    status = held.job.await_complete()
    held.check(status)
    assert status["result"]["digest"] == report["selectionDigest"]


def has_ended(job: FollowedJob) -> bool:
    ray_job = job.ray_job()
    return ray_job is not None and ray_job["status"].get("jobDeploymentStatus") == "Complete"
