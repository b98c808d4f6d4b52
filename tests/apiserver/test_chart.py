"""What the chart makes for tenants, judged by a real API server: their roles, the policy over their jobs, the CRD."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from helpers.charts import CHART, RELEASE, nested, only, parse, render
from helpers.manifests import CLUSTER, WORKERS, cluster_manifest
from helpers.operator_process import apply_own_crd, await_that
from helpers.rights import Asked, Rights, reviews_of
from helpers.strict_server import StrictServer, Verdict
from testbed.apiserver import ApiServer
from testbed.helm import Helm
from testbed.kubectl import Kubectl
from testbed.namespaces import new_namespace
from testbed.release import RELEASES
from testbed.steps import StepFailed

pytestmark = pytest.mark.apiserver

CHART_VERSION = yaml.safe_load((CHART / "Chart.yaml").read_text())["version"]
GPU = "nvidia.com/gpu"
CAP = 8
QUEUED = {"kueue.x-k8s.io/queue-name": "team-a"}
JOBS = "selectionjobs.afray.dev"

READS: list[Asked] = [
    (verb, kind)
    for verb in ("get", "list", "watch")
    for kind in (JOBS, "rayjobs.ray.io", "workloads.kueue.x-k8s.io", "pods", "events", "events.events.k8s.io")
]
LOGS: list[Asked] = [("get", "pods/log")]
WRITES: list[Asked] = [(verb, JOBS) for verb in ("create", "update", "patch", "delete", "deletecollection")]
FORBIDDEN: list[Asked] = [
    *[(verb, "secrets") for verb in ("get", "list", "create")],
    *[("create", kind) for kind in ("pods", "pods/exec", "serviceaccounts/token", "rayjobs.ray.io", "jobs.batch")],
    *[(verb, "rolebindings.rbac.authorization.k8s.io") for verb in ("create", "update")],
    *[(verb, f"{JOBS}/status") for verb in ("update", "patch")],
    ("update", f"{JOBS}/finalizers"),
    *[(verb, "configmaps") for verb in ("get", "patch")],
    ("patch", "workloads.kueue.x-k8s.io"),
    ("delete", "leases.coordination.k8s.io"),
    ("delete", "pods"),
]


@pytest.fixture(scope="module")
def team(api_server: ApiServer) -> str:
    """A namespace where one user is bound to each role of the chart."""
    namespace = new_namespace(api_server.kubectl, "chart-team")
    api_server.kubectl.apply(*[one for one in render({}) if one["kind"] == "ClusterRole"])
    for role in ("viewer", "editor"):
        bound = (f"--clusterrole={RELEASE}-{role}", f"--user=the-{role}", "--namespace", namespace)
        api_server.kubectl("create", "rolebinding", role, *bound)
    return namespace


@pytest.mark.parametrize(("role", "may"), [("viewer", READS + LOGS), ("editor", READS + LOGS + WRITES)])
def test_a_tenant_may_do_what_her_role_is_for_in_her_namespace(
    api_server: ApiServer, team: str, role: str, may: list[Asked]
) -> None:
    rights = Rights(reviews_of(api_server.kubeconfig, f"the-{role}"), team)
    assert rights.allowed(READS + LOGS + WRITES) == may
    assert rights.allowed(may, namespace="default") == []


@pytest.mark.parametrize("role", ["viewer", "editor"])
def test_a_tenant_may_do_nothing_else(api_server: ApiServer, team: str, role: str) -> None:
    assert len(FORBIDDEN) >= 15
    assert Rights(reviews_of(api_server.kubeconfig, f"the-{role}"), team).allowed(FORBIDDEN) == []


@pytest.fixture(scope="module")
def capped(api_server: ApiServer) -> Iterator[StrictServer]:
    """A namespace under the chart's policy; it holds a job from before the policy, without a queue."""
    apply_own_crd(api_server.kubectl)
    namespace = new_namespace(api_server.kubectl, "chart-policy")
    server = StrictServer(api_server.kubeconfig, namespace)
    assert server.create(job("older", labels={})).is_accepted
    where = {"matchLabels": {"kubernetes.io/metadata.name": namespace}}
    policy = {"enabled": True, "maxGpus": CAP, "namespaceSelector": where}
    made = [one for one in render(nested("admissionPolicy", policy)) if one["kind"].startswith("Validating")]
    api_server.kubectl.apply(*made)
    await_that(lambda: not server.try_create(job("unqueued", labels={})).is_accepted)
    yield server
    api_server.kubectl("delete", "validatingadmissionpolicies,validatingadmissionpolicybindings", RELEASE)
    server.close()


