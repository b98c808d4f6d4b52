"""The chart with each set of values: fit for every Kubernetes it is for, and what the set is meant to be."""

from __future__ import annotations

import re
from pathlib import Path

import kubernetes_validate
import pytest
import yaml
from helpers.charts import CHART, NAMESPACE, SETS, Manifest, identities, only, render
from helpers.kube_schemas import complaint
from testbed import helm
from testbed.commands import run

pytestmark = pytest.mark.chart

OLDEST = re.findall(r"1\.\d+", yaml.safe_load((CHART / "Chart.yaml").read_text())["kubeVersion"])[0]
FIRST_WITH_POLICIES = "1.30"
TESTED = "1.35"
POLICY_KINDS = ("ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding")
CLUSTER_KINDS = frozenset(("ClusterRole", "ClusterRoleBinding", "CustomResourceDefinition", *POLICY_KINDS))


@pytest.fixture(params=SETS)
def path(request: pytest.FixtureRequest) -> Path:
    return SETS[request.param]


def set_of(name: str) -> list[Manifest]:
    return render(SETS[name])


def test_there_is_a_set_for_each_way_to_install() -> None:
    assert set(SETS) == {
        "defaults", "namespaced", "no-kuberay", "ha-off", "monitoring", "custom-registry", "airgapped", "everything",
    }  # fmt: skip


def test_helm_finds_nothing_to_complain_of(path: Path) -> None:
    run([helm.program(), "lint", "--strict", CHART, "--values", path], remedy=helm.READ_THE_MESSAGE)


@pytest.mark.parametrize("kubernetes", [OLDEST, TESTED])
def test_every_object_fits_the_schema_of(kubernetes: str, path: Path) -> None:
    has_policy = bool(yaml.safe_load(path.read_text()).get("admissionPolicy"))
    version = FIRST_WITH_POLICIES if has_policy and kubernetes == OLDEST else kubernetes
    found = {one["kind"]: complaint(one, version) for one in render(path, f"--kube-version={version}", tests=True)}
    assert {kind: text for kind, text in found.items() if text} == {}


def test_no_object_is_made_twice_and_each_says_where_it_belongs(path: Path) -> None:
    made = render(path, tests=True)
    assert len(identities(made)) == len(made)
    for one in made:
        assert ("namespace" in one["metadata"]) == (one["kind"] not in CLUSTER_KINDS), one["kind"]
        if one["kind"] != "CustomResourceDefinition":
            assert one["metadata"]["labels"]["app.kubernetes.io/instance"] == "afray", one["kind"]


def test_pods_keep_to_pod_security_restricted(path: Path) -> None:
    pod = only(render(path), "Deployment")["spec"]["template"]["spec"]
    assert pod["securityContext"]["runAsNonRoot"]
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    (container,) = pod["containers"]
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert not {"volumes", "hostNetwork", "hostPID"} & pod.keys()


def test_the_default_is_two_pods_apart_of_which_one_may_be_drained() -> None:
    made = set_of("defaults")
    deployment = only(made, "Deployment")["spec"]
    assert deployment["replicas"] == 2
    assert deployment["strategy"]["rollingUpdate"] == {"maxSurge": 1, "maxUnavailable": 0}
    (spread,) = deployment["template"]["spec"]["topologySpreadConstraints"]
    assert (spread["topologyKey"], spread["whenUnsatisfiable"]) == ("kubernetes.io/hostname", "ScheduleAnyway")
    assert spread["matchLabelKeys"] == ["pod-template-hash"]  # else pods of the old version push those of the new away
    labels = deployment["template"]["metadata"]["labels"]
    for selector in (spread["labelSelector"], only(made, "PodDisruptionBudget")["spec"]["selector"]):
        assert selector["matchLabels"].items() <= labels.items()
    assert only(made, "PodDisruptionBudget")["spec"]["maxUnavailable"] == 1


def test_the_default_probes_the_health_pages() -> None:
    (container,) = only(set_of("defaults"), "Deployment")["spec"]["template"]["spec"]["containers"]
    probed = {name: container[f"{name}Probe"]["httpGet"] for name in ("liveness", "readiness")}
    assert probed == {
        "liveness": {"path": "/healthz", "port": "metrics"},
        "readiness": {"path": "/readyz", "port": "metrics"},
    }


def test_namespaced_needs_no_right_on_the_whole_cluster() -> None:
    made = set_of("namespaced")
    assert {one["kind"] for one in made} & CLUSTER_KINDS == set()
    assert {one["metadata"]["namespace"] for one in made} == {NAMESPACE, "inspection"}
    assert only(made, "Role", "afray")["metadata"]["namespace"] == "inspection"


