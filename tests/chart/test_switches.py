"""What each switch of the chart brings and takes away: that, and nothing else."""

from __future__ import annotations

from typing import Any

import pytest
from helpers.charts import NAMESPACE, identities, nested, only, render

pytestmark = pytest.mark.chart

Identity = tuple[str, str, str]
CRD: Identity = ("CustomResourceDefinition", "", "selectionjobs.afray.dev")
ACCOUNT: Identity = ("ServiceAccount", NAMESPACE, "afray")
TENANTS: set[Identity] = {("ClusterRole", "", "afray-viewer"), ("ClusterRole", "", "afray-editor")}
LEADER: set[Identity] = {("Role", NAMESPACE, "afray-leader"), ("RoleBinding", NAMESPACE, "afray-leader")}
EVERYWHERE: set[Identity] = {("ClusterRole", "", "afray"), ("ClusterRoleBinding", "", "afray")}
BUDGET: Identity = ("PodDisruptionBudget", NAMESPACE, "afray")
POLICY: set[Identity] = {
    ("ValidatingAdmissionPolicy", "", "afray"),
    ("ValidatingAdmissionPolicyBinding", "", "afray"),
}
DASHBOARDS: set[Identity] = {("ConfigMap", NAMESPACE, f"afray-dashboard-{name}") for name in ("fleet", "job")}
ROLE_IN_TWO = {(kind, namespace, "afray") for kind in ("Role", "RoleBinding") for namespace in ("a", "b")}

SWITCHES: list[tuple[dict[str, Any], set[Identity], set[Identity]]] = [
    (nested("crds.install", False), set(), {CRD}),
    (nested("replicas", 1), set(), {BUDGET}),
    (nested("replicas", 0), set(), {BUDGET}),
    (nested("podDisruptionBudget.enabled", False), set(), {BUDGET}),
    (nested("watchNamespaces", ["a", "b"]), ROLE_IN_TWO, EVERYWHERE),
    (nested("rbac.create", False), set(), TENANTS | LEADER | EVERYWHERE),
    (nested("rbac.tenantRoles", False), set(), TENANTS),
    (nested("serviceAccount", {"create": False, "name": "theirs"}), set(), {ACCOUNT}),
    (nested("networkPolicy.enabled", True), {("NetworkPolicy", NAMESPACE, "afray")}, set()),
    (nested("admissionPolicy.enabled", True), POLICY, set()),
    (nested("monitoring.podMonitor.enabled", True), {("PodMonitor", NAMESPACE, "afray")}, set()),
    (nested("monitoring.jobPodMonitor.enabled", True), {("PodMonitor", NAMESPACE, "afray-jobs")}, set()),
    (nested("monitoring.rules.enabled", True), {("PrometheusRule", NAMESPACE, "afray")}, set()),
    (nested("monitoring.dashboards.enabled", True), DASHBOARDS, set()),
    (
        nested("monitoring.serviceMonitor.enabled", True),
        {("ServiceMonitor", NAMESPACE, "afray"), ("Service", NAMESPACE, "afray-metrics")},
        set(),
    ),
]


@pytest.mark.parametrize(("values", "more", "fewer"), SWITCHES, ids=lambda part: str(part)[:60])
def test_a_switch_brings_and_takes_away(values: dict[str, Any], more: set[Identity], fewer: set[Identity]) -> None:
    before, after = identities(render({})), identities(render(values))
    assert (after - before, before - after) == (more, fewer)


def pods(values: dict[str, Any]) -> Any:
    return only(render(values), "Deployment")["spec"]["template"]


@pytest.mark.parametrize(
    "path",
    ["priorityClassName", "nodeSelector", "tolerations", "affinity", "imagePullSecrets"],
)
def test_what_is_empty_is_left_out_of_the_pods(path: str) -> None:
    assert path not in pods({})["spec"]


