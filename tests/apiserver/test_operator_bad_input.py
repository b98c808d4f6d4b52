"""What people, clusters and programs get wrong, as far as an API server shows it: it is said, and harms nobody else."""

from __future__ import annotations

import base64
import json
import ssl
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from helpers import kube_objects, selection_jobs
from helpers.operator_process import OperatorProcess, apply_own_crd, await_established, await_that, operating
from testbed.apiserver import ApiServer, running_api_server
from testbed.crds import apply_crds
from testbed.gomodules import source
from testbed.kubectl import Kubectl
from testbed.steps import StepFailed

pytestmark = pytest.mark.apiserver

IMPATIENT = ("--lease-duration=3", "--renew-deadline=2", "--retry-period=1", "--resync-seconds=10")
OPERATOR = "operator"
GOOD = "good"
"""The job beside."""
SECONDS = 60.0


def options(namespace: str, *others: str) -> tuple[str, ...]:
    return (*IMPATIENT, f"--lease={namespace}/afray", *(f"--namespace={name}" for name in (namespace, *others)))


def condition(kubectl: Kubectl, namespace: str, name: str, kind: str) -> tuple[str, str, str]:
    """Status, reason and message; nothing if it is not there."""
    status = json.loads(kubectl("get", "sj", name, "-n", namespace, "-o", "jsonpath={.status}") or "{}")
    for found in status.get("conditions", ()):  # the spec may be too deep to be parsed here
        if found["type"] == kind:
            return found["status"], found["reason"], found["message"]
    return "", "", ""


def await_condition(kubectl: Kubectl, namespace: str, name: str, kind: str, wanted: str) -> str:
    """Wait until it stands so, such as "False/InvalidSpec"; return its message."""
    await_that(lambda: "/".join(condition(kubectl, namespace, name, kind)[:2]) == wanted, SECONDS)
    return condition(kubectl, namespace, name, kind)[2]


def make_good(kubectl: Kubectl, namespace: str) -> None:
    kubectl.apply(selection_jobs.make_manifest(namespace, GOOD))


def check_good(kubectl: Kubectl, namespace: str, operator: OperatorProcess) -> None:
    """The job beside waits in its queue, and nothing has ended the operator."""
    await_condition(kubectl, namespace, GOOD, "QuotaReserved", "False/Queued")
    assert operator.is_alive


# The spec

LEVELS = 9_000
"""The API server takes 10,000 in all; clients, with less around, do not read so many."""


def nested(namespace: str, name: str, levels: int) -> bytes:
    """A job whose pod template has so many levels: clients refuse to write it, and the API server takes it."""
    job = selection_jobs.make_manifest(namespace, name)
    job["spec"]["cluster"]["head"]["template"] = {"spec": "HERE"}
    return json.dumps(job).replace('"HERE"', '{"a":' * levels + "1" + "}" * levels).encode()


def post(server: ApiServer, path: str, body: bytes) -> None:
    """Create an object from the very bytes."""
    content = yaml.safe_load(server.kubeconfig.read_text())
    cluster, user = content["clusters"][0]["cluster"], content["users"][0]["user"]
    trust = ssl.create_default_context(cadata=base64.b64decode(cluster["certificate-authority-data"]).decode())
    headers = {"Authorization": f"Bearer {user['token']}", "Content-Type": "application/json"}
    asked = urllib.request.Request(cluster["server"] + path, data=body, headers=headers, method="POST")
    urllib.request.urlopen(asked, context=trust).close()


def test_a_spec_that_is_nested_as_deep_as_the_api_server_takes_it_stops_nobody(
    api_server: ApiServer, kubectl: Kubectl, namespace: str, tmp_path: Path
) -> None:
    path = f"/apis/afray.dev/v1alpha1/namespaces/{namespace}/selectionjobs"
    post(api_server, path, nested(namespace, "listed", LEVELS))
    with operating(api_server.kubeconfig, *options(namespace), log=tmp_path / "log") as operator:
        post(api_server, path, nested(namespace, "watched", LEVELS))
        make_good(kubectl, namespace)
        for name in ("listed", "watched"):
            said = await_condition(kubectl, namespace, name, "Accepted", "False/InvalidSpec")
            assert "nested more than 64 levels deep" in said
        check_good(kubectl, namespace, operator)