def test_ha_off_is_one_pod_that_any_drain_may_take() -> None:
    made = set_of("ha-off")
    assert only(made, "Deployment")["spec"]["replicas"] == 1
    assert "PodDisruptionBudget" not in {one["kind"] for one in made}


def test_no_kuberay_asks_for_no_queue() -> None:
    expressions = [
        rule["expression"] for rule in only(set_of("no-kuberay"), "ValidatingAdmissionPolicy")["spec"]["validations"]
    ]
    assert len(expressions) == 2
    assert not any("queue" in expression.lower() for expression in expressions)


def test_monitoring_is_found_by_its_label_and_let_in() -> None:
    made = set_of("monitoring")
    monitors = [one for one in made if one["kind"].endswith("Monitor")]
    assert {one["metadata"]["name"] for one in monitors} == {"afray", "afray-jobs"}
    assert all(one["metadata"]["labels"]["release"] == "prometheus" for one in monitors)
    service = only(made, "Service")
    assert (
        only(made, "ServiceMonitor")["spec"]["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
    )
    (ingress,) = only(made, "NetworkPolicy")["spec"]["ingress"]
    assert ingress["from"] == [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}]


@pytest.mark.parametrize(
    ("name", "image"),
    [
        ("custom-registry", "registry.example.com:5000/platform/afray-operator:0.1.0-build.7"),
        ("airgapped", f"mirror.internal/afray-operator@sha256:{'0f1e2d3c4b5a69788796a5b4c3d2e1f0' * 2}"),
    ],
)
def test_the_image_comes_from_the_registry_of(name: str, image: str) -> None:
    pod = only(set_of(name), "Deployment")["spec"]["template"]["spec"]
    assert [container["image"] for container in pod["containers"]] == [image]
    assert len(pod["imagePullSecrets"]) == 1


def test_airgapped_lets_nothing_in_and_out_to_two_places_alone() -> None:
    policy = only(set_of("airgapped"), "NetworkPolicy")["spec"]
    assert policy["policyTypes"] == ["Ingress", "Egress"]
    assert "ingress" not in policy
    dns, api_server = policy["egress"]
    assert {port["port"] for port in dns["ports"]} == {53}
    assert [peer["ipBlock"]["cidr"] for peer in api_server["to"]] == ["10.96.0.1/32", "192.0.2.10/32"]


def test_everything_reaches_the_pods() -> None:
    template = only(set_of("everything"), "Deployment")["spec"]["template"]
    pod, (container,) = template["spec"], template["spec"]["containers"]
    assert template["metadata"]["labels"]["team"] == "platform"
    assert template["metadata"]["annotations"] == {"example.com/owner": "platform"}
    assert pod["serviceAccountName"] == "operator"
    assert pod["priorityClassName"] == "system-cluster-critical"
    assert pod["terminationGracePeriodSeconds"] == 60
    assert pod["securityContext"]["runAsUser"] == 1000650000
    assert "runAsGroup" not in pod["securityContext"]
    assert {"nodeSelector", "tolerations", "affinity"} <= pod.keys()
    assert container["args"] == [
        "--lease=afray-system/afray", "--lease-duration=20", "--renew-deadline=12", "--retry-period=3", "--workers=8",
        "--resync-seconds=600", "--log-level=debug", "--log-format=text", "--namespace=inspection",
        "--namespace=assembly", "--workers=16",
    ]  # fmt: skip
    assert [variable["name"] for variable in container["env"]] == ["POD_NAME", "HTTPS_PROXY", "NODE"]
    assert container["resources"]["limits"] == {"cpu": "2", "memory": "1Gi"}


def test_everything_spreads_as_it_is_told() -> None:
    pod = only(set_of("everything"), "Deployment")["spec"]["template"]["spec"]
    zones, hosts = pod["topologySpreadConstraints"]
    assert zones["labelSelector"]["matchLabels"]["app.kubernetes.io/instance"] == "afray"
    assert hosts["labelSelector"] == {"matchLabels": {"team": "platform"}}
    assert "matchLabelKeys" not in hosts


def test_the_schemas_see_an_unknown_field_and_a_wrong_type() -> None:
    made = set_of("everything")
    deployment, monitor = only(made, "Deployment"), only(made, "PodMonitor", "afray")
    assert "minReadySecs" in str(complaint({**deployment, "spec": {**deployment["spec"], "minReadySecs": 1}}, TESTED))
    assert "sampleLimits" in str(complaint({**monitor, "spec": {**monitor["spec"], "sampleLimits": 1}}, TESTED))
    assert "not of type" in str(complaint({**monitor, "spec": {**monitor["spec"], "sampleLimit": "x"}}, TESTED))
    with pytest.raises(kubernetes_validate.SchemaNotFoundError):
        complaint({"apiVersion": "v1", "kind": "Dream", "metadata": {}}, TESTED)