def job(name: str = "welds", *, labels: dict[str, str] = QUEUED, **changes: object) -> dict[str, object]:
    """A job in a queue; changes are of its spec, with dots as double underscores."""
    spec = {f"spec.{path.replace('__', '.')}": value for path, value in changes.items()}
    return cluster_manifest({"metadata.name": name, "metadata.labels": labels, **spec})


def workers(gpus: object, replicas: int, name: str = "gpu", **more: object) -> dict[str, object]:
    """A worker group."""
    resources = {"cpu": "8", "memory": "32Gi", **({GPU: gpus} if gpus is not None else {})}
    return {**WORKERS, "name": name, "replicas": replicas, "resources": resources, **more}


def with_container(**resources: object) -> dict[str, object]:
    """A template whose container asks for these."""
    return {"spec": {"containers": [{"name": "ray", "resources": resources}]}}


HEAD_WITH_GPU = {"resources": {"cpu": "2", "memory": "4Gi", GPU: 1}}


@pytest.mark.parametrize(
    "changes",
    [
        {"cluster__workers": [workers("1", CAP)]},
        {"cluster__workers": [workers(4, 2)]},
        {"cluster__workers": [workers("2", 2), workers("2", 2, "more"), workers(None, 100, "cpu")]},
        {"cluster__head": HEAD_WITH_GPU, "cluster__workers": [workers("1", CAP - 1)]},
        {"cluster__workers": [workers("1", 1)], "finetune": {"workers": {"replicas": CAP}}},
        {"cluster__workers": [workers("1", CAP)], "finetune": {}},
        {"cluster__workers": [workers("1", 1, template=with_container(limits={"ephemeral-storage": "1Gi"}))]},
        {"cluster__workers": [workers("1", 1, template={"metadata": {"labels": {"a": "b"}}})]},
    ],
)
def test_a_job_within_the_cap_is_taken(capped: StrictServer, changes: dict[str, Any]) -> None:
    verdict = capped.try_create(job(**changes))
    assert verdict.is_accepted, verdict.answer


@pytest.mark.parametrize(
    ("changes", "gpus"),
    [
        ({"cluster__workers": [workers("1", CAP + 1)]}, 9),
        ({"cluster__workers": [workers(4, 2), workers("1", 1, "more")]}, 9),
        ({"cluster__head": HEAD_WITH_GPU, "cluster__workers": [workers("1", CAP)]}, 9),
        ({"cluster__workers": [workers("1", 1)], "finetune": {"workers": {"replicas": 10}}}, 10),
        (
            {
                "cluster__workers": [workers("2", 1), workers("1", 1, "small")],
                "finetune": {"workers": {"group": "gpu", "replicas": 6}},
            },
            12,
        ),
    ],
)
def test_a_job_above_the_cap_is_refused_with_both_numbers(
    capped: StrictServer, changes: dict[str, Any], gpus: int
) -> None:
    said = message(capped.try_create(job(**changes)))
    assert f"asks for {gpus} {GPU} at once, and a job gets {CAP} at most" in said


@pytest.mark.parametrize(
    "template",
    [
        with_container(limits={GPU: "4"}),
        with_container(requests={GPU: 4}),
        {"spec": {"initContainers": [{"name": "warm", "resources": {"limits": {GPU: "1"}}}]}},
        {"spec": {"resourceClaims": [{"name": "gpus", "resourceClaimTemplateName": "eight"}]}},
    ],
)
@pytest.mark.parametrize("place", ["head", "workers"])
def test_a_template_is_no_way_around_the_cap(capped: StrictServer, template: dict[str, Any], place: str) -> None:
    changes = (
        {"cluster__head": {**CLUSTER["head"], "template": template}}  # type: ignore[dict-item]
        if place == "head"
        else {"cluster__workers": [workers("1", 1, template=template)]}
    )
    assert "a template of spec.cluster asks for" in message(capped.try_create(job(**changes)))


