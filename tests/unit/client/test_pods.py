"""Which container of an attempt tells of the driver, and how its log is followed over connections that break."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from typing import Any

import pytest
from helpers.log_server import Answer, LogServer, serving
from kubernetes.client import ApiClient, Configuration

from afray.client import pods as module
from afray.client.connecting import Cluster
from afray.client.faults import ClusterFault, ServerUnreachable
from afray.client.pods import Pod, PodList, PodLog, Pods, choose

RUNNING = {"running": {"startedAt": "2026-11-25T12:00:00Z"}}
ENDED = {"terminated": {"exitCode": 0}}
WAITING = {"waiting": {"reason": "ImagePullBackOff"}}


def pod(name: str, node_type: str, minute: int, **containers: dict[str, Any]) -> Pod:
    return Pod.model_validate(
        {
            "metadata": {
                "name": name,
                "creationTimestamp": f"2026-11-25T12:{minute:02}:00Z",
                "labels": {"ray.io/node-type": node_type} if node_type else {},
            },
            "status": {
                "containerStatuses": [
                    {"name": container.replace("_", "-"), "state": state} for container, state in containers.items()
                ]
            },
        }
    )


HEAD = pod("welds-s1-head", "head", 0, ray=RUNNING, mesh=RUNNING)
WORKER = pod("welds-s1-worker", "worker", 1, ray=RUNNING)


def test_the_submitter_carries_the_drivers_log() -> None:
    submitter = pod("welds-s1-x7", "", 2, mesh=RUNNING, ray_job_submitter=RUNNING)
    expected = PodLog(pod="welds-s1-x7", container="ray-job-submitter", is_driver=True)
    assert choose([HEAD, submitter, WORKER]) == expected


def test_before_it_has_started_the_head_tells_and_a_worker_never_does() -> None:
    waiting = pod("welds-s1-x7", "", 2, ray_job_submitter=WAITING)
    assert choose([WORKER, waiting, HEAD]) == PodLog(pod="welds-s1-head", container="ray", is_driver=False)
    assert choose([WORKER]) is None
    assert choose([pod("welds-s1-head", "head", 0, ray=WAITING)]) is None
    assert choose([]) is None


def test_after_a_preemption_the_newest_submitter_counts() -> None:
    old, new = (pod(name, "", minute, ray_job_submitter=ENDED) for name, minute in (("old", 1), ("new", 9)))
    found = choose([new, old, HEAD])
    assert found is not None
    assert found.pod == "new"


def test_a_pod_that_no_node_has_yet_is_read() -> None:
    bare = {"items": [{"metadata": {"name": "p", "creationTimestamp": "2026-11-25T12:00:00Z"}, "status": {}}]}
    assert choose(PodList.model_validate(bare).items) is None


SUBMITTER = PodLog(pod="welds-s1-x7", container="ray-job-submitter", is_driver=True)


def read(server: LogServer, ask: Callable[[Pods], Any]) -> list[str]:
    """The lines that a server's answers give."""
    with serving(server) as address:
        settings = Configuration(host=address)
        settings.retries = False
        with closing(ApiClient(settings)) as client:
            return list(ask(Pods(Cluster(client=client, namespace="plant", title=address))))


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_PAUSE_SECONDS", 0)


def test_a_log_is_read_without_its_time_stamps() -> None:
    server = LogServer([Answer(("one", "", "  three of  three"))])
    assert read(server, lambda pods: pods.lines(SUBMITTER)) == ["one", "", "  three of  three"]
    (query,) = server.queries
    assert query["container"] == ["ray-job-submitter"]
    assert query["follow"] == ["false"]


def test_a_followed_log_goes_on_where_it_broke() -> None:
    server = LogServer(
        [
            Answer(("one", "two"), whole=False),
            Answer(status=503),
            Answer(("one", "two"), whole=False),
            Answer(("one", "two", "three", "four")),
        ]
    )
    assert read(server, lambda pods: pods.follow(SUBMITTER)) == ["one", "two", "three", "four"]
    assert server.queries[-1]["follow"] == ["true"]


def test_a_pod_that_goes_while_it_is_followed_ends_its_log() -> None:
    server = LogServer([Answer(("one",), whole=False), Answer(status=404)])
    assert read(server, lambda pods: pods.follow(SUBMITTER)) == ["one"]


def test_a_pod_that_was_never_there_is_an_error() -> None:
    with pytest.raises(ClusterFault):
        read(LogServer([Answer(status=404)]), lambda pods: pods.follow(SUBMITTER))


def test_a_server_that_never_answers_well_is_given_up() -> None:
    server = LogServer([Answer(status=503)] * 40)
    with pytest.raises(ServerUnreachable):
        read(server, lambda pods: pods.follow(SUBMITTER))
    assert 5 < len(server.queries) < 40
