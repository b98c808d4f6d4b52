"""`afray logs` from real kubelets: the head while the driver starts, then the submitter, followed to its end."""

from __future__ import annotations

from typing import Any

import pytest
from helpers.afray_commands import Afray
from helpers.job_records import attempt, status
from helpers.operator_process import apply_own_crd
from helpers.playing_operator import set_status
from helpers.selection_jobs import make_manifest
from testbed import base_image
from testbed.cluster import Cluster

pytestmark = pytest.mark.cluster

READY_SECONDS = 60
RESTRICTED = {
    "runAsNonRoot": True,
    "runAsUser": 1000,
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "seccompProfile": {"type": "RuntimeDefault"},
}
COUNTING = "for i in $(seq 10); do echo line $i; sleep 1; done; printf 'no newline'"


@pytest.fixture
def afray(cluster: Cluster, namespace: str) -> Afray:
    """With the job `welds`, which runs; its output holds nothing."""
    apply_own_crd(cluster.kubectl)
    cluster.kubectl.create(make_manifest(namespace, output={"uri": "file:///nowhere/out"}))
    set_status(cluster.kubectl, namespace, status("Running", attempt=attempt()))
    return Afray(cluster.kubeconfig, namespace)


def start_pod(cluster: Cluster, namespace: str, name: str, container: str, script: str, **labels: str) -> None:
    """A pod of the first attempt, as far as `afray logs` looks at it."""
    of_attempt = {"afray.dev/job": "welds", "afray.dev/stage": "select", "afray.dev/attempt": "1"}
    pod: dict[str, Any] = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace, "labels": {**of_attempt, **labels}},
        "spec": {
            "restartPolicy": "Never",
            "terminationGracePeriodSeconds": 0,
            "containers": [
                {
                    "name": container,
                    "image": base_image.NAME,
                    "imagePullPolicy": "Never",
                    "command": ["sh", "-c", script],
                    "securityContext": RESTRICTED,
                }
            ],
        },
    }
    cluster.kubectl.create(pod)
    cluster.kubectl.wait(f"pod/{name}", "condition=Ready", namespace=namespace, seconds=READY_SECONDS)


def test_the_head_tells_until_the_driver_has_started(cluster: Cluster, namespace: str, afray: Afray) -> None:
    nothing = afray("logs", "welds")
    assert nothing.exit_code == 66
    assert "neither in a pod nor at file:///nowhere/out/logs" in nothing.stderr
    start_pod(cluster, namespace, "welds-s1-head", "ray", "echo head; sleep 600", **{"ray.io/node-type": "head"})
    from_head = afray("logs", "welds")
    assert from_head.stdout == "head\n"
    assert from_head.stderr.endswith("from pod welds-s1-head, Ray's head: the driver has not started\n")
    start_pod(cluster, namespace, "welds-s1-x7", "ray-job-submitter", "echo driver; sleep 600")
    from_driver = afray("logs", "welds")
    assert from_driver.stdout == "driver\n"
    assert from_driver.stderr == "note: attempt 1 of stage select, from pod welds-s1-x7\n"


def test_a_followed_log_outlives_the_api_server(cluster: Cluster, namespace: str, afray: Afray) -> None:
    start_pod(cluster, namespace, "welds-s1-x7", "ray-job-submitter", COUNTING)
    with afray.running("logs", "welds", "--follow") as following:
        following.await_line("from pod welds-s1-x7")
        cluster.restart_apiserver()
        code, out = following.end()
    assert code == 0, following.told
    assert out.splitlines() == [*(f"line {number}" for number in range(1, 11)), "no newline"]


def test_the_log_of_a_pod_that_is_taken_away_ends(cluster: Cluster, namespace: str, afray: Afray) -> None:
    start_pod(cluster, namespace, "welds-s1-x7", "ray-job-submitter", "echo driver; sleep 600")
    with afray.running("logs", "welds", "--follow") as following:
        assert following.process.stdout is not None
        assert following.process.stdout.readline() == "driver\n"
        cluster.kubectl("delete", "pod", "welds-s1-x7", "-n", namespace, "--wait=false")
        assert following.end() == (0, "")
