"""A tenant with the editor's role in her namespace: what she does there, and what she is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest
from testbed.cluster import Cluster
from testbed.grounds import Ground
from testbed.installation import Installation
from testbed.jobs import KIND
from testbed.kubectl import Kubectl
from testbed.operators import NAMESPACE, RELEASE
from testbed.s3 import S3
from testbed.small_jobs import QUEUE, create_queue
from testbed.steps import StepFailed

pytestmark = [pytest.mark.cluster, pytest.mark.nightly]

ANN = ("--as=ann", "--as-group=system:authenticated")


class Tenant:
    """A user who may act in one namespace."""

    def __init__(self, kubectl: Kubectl, namespace: str) -> None:
        self.kubectl, self.namespace = kubectl, namespace
        bound = (f"--clusterrole={RELEASE}-editor", "--user=ann", "-n", namespace)
        kubectl("create", "rolebinding", "ann", *bound)

    def __call__(self, *arguments: str, given: str | None = None) -> str:
        return self.kubectl(*ANN, "-n", self.namespace, *arguments, given=given)

    def is_refused(self, *arguments: str) -> bool:
        """Whether the API server forbids it; whatever else it says is not that."""
        try:
            self.kubectl(*ANN, *arguments)
        except StepFailed as error:
            return "forbidden" in error.reason.lower()
        return False


def refused_commands(own: str, job: str, pod: str, workload: str) -> list[tuple[str, ...]]:
    """What a tenant should not do."""
    patch = ("--type=merge", "-p")
    return [
        ("get", "secret", "s3", "-n", own),
        ("get", "secrets", "-A"),
        ("create", "secret", "generic", "mine", "--from-literal=a=b", "-n", own),
        ("create", "token", "default", "-n", own),
        ("run", "shell", "--image=afray:1", "-n", own),
        ("exec", pod, "-n", own, "--", "true"),
        ("delete", "pod", pod, "-n", own),
        ("delete", "rayjob", f"{job}-s1", "-n", own),
        ("create", "job", "batch", "--image=afray:1", "-n", own),
        ("create", "rolebinding", "more", "--clusterrole=admin", "--user=ann", "-n", own),
        ("patch", KIND, job, "--subresource=status", "-n", own, *patch, '{"status": {"phase": "Succeeded"}}'),
        ("patch", "configmap", f"{job}-progress", "-n", own, *patch, '{"data": {"progress": "{}"}}'),
        ("patch", "workload", workload, "-n", own, *patch, '{"spec": {"active": false}}'),
        ("get", KIND, "-n", NAMESPACE),
        ("delete", KIND, "--all", "-A"),
        ("get", "nodes"),
        ("delete", "lease", RELEASE, "-n", NAMESPACE),
        ("scale", "deployment", RELEASE, "--replicas=0", "-n", NAMESPACE),
        ("delete", "crd", KIND),
    ]


@pytest.mark.timeout(900)
def test_an_editor_does_all_a_tenant_should_and_nothing_else(
    installation: Installation, cluster: Cluster, storage: S3, namespace: str
) -> None:
    installation.install()
    ground = Ground.prepare(cluster, storage, namespace)
    ann = Tenant(cluster.kubectl, namespace)
    create_queue(cluster.kubectl, namespace)
    held = ground.hold_last_shard()
    job = ground.start(ground.job(queue_name=QUEUE))
    ground.await_held(job, held)

    (head,) = job.pods("head")
    assert job.name in ann("get", KIND)
    assert "embed" in ann("get", KIND, job.name, "-o", "jsonpath={.status.progress.summary}")
    assert head["metadata"]["name"] in ann("get", "pods")
    assert ann("logs", head["metadata"]["name"], "-c", "ray", "--tail=1")
    assert "AttemptCreated" in ann("get", "events")
    assert f"{job.name}-s1" in ann("get", "rayjobs,rayclusters,workloads,localqueues")
    (workload,) = cluster.kubectl.list("workloads", namespace)
    commands = refused_commands(namespace, job.name, head["metadata"]["name"], workload["metadata"]["name"])
    assert len(commands) >= 15
    assert [" ".join(command) for command in commands if not ann.is_refused(*command)] == []

    ann("patch", KIND, job.name, "--type=merge", "-p", '{"spec": {"suspend": true}}')
    job.await_condition("Suspended", "True", "UserRequested")
    ann("patch", KIND, job.name, "--type=merge", "-p", '{"spec": {"suspend": false}}')
    storage.lift(held)
    job.await_complete()
    manifest: dict[str, Any] = ground.job("second")
    manifest["metadata"]["namespace"] = namespace
    manifest["spec"]["suspend"] = True
    ann("create", "-f", "-", given=json.dumps(manifest))
    ann("delete", KIND, job.name, "second")
