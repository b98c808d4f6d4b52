"""What the tests on an API server alone play is what happens on a real cluster: recorded again, and compared.

Compared is the order of what happens to each object. Where it has changed for good, the new recording, whose path the
failure tells, takes the place of the stored one.
"""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import pytest
from helpers.life_stations import milestones
from helpers.life_steps import normalized
from helpers.recorded_lives import FOLDER, Step, read_life, write_life
from testbed.cluster import Cluster
from testbed.faults import DRIVER, signal_pod
from testbed.followed_jobs import FollowedJob
from testbed.recording import Recording, recorded

pytestmark = [pytest.mark.cluster, pytest.mark.nightly]


def is_at_rest(job: FollowedJob) -> bool:
    """Whether only the last RayJob is left, its workload and the pod that submitted it."""
    left = [len(job.kubectl.list(kind, job.namespace)) for kind in ("rayjob", "workload", "pods", "raycluster")]
    return left == [1, 1, 1, 0]


def check_recording(recording: Recording, namespace: str, name: str, folder: Path) -> None:
    """Compare with the stored one."""
    steps: list[Step] = normalized(recording.seen, namespace)
    found = folder / f"{name}.jsonl"
    write_life(found, steps)
    assert milestones(steps) == milestones(read_life(name)), f"compare {found} with {FOLDER / found.name}"


@pytest.mark.timeout(1200)
def test_a_life_on_the_cluster_is_the_one_that_is_played(
    cluster: Cluster, operator: str, namespace: str, small_job: dict[str, Any], tmp_path: Path
) -> None:
    with recorded(cluster.kubectl, namespace) as recording:
        job = FollowedJob.apply(cluster.kubectl, small_job)
        job.await_complete()
        job.wait_until("rest", lambda: is_at_rest(job))
    check_recording(recording, namespace, "complete", tmp_path)


@pytest.mark.timeout(1800)
def test_a_life_with_a_driver_that_is_killed_is_the_one_that_is_played(
    cluster: Cluster, operator: str, namespace: str, small_job: dict[str, Any], tmp_path: Path
) -> None:
    with recorded(cluster.kubectl, namespace) as recording:
        job = FollowedJob.apply(cluster.kubectl, small_job)
        job.wait_until("the driver's first word", lambda: job.status.get("progress"))
        (head,) = job.pods("head", attempt=1)
        signal_pod(head, signal.SIGKILL, DRIVER)
        job.await_complete()
        job.wait_until("rest", lambda: is_at_rest(job))
    check_recording(recording, namespace, "retried", tmp_path)