def test_a_template_of_a_megabyte_is_refused_by_its_size_and_says_the_next_step(
    api_server: ApiServer, kubectl: Kubectl, namespace: str, tmp_path: Path
) -> None:
    big = selection_jobs.make_manifest(namespace, "big")
    big["spec"]["cluster"]["head"]["template"] = {"metadata": {"annotations": {"a": "x" * 2**20}}}
    with operating(api_server.kubeconfig, *options(namespace), log=tmp_path / "log") as operator:
        kubectl("create", "-f", "-", given=json.dumps(big))
        make_good(kubectl, namespace)
        said = await_condition(kubectl, namespace, "big", "Accepted", "False/InvalidSpec")
        assert said.startswith("spec.cluster.head.template: is larger than 8192 bytes")
        assert "apply a corrected one" in said
        check_good(kubectl, namespace, operator)


# The driver's word


def write_progress(kubectl: Kubectl, namespace: str, name: str, data: dict[str, Any]) -> None:
    """Write what only the driver should write."""
    kubectl(
        "patch", "configmap", f"{name}-progress", "-n", namespace, "--type=merge", "--patch-file=/dev/stdin",
        given=json.dumps({"data": data}),
    )  # fmt: skip


def run_ray_job(kubectl: Kubectl, namespace: str, name: str) -> None:
    """Do as KubeRay and Kueue: let the first attempt run."""
    ray_job = f"{name}-s1"
    running = json.dumps({"status": {"jobDeploymentStatus": "Running", "jobStatus": "RUNNING"}})
    kubectl("patch", "rayjob", ray_job, "-n", namespace, "--type=merge", "-p", '{"spec": {"suspend": false}}')
    kubectl("patch", "rayjob", ray_job, "-n", namespace, "--subresource=status", "--type=merge", "-p", running)
    await_condition(kubectl, namespace, name, "Progressing", "Unknown/NoHeartbeatYet")


def said_by_driver(**changes: Any) -> str:
    return json.dumps(kube_objects.payload(**changes))


HOSTILE = {
    "huge": said_by_driver(stage="x" * 900_000),
    "no-json": "not JSON at all",
    "deep": "[" * 10_000 + "]" * 10_000,
    "deep-field": said_by_driver().replace('"embed"', '{"a":' * 2_000 + "1" + "}" * 2_000),
    "list": "[1, 2]",
    "number": "1e999",
    "types": said_by_driver(done="many", epoch=[], stage={"a": 1}),
    "range": said_by_driver(done=-1, attempt=10**30),
    "control": said_by_driver(stage="\x1b[2J\x00"),
}


def test_what_no_driver_would_write_is_said_and_the_driver_s_next_word_counts_again(
    api_server: ApiServer, kubectl: Kubectl, namespace: str, tmp_path: Path
) -> None:
    with operating(api_server.kubeconfig, *options(namespace), log=tmp_path / "log") as operator:
        for name in HOSTILE:
            kubectl.apply(selection_jobs.make_manifest(namespace, name))
        make_good(kubectl, namespace)
        for name, text in HOSTILE.items():
            await_condition(kubectl, namespace, name, "QuotaReserved", "False/Queued")
            run_ray_job(kubectl, namespace, name)
            write_progress(kubectl, namespace, name, {"progress": text})
        for name in HOSTILE:
            said = await_condition(kubectl, namespace, name, "Progressing", "Unknown/ProgressUnreadable")
            assert "Nobody but the driver should write it" in said
            write_progress(kubectl, namespace, name, {"progress": said_by_driver(), "theirs": "x" * 1000})
        for name in HOSTILE:
            await_condition(kubectl, namespace, name, "Progressing", "True/Heartbeat")
        check_good(kubectl, namespace, operator)
    events = kubectl.list("events.events.k8s.io", namespace)
    warned = [event["regarding"]["name"] for event in events if event["reason"] == "ProgressUnreadable"]
    assert sorted(warned) == sorted(HOSTILE)


def test_a_driver_of_another_afray_is_told_and_one_of_another_payload_ends_its_job(
    api_server: ApiServer, kubectl: Kubectl, namespace: str, tmp_path: Path
) -> None:
    with operating(api_server.kubeconfig, *options(namespace), log=tmp_path / "log") as operator:
        make_good(kubectl, namespace)
        words = {"other": said_by_driver(afrayVersion="9.9.9"), "alien": said_by_driver(version=2)}
        for name, word in words.items():
            kubectl.apply(selection_jobs.make_manifest(namespace, name))
            await_condition(kubectl, namespace, name, "QuotaReserved", "False/Queued")
            run_ray_job(kubectl, namespace, name)
            write_progress(kubectl, namespace, name, {"progress": word})
        said = await_condition(kubectl, namespace, "alien", "Failed", "True/PermanentError")
        assert "Use an image in spec.runtime whose afray version is the operator's" in said
        said = await_condition(kubectl, namespace, "other", "Progressing", "True/Heartbeat")
        assert "The driver is afray 9.9.9" in said
        check_good(kubectl, namespace, operator)
    events = kubectl.list("events.events.k8s.io", namespace)
    assert [event["regarding"]["name"] for event in events if event["reason"] == "VersionSkew"] == ["other"]


