"""`afray logs` where no kubelet answers: from the output, by attempt, and as it grows. (Pods: tests/cluster.)"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from helpers.afray_commands import Afray
from helpers.driver_traces import leave_log
from helpers.job_records import attempt, condition, status
from helpers.playing_operator import set_status
from helpers.selection_jobs import make_manifest
from testbed.apiserver import ApiServer
from testbed.kubectl import Kubectl

from afray.api.stages import Stage
from afray.contract.outputs import log_key
from afray.storage.store import Store

pytestmark = pytest.mark.apiserver

RESTRICTED = {
    "runAsNonRoot": True,
    "runAsUser": 1000,
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "seccompProfile": {"type": "RuntimeDefault"},
}


@pytest.fixture
def afray(api_server: ApiServer, namespace: str) -> Afray:
    return Afray(api_server.kubeconfig, namespace)


@pytest.fixture
def output(kubectl: Kubectl, namespace: str, tmp_path: Path) -> Store:
    """The output of the job `welds`, which is in the namespace."""
    store = Store.open(str(tmp_path / "out"))
    kubectl.create(make_manifest(namespace, output={"uri": store.uri}))
    return store


def uid(kubectl: Kubectl, namespace: str) -> str:
    found: str = kubectl.get("sj", "welds", namespace)["metadata"]["uid"]
    return found


def told(text: str) -> list[str]:
    return [line.rpartition(" ")[2] for line in text.splitlines()]


def test_when_the_pods_are_gone_the_stored_log_is_shown(
    afray: Afray, kubectl: Kubectl, namespace: str, output: Store
) -> None:
    leave_log(output, "one", "two", uid=uid(kubectl, namespace))
    set_status(kubectl, namespace, status("Failed", condition("Failed", "True", "PermanentError"), attempt=attempt()))
    ended = afray("logs", "welds")
    assert (ended.exit_code, told(ended.stdout)) == (0, ["one", "two"])
    assert ended.stderr == f"note: attempt 1 of stage select, from {output.address(log_key(1))}\n"


def test_an_earlier_attempt_and_another_stage_can_be_asked_for(
    afray: Afray, kubectl: Kubectl, namespace: str, output: Store
) -> None:
    job = uid(kubectl, namespace)
    for number in (1, 2):
        leave_log(output, f"select-{number}", uid=job, attempt=number)
    leave_log(output, "finetune-1", uid=job, stage=Stage.finetune)
    set_status(kubectl, namespace, status("Finetuning", attempt=attempt(1, "finetune")))
    assert told(afray("logs", "welds").stdout) == ["finetune-1"]
    assert told(afray("logs", "welds", "--stage", "select", "--attempt", "1").stdout) == ["select-1"]
    assert told(afray("logs", "welds", "--stage", "select", "--attempt", "2").stdout) == ["select-2"]
    unsure = afray("logs", "welds", "--stage", "select")
    assert unsure.exit_code == 64
    assert "--attempt" in unsure.stderr


def test_no_log_yet_says_what_the_job_waits_for(afray: Afray, kubectl: Kubectl, namespace: str, output: Store) -> None:
    fresh = afray("logs", "welds")
    assert (fresh.exit_code, fresh.stdout) == (66, "")
    assert "welds has no driver yet: not yet seen by the operator" in fresh.stderr
    set_status(kubectl, namespace, status("Queued", attempt=attempt()))
    queued = afray("logs", "welds")
    assert queued.exit_code == 66
    assert "nothing is logged of attempt 1 of stage select of welds (Queued)" in queued.stderr
    assert f"{output.uri}/logs" in queued.stderr


def test_a_pod_on_a_lost_node_gives_way_to_the_stored_log(
    afray: Afray, kubectl: Kubectl, namespace: str, output: Store
) -> None:
    leave_log(output, "stored", uid=uid(kubectl, namespace))
    set_status(kubectl, namespace, status("Running", attempt=attempt()))
    create_submitter(kubectl, namespace)
    ended = afray("logs", "welds")
    assert (ended.exit_code, told(ended.stdout)) == (0, ["stored"])
    first, second, third = ended.stderr.splitlines()
    assert first == "note: attempt 1 of stage select, from pod welds-s1-x7"
    assert second.startswith("note: no log from a pod: ")
    assert third == f"note: attempt 1 of stage select, from {output.address(log_key(1))}"


def create_submitter(kubectl: Kubectl, namespace: str) -> None:
    """A pod that ran on a node which is no more."""
    container = {"name": "ray-job-submitter", "image": "none", "securityContext": RESTRICTED}
    labels = {"afray.dev/job": "welds", "afray.dev/stage": "select", "afray.dev/attempt": "1"}
    kubectl.create(
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": "welds-s1-x7", "namespace": namespace, "labels": labels},
            "spec": {"containers": [container], "nodeName": "lost"},
        }
    )
    started = [{"name": "ray-job-submitter", "state": {"running": {}}, "ready": True, "restartCount": 0}]
    patch = json.dumps({"status": {"containerStatuses": [{**started[0], "image": "none", "imageID": ""}]}})
    kubectl("patch", "pod", "welds-s1-x7", "-n", namespace, "--subresource=status", "-p", patch)


def test_a_stored_log_is_followed_until_the_attempt_is_over(
    afray: Afray, kubectl: Kubectl, namespace: str, output: Store
) -> None:
    epoch = leave_log(output, uid=uid(kubectl, namespace))
    set_status(kubectl, namespace, status("Running", attempt=attempt()))
    output.overwrite(log_key(epoch), b"one\nhal")
    with afray.running("logs", "welds", "--follow") as following:
        following.await_line("logs/driver-1.log")
        assert following.process.stdout is not None
        assert following.process.stdout.readline() == "one\n"
        output.overwrite(log_key(epoch), b"one\nhalf\nlast")
        set_status(kubectl, namespace, status("Retrying", attempt=attempt(2)))
        assert following.end() == (0, "half\nlast\n")