@pytest.mark.parametrize("labels", [{}, {"team": "a"}])
def test_a_job_without_a_queue_is_refused(capped: StrictServer, labels: dict[str, str]) -> None:
    assert 'metadata.labels["kueue.x-k8s.io/queue-name"] is missing' in message(capped.try_create(job(labels=labels)))


def test_a_job_from_before_the_policy_may_change_and_none_leaves_its_queue(capped: StrictServer) -> None:
    older = capped.get("older")
    verdict = capped.try_replace("older", {**older, "spec": {**older["spec"], "suspend": True}})
    assert verdict.is_accepted, verdict.answer
    assert capped.create(job("queued")).is_accepted
    queued = capped.get("queued")
    left = {**queued, "metadata": {**queued["metadata"], "labels": {}}}
    assert "is missing" in message(capped.try_replace("queued", left))


def message(verdict: Verdict) -> str:
    """What the server said of a job that it refused."""
    assert not verdict.is_accepted
    return str(verdict.answer["message"])


@pytest.mark.parametrize("newer", ["9.0.0", "9.0.0-rc.1"])
def test_a_chart_that_is_older_than_the_crd_is_refused(api_server: ApiServer, kubectl: Kubectl, newer: str) -> None:
    annotated = ("annotate", "crd", JOBS, "--overwrite")
    kubectl(*annotated, f"afray.dev/chart-version={newer}")
    try:
        with pytest.raises(StepFailed, match=f"is of chart {newer}, newer than this chart") as refused:
            install(api_server)
        assert "set crds.install=false" in str(refused.value)
        install(api_server, "--set=crds.install=false")
    finally:
        kubectl(*annotated, "afray.dev/chart-version-")


@pytest.mark.parametrize("version", ["0.0.1", CHART_VERSION, None])
def test_a_crd_that_is_older_or_says_nothing_is_replaced(
    api_server: ApiServer, kubectl: Kubectl, version: str | None
) -> None:
    kubectl("annotate", "crd", JOBS, "--overwrite", f"afray.dev/chart-version={version}" if version else "a=b")
    install(api_server)


def test_an_upgrade_from_the_first_release_keeps_its_values_and_takes_in_new_defaults(
    api_server: ApiServer, kubectl: Kubectl
) -> None:
    helm, release = Helm(api_server.kubeconfig), "upgraded"
    place = ("--namespace", new_namespace(kubectl, "chart-upgrade"))
    first = RELEASES / "0.1.0" / "afray-0.1.0.tgz"
    # The CRD was applied by other tests: Helm takes it over as it would one of a kubectl of old.
    helm("install", release, first, *place, "--take-ownership", "--force-conflicts", "--set=workers=7")
    with pytest.raises(StepFailed, match="upgrade with --reset-then-reuse-values"):
        helm("upgrade", release, CHART, *place, "--reuse-values")
    helm("upgrade", release, CHART, *place, "--reset-then-reuse-values")
    made = parse(helm("get", "manifest", release, *place))
    assert "--workers=7" in only(made, "Deployment")["spec"]["template"]["spec"]["containers"][0]["args"]
    assert only(made, "PodDisruptionBudget")
    assert chart_of_crd(kubectl) == CHART_VERSION
    helm("uninstall", release, *place)
    assert chart_of_crd(kubectl) == CHART_VERSION


def chart_of_crd(kubectl: Kubectl) -> str:
    """The chart that the CRD in the cluster says it is of."""
    version: str = kubectl.get("crd", JOBS)["metadata"]["annotations"]["afray.dev/chart-version"]
    return version


def install(server: ApiServer, *options: str) -> None:
    """Install the chart, but for the last step."""
    Helm(server.kubeconfig)("install", RELEASE, CHART, "--dry-run=server", "--take-ownership", *options)