def test_an_epoch_that_no_driver_had_is_said_to_be_one_until_its_config_map_is_deleted(
    api_server: ApiServer, kubectl: Kubectl, namespace: str, tmp_path: Path
) -> None:
    with operating(api_server.kubeconfig, *options(namespace), log=tmp_path / "log") as operator:
        make_good(kubectl, namespace)
        kubectl.apply(selection_jobs.make_manifest(namespace, "forged"))
        await_condition(kubectl, namespace, "forged", "QuotaReserved", "False/Queued")
        run_ray_job(kubectl, namespace, "forged")
        write_progress(kubectl, namespace, "forged", {"progress": said_by_driver(epoch=2**53)})
        await_condition(kubectl, namespace, "forged", "Progressing", "True/Heartbeat")
        write_progress(kubectl, namespace, "forged", {"progress": said_by_driver()})
        said = await_condition(kubectl, namespace, "forged", "Progressing", "Unknown/ProgressUnreadable")
        assert "delete ConfigMap forged-progress, and it is made anew" in said
        kubectl("delete", "configmap", "forged-progress", "-n", namespace)
        await_condition(kubectl, namespace, "forged", "Progressing", "Unknown/NoHeartbeatYet")
        write_progress(kubectl, namespace, "forged", {"progress": said_by_driver()})
        await_condition(kubectl, namespace, "forged", "Progressing", "True/Heartbeat")
        check_good(kubectl, namespace, operator)


# Others who have a say

WEBHOOK = "afray-test-webhook"


def webhook(namespace: str) -> dict[str, Any]:
    """One that every RayJob of the namespace waits for, and that is down."""
    rule = {"apiGroups": ["ray.io"], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["rayjobs"]}
    down = {
        "name": "down.example.com",
        "rules": [rule],
        "clientConfig": {"url": "https://127.0.0.1:1/"},
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
        "admissionReviewVersions": ["v1"],
        "sideEffects": "None",
        "failurePolicy": "Fail",
        "timeoutSeconds": 1,
    }
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": WEBHOOK},
        "webhooks": [down],
    }


def policy(namespace: str) -> list[dict[str, Any]]:
    """One that forbids RayJobs in the namespace, with the 403 that RBAC says too."""
    rule = {"apiGroups": ["ray.io"], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["rayjobs"]}
    selector = {"matchLabels": {"kubernetes.io/metadata.name": namespace}}
    kinds = {"apiVersion": "admissionregistration.k8s.io/v1", "metadata": {"name": WEBHOOK}}
    checks = [{"expression": "false", "message": "no RayJobs on Fridays", "reason": "Forbidden"}]
    rules = {"namespaceSelector": selector, "resourceRules": [rule]}
    bound = {"policyName": WEBHOOK, "validationActions": ["Deny"]}
    return [
        {**kinds, "kind": "ValidatingAdmissionPolicy", "spec": {"matchConstraints": rules, "validations": checks}},
        {**kinds, "kind": "ValidatingAdmissionPolicyBinding", "spec": bound},
    ]


def refusal_of_ray_jobs(kubectl: Kubectl, namespace: str) -> str:
    """What the API server says to any RayJob now; it takes a moment to hear of a webhook or a policy."""
    ray_job = {"apiVersion": "ray.io/v1", "kind": "RayJob", "metadata": {"name": "any", "namespace": namespace}}
    try:
        kubectl("create", "--dry-run=server", "-f", "-", given=json.dumps({**ray_job, "spec": {"entrypoint": "true"}}))
    except StepFailed as error:
        return str(error)
    return ""


def test_a_webhook_that_is_down_is_told_and_the_job_goes_on_when_it_is_gone(
    api_server: ApiServer, kubectl: Kubectl, namespace: str, tmp_path: Path
) -> None:
    kubectl.apply(webhook(namespace))
    await_that(lambda: "down.example.com" in refusal_of_ray_jobs(kubectl, namespace), SECONDS)
    kubectl.apply(selection_jobs.make_manifest(namespace))
    with operating(api_server.kubeconfig, *options(namespace), log=tmp_path / "log"):
        said = await_condition(kubectl, namespace, "welds", "Accepted", "Unknown/NotAnswered")
        assert 'failed calling webhook "down.example.com"' in said
        kubectl("delete", "validatingwebhookconfiguration", WEBHOOK)
        await_condition(kubectl, namespace, "welds", "QuotaReserved", "False/Queued")


