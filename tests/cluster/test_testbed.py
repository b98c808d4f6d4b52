"""The cluster that the tests of this folder rely on: it does what a real one does, and goes without a trace."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from helpers.ray_jobs import await_complete, ray_job, submitter_log
from helpers.repository import ROOT
from helpers.traces import traces
from testbed import kueue, s3
from testbed.cluster import Cluster, running_cluster
from testbed.environment import EnvironmentVolumes
from testbed.gpus import RESOURCE as GPU
from testbed.instances import Instance
from testbed.s3 import S3

pytestmark = pytest.mark.cluster

QUOTA = {"cpu": "4", "memory": "12Gi", GPU: "2"}
COMPLETE_SECONDS = 300
NOTICE_SECONDS = 120
VANISH_SECONDS = 20
SIGNED = "--header=Authorization: by nobody"
"""The server does not check signatures, but objects are not for those who do not sign at all."""
OWNER = """
import time
from testbed.cluster import Cluster
print(Cluster.up().instance.name, flush=True)
time.sleep(600)
"""


def test_a_ray_job_with_workers_on_two_nodes_completes_when_kueue_has_admitted_it(
    cluster: Cluster, namespace: str, python_environment: EnvironmentVolumes
) -> None:
    cluster.kubectl.apply(kueue.cluster_queue(namespace, QUOTA), kueue.local_queue("queue", namespace, namespace))
    program = Path(__file__).with_name("two_workers.py")
    cluster.kubectl.create(ray_job("where", python_environment, program, nodes=["node1", "node2"], queue="queue"))
    await_complete(cluster.kubectl, "where", namespace, seconds=COMPLETE_SECONDS)
    assert "workers on ['node1', 'node2']" in submitter_log(cluster.kubectl, "where", namespace)
    (workload,) = cluster.kubectl.list("workload", namespace)
    assert {condition["type"] for condition in workload["status"]["conditions"]} >= {"Admitted", "Finished"}


def test_objects_are_the_same_from_the_host_and_from_where_pods_reach_them(
    cluster: Cluster, storage: S3, tmp_path: Path
) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "b.txt").write_text("seen")
    storage.create_bucket("both-sides")
    assert storage.upload(tmp_path, "both-sides", "prefix") == 1
    command = cluster.plane.network.inside("wget", "-qO-", SIGNED, f"{s3.INSIDE}/both-sides/prefix/a/b.txt")
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "seen"


@pytest.mark.nightly
def test_a_node_that_loses_power_is_noticed_and_joins_again(cluster: Cluster) -> None:
    cluster.kill_node(2)
    try:
        cluster.kubectl.wait("node/node2", "condition=Ready=Unknown", seconds=NOTICE_SECONDS)
    finally:
        cluster.start_node(2)
        cluster.await_nodes()


def test_nothing_is_left_of_a_cluster_that_was_taken_down() -> None:
    with running_cluster() as cluster:
        name = cluster.instance.name
        assert traces(name) != []
    assert traces(name) == []


@pytest.mark.nightly
def test_nothing_runs_on_when_the_owner_is_killed_and_the_next_one_clears_up() -> None:
    environment = os.environ | {"PYTHONPATH": str(ROOT / "tests")}
    with subprocess.Popen([sys.executable, "-c", OWNER], stdout=subprocess.PIPE, text=True, env=environment) as owner:
        assert owner.stdout is not None
        name = owner.stdout.readline().strip()
        assert any(found.startswith("/proc/") for found in traces(name))
        owner.kill()
    await_true(lambda: not any(found.startswith("/proc/") for found in traces(name)))
    Instance.create().down()
    assert traces(name) == []


def await_true(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + VANISH_SECONDS
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.1)
