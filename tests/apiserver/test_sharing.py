"""The example of docs/sharing.md on a real API server: it is taken as it stands, and lets each team do its own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from helpers import sharing
from helpers.charts import RELEASE, render
from helpers.operator_process import apply_own_crd, await_that
from helpers.rights import Rights, reviews_of
from helpers.sharing import ASSEMBLY, INSPECTION
from helpers.strict_server import StrictServer
from testbed.apiserver import ApiServer

from afray.contract.names import QUEUE_LABEL

pytestmark = pytest.mark.apiserver

JOBS = "selectionjobs.afray.dev"
OTHERS = "sharing-others"
GROUPS = {INSPECTION: "inspectors", ASSEMBLY: "assemblers"}


@pytest.fixture(scope="module")
def shared(api_server: ApiServer) -> Iterator[ApiServer]:
    """The server with the files of the example, the chart's roles for tenants, and its policy over jobs."""
    apply_own_crd(api_server.kubectl)
    api_server.kubectl("create", "namespace", OTHERS)
    made = [one for one in render(sharing.POLICY) if one["kind"] == "ClusterRole" or one["kind"].startswith("Valid")]
    api_server.kubectl.apply(*made)
    api_server.kubectl("apply", "--server-side", *sharing.options())
    yield api_server
    api_server.kubectl("delete", "validatingadmissionpolicies,validatingadmissionpolicybindings", RELEASE)


def changed(*, queue: str | None = sharing.QUEUE, workers: int = 1, namespace: str = INSPECTION) -> dict[str, Any]:
    """The job of the example."""
    job = sharing.job()
    job["metadata"] |= {"namespace": namespace, "labels": {QUEUE_LABEL: queue} if queue else {}}
    job["spec"]["cluster"]["workers"][0]["replicas"] = workers
    return job


def test_a_job_needs_a_queue_and_gets_no_more_gpus_than_its_team_can_have(shared: ApiServer) -> None:
    server = StrictServer(shared.kubeconfig, INSPECTION)
    await_that(lambda: not server.try_create(changed(queue=None)).is_accepted)
    assert "queue-name" in server.try_create(changed(queue=None)).answer["message"]
    assert "and a job gets 2 at most" in server.try_create(changed(workers=3)).answer["message"]
    for fitting in (sharing.job(), changed(workers=2)):
        verdict = server.try_create(fitting)
        assert verdict.is_accepted, verdict.answer
    server.close()


def test_namespaces_that_share_no_gpus_are_left_alone(shared: ApiServer) -> None:
    server = StrictServer(shared.kubeconfig, OTHERS)
    verdict = server.try_create(changed(queue=None, workers=3, namespace=OTHERS))
    assert verdict.is_accepted, verdict.answer
    server.close()


@pytest.mark.parametrize(("team", "other"), [(INSPECTION, ASSEMBLY), (ASSEMBLY, INSPECTION)])
def test_a_team_creates_jobs_in_its_own_namespace_and_nothing_that_goes_past_the_queue(
    shared: ApiServer, team: str, other: str
) -> None:
    reviews = reviews_of(shared.kubeconfig, "ann")
    reviews.api_client.set_default_header("Impersonate-Group", GROUPS[team])
    rights = Rights(reviews, team)
    assert rights.allow("create", JOBS)
    assert not rights.allow("create", JOBS, other)
    past = [("create", kind) for kind in ("pods", "jobs.batch", "rayjobs.ray.io", "rayclusters.ray.io")]
    assert rights.allowed([*past, ("patch", "localqueues.kueue.x-k8s.io")]) == []