def test_a_policy_that_forbids_is_no_right_that_lacks(
    api_server: ApiServer, kubectl: Kubectl, namespace: str, tmp_path: Path
) -> None:
    kubectl.apply(*policy(namespace))
    try:
        await_that(lambda: "on Fridays" in refusal_of_ray_jobs(kubectl, namespace), SECONDS)
        kubectl.apply(selection_jobs.make_manifest(namespace))
        with operating(api_server.kubeconfig, *options(namespace), log=tmp_path / "log"):
            said = await_condition(kubectl, namespace, "welds", "Accepted", "False/DryRunRejected")
            assert "no RayJobs on Fridays" in said
    finally:
        kubectl("delete", "validatingadmissionpolicybinding,validatingadmissionpolicy", WEBHOOK)


# The cluster


@pytest.fixture(scope="module")
def bare_server() -> Iterator[ApiServer]:
    """Without KubeRay and Kueue."""
    with running_api_server() as server:
        apply_own_crd(server.kubectl)
        yield server


def ray_crds() -> dict[str, dict[str, Any]]:
    folder = source("kuberay-config") / "crd" / "bases"
    crds = [yaml.safe_load(path.read_text()) for path in folder.iterdir()]
    return {crd["spec"]["names"]["plural"]: crd for crd in crds}


def older(crd: dict[str, Any], field: str) -> dict[str, Any]:
    """The CRD of a time when a RayJob did not have that field."""
    for version in crd["spec"]["versions"]:
        version["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"].pop(field, None)
    return crd


def apply_crd(kubectl: Kubectl, crd: dict[str, Any]) -> None:
    kubectl.apply(crd)
    await_established(kubectl, crd["metadata"]["name"])


def test_what_the_cluster_lacks_is_said_until_it_is_installed(bare_server: ApiServer, tmp_path: Path) -> None:
    kubectl, namespace, crds = bare_server.kubectl, "lacking", ray_crds()
    kubectl("create", "namespace", namespace)
    kubectl.apply(selection_jobs.make_manifest(namespace, "queued"))
    kubectl.apply(selection_jobs.make_manifest(namespace, "free", labels={}))
    log = tmp_path / "log"

    with operating(bare_server.kubeconfig, *options(namespace), log=log) as operator:
        for name in ("queued", "free"):
            assert "Install KubeRay 1.5 or newer" in await_condition(
                kubectl, namespace, name, "Accepted", "False/RayAPIMissing"
            )
        apply_crd(kubectl, crds["rayclusters"])
        apply_crd(kubectl, older(ray_crds()["rayjobs"], "submitterConfig"))
        await_that(lambda: not operator.is_alive, SECONDS)  # it starts anew, to watch what there is now

    with operating(bare_server.kubeconfig, *options(namespace), log=log):
        await_that(lambda: "KubeRay is too old" in condition(kubectl, namespace, "free", "Accepted")[2], SECONDS)

    apply_crd(kubectl, crds["rayjobs"])
    with operating(bare_server.kubeconfig, *options(namespace), log=log) as operator:
        said = await_condition(kubectl, namespace, "queued", "QuotaReserved", "False/KueueMissing")
        assert "Install Kueue 0.15 or newer, or take the label away" in said
        await_condition(kubectl, namespace, "free", "QuotaReserved", "True/NotManaged")
        for path in source("kueue-crds").iterdir():
            kubectl("apply", "--server-side", "-f", path)
        await_that(lambda: not operator.is_alive, SECONDS)

    with operating(bare_server.kubeconfig, *options(namespace), log=log):
        await_condition(kubectl, namespace, "queued", "QuotaReserved", "False/Queued")


# Rights

