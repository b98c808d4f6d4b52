"""The API server that the tests of this folder rely on."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from helpers.repository import ROOT
from testbed import instances
from testbed.apiserver import ApiServer, running_api_server
from testbed.gomodules import version
from testbed.kubectl import Kubectl
from testbed.steps import StepFailed

pytestmark = pytest.mark.apiserver

PATIENCE_SECONDS = 10
OWNER = """
import time
from testbed.apiserver import ApiServer
print(ApiServer.up().instance.folder, flush=True)
time.sleep(600)
"""
RAY_JOB = {
    "apiVersion": "ray.io/v1",
    "kind": "RayJob",
    "metadata": {"name": "made"},
    "spec": {"entrypoint": "true"},
}


def test_the_server_is_the_kubernetes_of_the_pinned_module(api_server: ApiServer) -> None:
    assert f"Server Version: {version('k8s.io/kubernetes', 'kubernetes')}" in api_server.kubectl("version")


def test_a_ray_job_is_judged_by_the_schema_of_kuberay(api_server: ApiServer, namespace: str) -> None:
    api_server.kubectl.create({**RAY_JOB, "metadata": {"name": "made", "namespace": namespace}})
    assert api_server.kubectl.get("rayjob", "made", namespace)["spec"]["entrypoint"] == "true"
    wrong = {**RAY_JOB, "metadata": {"name": "wrong", "namespace": namespace}, "spec": {"suspend": "maybe"}}
    with pytest.raises(StepFailed, match=r"spec\.suspend"):
        api_server.kubectl.create(wrong)


def test_servers_run_side_by_side_and_keep_what_they_store_over_a_restart(api_server: ApiServer) -> None:
    with running_api_server(users={"ann": ["team-a"]}) as other:
        other.kubectl("create", "namespace", "only-here")
        other.restart()
        assert other.kubectl.get("namespace", "only-here")["status"]["phase"] == "Active"
        with pytest.raises(StepFailed, match="not found"):
            api_server.kubectl.get("namespace", "only-here")
        with pytest.raises(StepFailed, match='User "ann" cannot'):
            Kubectl(other.kubeconfig_of("ann"))("get", "pods")
    assert not other.instance.folder.exists()


def test_an_owner_that_is_killed_leaves_no_process_and_its_folder_to_the_next_one() -> None:
    environment = os.environ | {"PYTHONPATH": str(ROOT / "tests")}
    with subprocess.Popen([sys.executable, "-c", OWNER], stdout=subprocess.PIPE, text=True, env=environment) as owner:
        assert owner.stdout is not None
        folder = Path(owner.stdout.readline().strip())
        left = next(instance for instance in instances.existing() if instance.folder == folder)
        assert [process.is_alive() for process in left.processes] == [True, True]
        owner.kill()
    await_true(lambda: not any(process.is_alive() for process in left.processes))
    instances.Instance.create().down()
    assert not folder.exists()


def await_true(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)
