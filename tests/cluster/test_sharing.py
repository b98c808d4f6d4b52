"""The example of docs/sharing.md on two nodes: teams lend each other what lies idle, and take it back."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from helpers import sharing
from helpers.sharing import ASSEMBLY, INSPECTION, QUEUE
from testbed.cluster import Cluster
from testbed.environment import remove_volumes
from testbed.gpus import RESOURCE as GPU
from testbed.grounds import Ground
from testbed.jobs import conditions_of
from testbed.kubectl import Kubectl
from testbed.s3 import S3

pytestmark = [pytest.mark.cluster, pytest.mark.nightly]


@pytest.fixture
def teams(cluster: Cluster, storage: S3, operator: str) -> Iterator[tuple[Ground, Ground]]:
    """The namespaces of the example, as its files make them, with all that pods need."""
    cluster.kubectl("apply", "--server-side", *sharing.options())
    yield Ground.prepare(cluster, storage, INSPECTION), Ground.prepare(cluster, storage, ASSEMBLY)
    cluster.kubectl("delete", "--wait=false", "--ignore-not-found", *sharing.options())
    for name in (INSPECTION, ASSEMBLY):
        remove_volumes(cluster.kubectl, name)


@pytest.mark.timeout(1500)
def test_a_team_borrows_an_idle_gpu_until_its_owner_comes_and_goes_on_when_it_is_idle_again(
    teams: tuple[Ground, Ground],
) -> None:
    inspection, assembly = teams
    kubectl = inspection.kubectl
    held = inspection.hold_last_shard()
    manifest = inspection.job("borrower", queue_name=QUEUE, priority_class="urgent")
    manifest["spec"]["cluster"]["workers"][0]["replicas"] = 2
    borrower = inspection.start(manifest)
    inspection.await_held(borrower, held)
    assert borrower.condition("QuotaReserved") == ("True", "Admitted")
    borrower.wait_until("its own GPU and a borrowed one", lambda: gpus(kubectl, INSPECTION) == ("2", "1"))

    owner = assembly.start(assembly.job("owner", queue_name=QUEUE, priority_class="overnight"))
    owner.await_condition("QuotaReserved", "True", "Admitted")
    owner.wait_until("the GPU that is its team's", lambda: gpus(kubectl, ASSEMBLY) == ("1", "0"))
    borrower.await_condition("QuotaReserved", "False", "Preempted")
    said = conditions_of({"status": borrower.status})["QuotaReserved"]["message"]
    assert "due to reclamation within the cohort" in said
    inspection.storage.lift(held)
    assert owner.await_complete()["attempt"].get("failures", 0) == 0

    complete = borrower.await_complete()
    assert (complete["attempt"]["number"], complete["attempt"].get("failures", 0)) == (1, 0)
    assert complete["usage"]["gpuSeconds"] > 0
    assert complete["usage"].get("failedGpuSeconds", 0) == 0


def gpus(kubectl: Kubectl, queue: str) -> tuple[str, str]:
    """How many GPUs jobs hold of a cluster queue, and how many of them are borrowed."""
    (flavor,) = kubectl.get("clusterqueue", queue)["status"]["flavorsReservation"]
    (found,) = (resource for resource in flavor["resources"] if resource["name"] == GPU)
    return found["total"], found.get("borrowed", "0")