RULES = [
    {"apiGroups": ["afray.dev"], "resources": ["selectionjobs", "selectionjobs/status"], "verbs": ["*"]},
    {"apiGroups": ["events.k8s.io"], "resources": ["events"], "verbs": ["*"]},
    {"apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "verbs": ["*"]},
    {"apiGroups": [""], "resources": ["pods", "configmaps", "serviceaccounts"], "verbs": ["*"]},
    {"apiGroups": ["rbac.authorization.k8s.io"], "resources": ["roles", "rolebindings"], "verbs": ["*"]},
    {"apiGroups": ["ray.io"], "resources": ["rayclusters"], "verbs": ["*"]},
    {"apiGroups": ["kueue.x-k8s.io"], "resources": ["workloads"], "verbs": ["*"]},
]
RAY_JOBS = {"apiGroups": ["ray.io"], "resources": ["rayjobs"]}


def grant(kubectl: Kubectl, namespace: str, *rules: dict[str, Any]) -> None:
    """Let the operator do that in a namespace."""
    rbac = {"apiVersion": "rbac.authorization.k8s.io/v1", "metadata": {"name": OPERATOR, "namespace": namespace}}
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": OPERATOR}
    user = {"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": OPERATOR}
    kubectl.apply(
        {**rbac, "kind": "Role", "rules": list(rules)},
        {**rbac, "kind": "RoleBinding", "roleRef": role, "subjects": [user]},
    )


@pytest.fixture(scope="module")
def guarded_server() -> Iterator[ApiServer]:
    """With everything installed, and a user who has no rights yet."""
    with running_api_server(users={OPERATOR: []}) as server:
        apply_crds(server.kubectl)
        apply_own_crd(server.kubectl)
        yield server


def test_a_right_that_lacks_in_one_namespace_is_said_there_and_the_jobs_of_another_go_on(
    guarded_server: ApiServer, tmp_path: Path
) -> None:
    kubectl, login = guarded_server.kubectl, guarded_server.kubeconfig_of(OPERATOR)
    for name in ("home", "read-only", "closed"):
        kubectl("create", "namespace", name)
        kubectl.apply(selection_jobs.make_manifest(name, GOOD))
    grant(kubectl, "home", *RULES, {**RAY_JOBS, "verbs": ["*"]})
    grant(kubectl, "read-only", *RULES, {**RAY_JOBS, "verbs": ["get", "list", "watch"]})
    log = tmp_path / "log"

    with operating(login, *options("home", "read-only", "closed"), log=log) as operator:
        check_good(kubectl, "home", operator)
        said = await_condition(kubectl, "read-only", GOOD, "Accepted", "False/NotPermitted")
        assert "may not create RayJobs in namespace read-only" in said
        assert "namespace closed is left out" in log.read_text()
        assert condition(kubectl, "closed", GOOD, "Accepted") == ("", "", "")
        grant(kubectl, "closed", *RULES, {**RAY_JOBS, "verbs": ["*"]})
        await_that(lambda: not operator.is_alive, SECONDS)  # it starts anew, to watch there too

    with operating(login, *options("home", "read-only", "closed"), log=log) as operator:
        check_good(kubectl, "closed", operator)
        kubectl("delete", "rolebinding", OPERATOR, "-n", "closed")
        await_that(lambda: not operator.is_alive, SECONDS)

    with operating(login, *options("home", "read-only", "closed"), log=log) as operator:
        check_good(kubectl, "home", operator)


def test_an_operator_that_may_not_lead_is_not_ready_until_it_may(guarded_server: ApiServer, tmp_path: Path) -> None:
    kubectl, log = guarded_server.kubectl, tmp_path / "log"
    kubectl("create", "namespace", "later")
    operator = OperatorProcess.start(guarded_server.kubeconfig_of(OPERATOR), *options("later"), log=log)
    try:
        await_that(lambda: log.exists() and "cannot get resource" in log.read_text(), SECONDS)
        assert operator.page("/healthz") == "ok"
        with pytest.raises(urllib.error.HTTPError) as refused:
            operator.page("/readyz")
        assert "rights on the Lease" in refused.value.read().decode()
        refused.value.close()
        grant(kubectl, "later", *RULES, {**RAY_JOBS, "verbs": ["*"]})
        await_that(lambda: operator.page("/readyz") == "ok", SECONDS)
    finally:
        operator.stop()


def test_without_the_right_to_workloads_a_job_is_created_and_says_what_it_can_not_tell(
    guarded_server: ApiServer, tmp_path: Path
) -> None:
    kubectl, login = guarded_server.kubectl, guarded_server.kubeconfig_of(OPERATOR)
    kubectl("create", "namespace", "blind")
    kubectl.apply(selection_jobs.make_manifest("blind", GOOD))
    without = [rule for rule in RULES if rule["resources"] != ["workloads"]]
    grant(kubectl, "blind", *without, {**RAY_JOBS, "verbs": ["*"]})
    with operating(login, *options("blind"), log=tmp_path / "log") as operator:
        check_good(kubectl, "blind", operator)
        assert "which the operator may not read" in condition(kubectl, "blind", GOOD, "QuotaReserved")[2]
        grant(kubectl, "blind", *RULES, {**RAY_JOBS, "verbs": ["*"]})
        await_that(lambda: not operator.is_alive, SECONDS)  # it starts anew, to watch them
    with operating(login, *options("blind"), log=tmp_path / "log"):
        await_that(lambda: "has not looked" in condition(kubectl, "blind", GOOD, "QuotaReserved")[2], SECONDS)
