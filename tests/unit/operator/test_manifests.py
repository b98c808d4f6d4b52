"""The RayJob of an attempt and what comes with it: golden files, and what must hold whatever a user writes."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
import yaml
from afray_operator.manifests import supporting
from afray_operator.manifests.ownership import Owner
from afray_operator.manifests.rayjobs import Attempt, ray_job
from helpers import rayjob_goldens
from helpers.kube_objects import NAME, NAMESPACE, UID
from helpers.manifests import cluster_manifest
from hypothesis import given, settings
from hypothesis import strategies as st

from afray.api.loading import load_object
from afray.api.rules import Target
from afray.api.stages import Stage
from afray.contract.environment import DriverEnvironment

OWNER = Owner(namespace=NAMESPACE, name=NAME, uid=UID)
SCALARS = st.none() | st.booleans() | st.integers(0, 9) | st.sampled_from(["", "ray", "a", "$(A)"])
NAMES = st.sampled_from(
    [
        "spec",
        "metadata",
        "containers",
        "name",
        "env",
        "value",
        "labels",
        "volumes",
        "tolerations",
        "ports",
        "afray.dev/job",
    ]
)
ANYTHING = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4), max_leaves=12
)
BLOCKS = st.dictionaries(NAMES, ANYTHING, max_size=4)
TEMPLATES = st.fixed_dictionaries({}, optional={"metadata": BLOCKS, "spec": BLOCKS})


def make(changes: Mapping[str, object] | None = None, *, stage: Stage = Stage.select, number: int = 1) -> Any:
    job = load_object(cluster_manifest(changes), "test", target=Target.cluster)
    return ray_job(Attempt(owner=OWNER, job=job, labels={}, stage=stage, number=number))


def pods(made: Any) -> Iterator[tuple[str, Any]]:
    """Every pod template by its role."""
    cluster = made["spec"]["rayClusterSpec"]
    yield "head", cluster["headGroupSpec"]["template"]
    yield "submitter", made["spec"]["submitterPodTemplate"]
    for group in cluster["workerGroupSpecs"]:
        yield group["groupName"], group["template"]


def variables(pod: Any, container: int = 0) -> dict[str, Any]:
    return {found["name"]: found.get("value") for found in pod["spec"]["containers"][container].get("env", ())}


@pytest.mark.parametrize("case", rayjob_goldens.CASES)
def test_the_ray_job_is_that_of_its_golden_file(case: str) -> None:
    assert yaml.safe_load(rayjob_goldens.path(case).read_text()) == rayjob_goldens.make(case)


def test_every_golden_file_has_its_case() -> None:
    assert {path.stem for path in rayjob_goldens.FOLDER.glob("*.yaml")} == set(rayjob_goldens.CASES)


@pytest.mark.parametrize("case", rayjob_goldens.CASES)
def test_every_pod_is_restricted(case: str) -> None:
    for _, pod in pods(rayjob_goldens.make(case)):
        spec = pod["spec"]
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        container = spec["containers"][0]
        assert container["securityContext"] == {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}


@pytest.mark.parametrize("case", rayjob_goldens.CASES)
def test_every_pod_is_found_by_job_stage_attempt_and_role_and_leaves_lost_nodes_soon(case: str) -> None:
    _, _, stage, number = rayjob_goldens.CASES[case]
    for role, pod in pods(rayjob_goldens.make(case)):
        labels = pod["metadata"]["labels"]
        assert [labels[f"afray.dev/{key}"] for key in ("job", "stage", "attempt", "role")] == [
            NAME,
            stage,
            str(number),
            role,
        ]
        seconds = {found["key"]: found.get("tolerationSeconds") for found in pod["spec"]["tolerations"]}
        assert seconds["node.kubernetes.io/not-ready"] == seconds["node.kubernetes.io/unreachable"] == 30


def test_credentials_reach_head_and_workers_and_never_the_submitter() -> None:
    for role, pod in pods(rayjob_goldens.make("everything-select")):
        container = pod["spec"]["containers"][0]
        assert ("envFrom" in container) == (role != "submitter")
        assert ("TOKEN" in variables(pod)) == (role != "submitter")


def test_only_the_head_is_told_the_task_and_only_it_speaks_to_the_api_server() -> None:
    for role, pod in pods(rayjob_goldens.make("everything-select")):
        told = {name for name in variables(pod) if name.startswith("SELECTION_")}
        assert bool(told) == (role == "head")
        assert pod["spec"]["automountServiceAccountToken"] == (role == "head")
        assert pod["spec"]["serviceAccountName"] == "irsa"


@pytest.mark.parametrize("name", ["everything-select", "everything-labels", "everything-finetune", "minimal-select"])
def test_prometheus_finds_the_metrics_of_every_pod_that_runs_ray(name: str) -> None:
    for role, pod in pods(rayjob_goldens.make(name)):
        ports = [port for container in pod["spec"]["containers"] for port in container.get("ports", ())]
        found = [port["containerPort"] for port in ports if port["name"] == "metrics"]
        assert found == ([] if role == "submitter" else [8080])


def test_the_driver_reads_its_task_from_the_head_s_variables_as_a_kubelet_gives_them() -> None:
    given_variables = variables(dict(pods(rayjob_goldens.make("everything-finetune")))["head"])
    as_expanded = {name: (value or "").replace("$$", "$") for name, value in given_variables.items()}
    task = DriverEnvironment.from_variables(as_expanded)
    assert (task.stage, task.attempt, task.job_uid, task.progress) == (Stage.finetune, 1, UID, f"{NAME}-progress")
    assert (task.lease_seconds, task.queue) == (40, "team-a")
    assert task.job.spec.pool.uri == "s3://plant/$(HOME)/welds"


def test_no_reference_to_a_variable_is_left_in_what_the_driver_is_told() -> None:
    head = dict(pods(rayjob_goldens.make("everything-select")))["head"]
    assert "$$(HOME)" in variables(head)["SELECTION_SPEC"]


def test_no_credential_and_no_template_travels_in_the_spec() -> None:
    text = variables(dict(pods(rayjob_goldens.make("everything-select")))["head"])["SELECTION_SPEC"]
    assert not {"secretRef", "TOKEN", "registry.example.com/secret", "nodeSelector"} & set(text.split('"'))


def test_the_submitter_goes_where_the_head_goes_with_its_volumes() -> None:
    found = dict(pods(rayjob_goldens.make("everything-select")))
    head, submitter = found["head"]["spec"], found["submitter"]["spec"]
    assert submitter["priorityClassName"] == head["priorityClassName"] == "on-demand"
    assert submitter["volumes"] == [{"name": "ca", "configMap": {"name": "ca"}}]
    (container,) = submitter["containers"]
    assert container["volumeMounts"] == [{"name": "ca", "mountPath": "/etc/ca", "readOnly": True}]


def test_a_template_s_own_toleration_of_lost_nodes_stands() -> None:
    mine = {"key": "node.kubernetes.io/unreachable", "operator": "Exists", "tolerationSeconds": 5}
    made = make({"spec.cluster.head.template": {"spec": {"tolerations": [mine]}}})
    found = dict(pods(made))["head"]["spec"]["tolerations"]
    assert [(each["key"], each["tolerationSeconds"]) for each in found] == [
        ("node.kubernetes.io/unreachable", 5),
        ("node.kubernetes.io/not-ready", 30),
    ]


def test_checking_labels_takes_no_device_and_no_worker() -> None:
    made = rayjob_goldens.make("everything-labels")
    assert [role for role, _ in pods(made)] == ["head", "submitter"]
    head = dict(pods(made))["head"]["spec"]["containers"][0]
    assert head["resources"]["limits"] == {"cpu": "2", "memory": "4Gi"}


def test_a_job_without_a_queue_starts_at_once_and_one_with_a_queue_waits_for_it() -> None:
    assert rayjob_goldens.make("minimal-select")["spec"]["suspend"] is False
    assert rayjob_goldens.make("everything-select")["spec"]["suspend"] is True


def test_the_entrypoint_is_constant_and_nothing_is_tried_twice_by_others() -> None:
    for case in rayjob_goldens.CASES:
        spec = rayjob_goldens.make(case)["spec"]
        assert spec["entrypoint"] == "python -m afray.driver"
        assert (spec["backoffLimit"], spec["submitterConfig"]) == (0, {"backoffLimit": 0})
        assert spec["shutdownAfterJobFinishes"] is True


def test_the_longest_name_of_a_job_and_a_late_attempt_fit_into_kuberay_s_limit() -> None:
    owner = Owner(namespace=NAMESPACE, name="w" * 40, uid=UID)
    job = load_object(cluster_manifest({"metadata.name": "w" * 40}), "test", target=Target.cluster)
    made: Any = ray_job(Attempt(owner=owner, job=job, labels={}, stage=Stage.select, number=99_999))
    assert len(made["metadata"]["name"]) <= 47


@settings(deadline=None)
@given(TEMPLATES, TEMPLATES)
def test_whatever_the_templates_say_labels_and_task_are_ours(head: Any, worker: Any) -> None:
    workers = [{"name": "gpu", "resources": {"cpu": "1", "memory": "1Gi"}, "template": worker}]
    changes = {
        "spec.cluster": {"head": {"resources": {"cpu": "1", "memory": "1Gi"}, "template": head}, "workers": workers}
    }
    made = make(changes)
    json.dumps(made)
    for _, pod in pods(made):
        metadata = pod.get("metadata")
        assert metadata["labels"]["afray.dev/job"] == NAME
    containers = dict(pods(made))["head"]["spec"].get("containers")
    for container in containers if isinstance(containers, list) else ():
        if isinstance(container, dict) and container.get("name") == "ray" and isinstance(container["env"], list):
            told = {found["name"]: found.get("value") for found in container["env"] if isinstance(found, dict)}
            assert told["SELECTION_STAGE"] == "select"


def test_the_driver_may_get_and_patch_its_own_progress_and_nothing_else() -> None:
    role: Any = supporting.role(OWNER)
    assert role["rules"] == [
        {
            "apiGroups": [""],
            "resources": ["configmaps"],
            "resourceNames": [f"{NAME}-progress"],
            "verbs": ["get", "patch"],
        }
    ]
    binding: Any = supporting.role_binding(OWNER, "irsa")
    assert binding["roleRef"]["name"] == role["metadata"]["name"]
    assert binding["subjects"] == [{"kind": "ServiceAccount", "name": "irsa", "namespace": NAMESPACE}]


@pytest.mark.parametrize(
    "made",
    [
        make(),
        supporting.progress_config_map(OWNER),
        supporting.templates_config_map(OWNER, {"head": {}}),
        supporting.service_account(OWNER),
        supporting.role(OWNER),
        supporting.role_binding(OWNER, "a"),
    ],
    ids=lambda made: made["kind"],
)
def test_everything_belongs_to_the_job_and_is_found_by_its_label(made: Any) -> None:
    (owner,) = made["metadata"]["ownerReferences"]
    assert (owner["kind"], owner["name"], owner["uid"], owner["controller"]) == ("SelectionJob", NAME, UID, True)
    assert made["metadata"]["labels"]["afray.dev/job"] == NAME
    assert made["metadata"]["namespace"] == NAMESPACE
