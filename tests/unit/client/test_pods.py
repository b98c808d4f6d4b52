"""Which container of an attempt tells of the driver."""

from __future__ import annotations

from typing import Any

from afray.client.pods import Pod, PodList, PodLog, choose

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