@pytest.mark.parametrize(
    ("values", "field"),
    [
        (nested("topologySpreadConstraints", []), "topologySpreadConstraints"),
        (nested("podSecurityContext", None), "securityContext"),
    ],
)
def test_a_default_of_the_pods_can_be_taken_away(values: dict[str, Any], field: str) -> None:
    assert field in pods({})["spec"]
    assert field not in pods(values)["spec"]


def test_labels_of_a_user_never_replace_those_that_find_the_pods() -> None:
    labels = pods(nested("podLabels", {"app.kubernetes.io/name": "theirs", "team": "ours"}))["metadata"]["labels"]
    assert (labels["app.kubernetes.io/name"], labels["team"]) == ("afray", "ours")


def test_a_digest_wins_over_a_tag() -> None:
    digest = f"sha256:{'a' * 64}"
    (container,) = pods(nested("image", {"tag": "1.0", "digest": digest}))["spec"]["containers"]
    assert container["image"] == f"afray-operator@{digest}"


@pytest.mark.parametrize(
    ("values", "aggregated"),
    [
        ({}, {"afray-viewer": "view"}),
        (nested("rbac.aggregateToView", False), {}),
        (nested("rbac.aggregateToEdit", True), {"afray-viewer": "view", "afray-editor": "edit"}),
    ],
)
def test_creating_jobs_is_no_part_of_edit_unless_it_is_asked_for(
    values: dict[str, Any], aggregated: dict[str, str]
) -> None:
    prefix = "rbac.authorization.k8s.io/aggregate-to-"
    labels = {
        role["metadata"]["name"]: name.removeprefix(prefix)
        for role in render(values)
        if role["kind"] == "ClusterRole"
        for name in role["metadata"]["labels"]
        if name.startswith(prefix)
    }
    assert labels == aggregated


def test_a_viewer_reads_and_an_editor_writes_jobs_alone() -> None:
    rules = {name: only(render({}), "ClusterRole", f"afray-{name}")["rules"] for name in ("viewer", "editor")}
    assert {verb for rule in rules["viewer"] for verb in rule["verbs"]} == {"get", "list", "watch"}
    assert "secrets" not in {resource for role in rules.values() for rule in role for resource in rule["resources"]}
    (writing,) = (rule for rule in rules["editor"] if rule not in rules["viewer"])
    assert (writing["apiGroups"], writing["resources"]) == (["afray.dev"], ["selectionjobs"])


@pytest.mark.parametrize(
    ("values", "selector"),
    [
        ({}, None),
        (
            nested("watchNamespaces", ["a"]),
            {"matchExpressions": [{"key": "kubernetes.io/metadata.name", "operator": "In", "values": ["a"]}]},
        ),
        (nested("admissionPolicy.namespaceSelector", {"matchLabels": {"x": "y"}}), {"matchLabels": {"x": "y"}}),
    ],
)
def test_a_policy_holds_where_the_operator_watches_or_where_it_is_told(
    values: dict[str, Any], selector: object
) -> None:
    policy = {**values.get("admissionPolicy", {}), "enabled": True}
    binding = only(render({**values, "admissionPolicy": policy}), "ValidatingAdmissionPolicyBinding")
    assert binding["spec"].get("matchResources", {}).get("namespaceSelector") == selector


def test_a_cap_of_no_gpus_is_a_cap() -> None:
    values = nested("admissionPolicy", {"enabled": True, "maxGpus": 0})
    rules = only(render(values), "ValidatingAdmissionPolicy")["spec"]["validations"]
    assert any(rule["expression"].endswith("<= 0") for rule in rules)


@pytest.mark.parametrize(
    ("values", "expected"),
    [({}, {"any": True}), (nested("watchNamespaces", ["a", "b"]), {"matchNames": ["a", "b"]})],
)
def test_ray_pods_are_read_where_jobs_are_watched(values: dict[str, Any], expected: object) -> None:
    made = render({**values, **nested("monitoring.jobPodMonitor.enabled", True)})
    assert only(made, "PodMonitor")["spec"]["namespaceSelector"] == expected
