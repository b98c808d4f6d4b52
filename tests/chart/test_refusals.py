"""Values that the chart refuses: each by its name, before anything reaches a cluster."""

from __future__ import annotations

import io
import tarfile

import pytest
import yaml
from helpers.charts import CHART, identities, nested, refusal, render
from testbed import helm
from testbed.commands import Argument, run
from testbed.release import RELEASES

pytestmark = pytest.mark.chart

DIGEST = "sha256:" + "a" * 64
BAD = [
    ("image.repository", ""),
    ("image.repository", "registry.example.com/afray-operator:1.0"),
    ("image.repository", f"afray-operator@{DIGEST}"),
    ("image.tag", 1.0),
    ("image.tag", "v 1"),
    ("image.digest", "sha256:abc"),
    ("image.pullPolicy", "Sometimes"),
    ("imagePullSecrets", ["registry"]),
    ("imagePullSecrets", "registry"),
    ("replicas", "two"),
    ("replicas", -1),
    ("crds.install", "yes"),
    ("watchNamespaces", "team-a"),
    ("watchNamespaces", ["Team_A"]),
    ("watchNamespaces", ["team-a", "team-a"]),
    ("leaderElection.duration", "15s"),
    ("leaderElection.retryPeriod", 0),
    ("workers", 65),
    ("resyncSeconds", 1),
    ("log.level", "loud"),
    ("log.format", "xml"),
    ("extraArgs", "--workers=8"),
    ("extraEnv", {"HTTPS_PROXY": "http://proxy"}),
    ("extraEnv", [{"name": "POD_NAME", "value": "x"}]),
    ("extraEnv", [{"value": "x"}]),
    ("resources.limits", {"memory": {"gi": 1}}),
    ("serviceAccount.name", "Operator!"),
    ("rbac.aggregateToEdit", "true"),
    ("podDisruptionBudget.maxUnavailable", 0),
    ("podDisruptionBudget.maxUnavailable", "half"),
    ("podLabels.team", 5),
    ("terminationGracePeriodSeconds", 1),
    ("tolerations", {"key": "gpu"}),
    ("networkPolicy.apiServer.cidrs", ["10.0.0.1"]),
    ("networkPolicy.apiServer.ports", [70000]),
    ("networkPolicy.metricsFrom", "monitoring"),
    ("admissionPolicy.action", "Refuse"),
    ("admissionPolicy.maxGpus", "8"),
    ("admissionPolicy.gpuResource", "gpu"),
    ("admissionPolicy.gpuResource", "nvidia.com/gpu' in {} || '"),
    ("monitoring.interval", 30),
    ("monitoring.podMonitor", True),
    ("monitoring.rules.jobFailed.for", "soon"),
    ("monitoring.rules.jobFailed.severity", "Critical!"),
    ("monitoring.rules.jobStalled.afterSeconds", "10m"),
    ("monitoring.rules.quarantineHigh.percent", 100),
    ("monitoring.rules.runbookUrl", ""),
    ("monitoring.rules.alertLabels.team", 5),
    ("monitoring.dashboards.labels", "grafana_dashboard"),
]
UNKNOWN = [
    "replicaCount",
    "image.name",
    "leaderElection.leaseDuration",
    "monitoring.podMonitor.interval",
    "monitoring.rules.jobFailed.threshold",
    "resources.cpu",
]


@pytest.mark.parametrize(("path", "value"), BAD, ids=lambda part: str(part)[:40])
def test_a_bad_value_is_refused_by_its_path(path: str, value: object) -> None:
    assert f"at '/{path.replace('.', '/')}" in refusal(nested(path, value))


@pytest.mark.parametrize("path", UNKNOWN)
def test_an_unknown_value_is_refused_by_its_name(path: str) -> None:
    section, _, name = path.rpartition(".")
    place = f"/{section.replace('.', '/')}" if section else ""
    assert f"at '{place}': additional properties '{name}' not allowed" in refusal(nested(path, "x"))


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (nested("leaderElection.renewDeadline", 15), ["leaderElection.renewDeadline is 15", "duration, 15"]),
        (nested("leaderElection.retryPeriod", 10), ["leaderElection.retryPeriod is 10", "renewDeadline, 10"]),
        (nested("serviceAccount.create", False), ["serviceAccount.create is false", "name the account"]),
        (
            nested("admissionPolicy", {"enabled": True, "requireQueue": False}),
            ["admissionPolicy.enabled is true", "admissionPolicy.requireQueue=true"],
        ),
        (
            nested("monitoring", {"podMonitor": {"enabled": True}, "serviceMonitor": {"enabled": True}}),
            ["monitoring.podMonitor.enabled", "monitoring.serviceMonitor.enabled", "set one of them to false"],
        ),
    ],
    ids=["deadline", "retry", "account", "policy", "monitors"],
)
def test_values_that_do_not_go_together_are_refused_with_a_remedy(values: dict[str, object], words: list[str]) -> None:
    said = refusal(values)
    assert [word for word in words if word not in said] == []


@pytest.mark.parametrize(
    ("switch", "kind"),
    [
        ("podMonitor", "PodMonitor"),
        ("serviceMonitor", "ServiceMonitor"),
        ("jobPodMonitor", "PodMonitor"),
        ("rules", "PrometheusRule"),
    ],
)
def test_monitoring_without_its_crds_says_which_lacks_and_what_to_set(switch: str, kind: str) -> None:
    values = nested(f"monitoring.{switch}.enabled", True)
    said = refusal(values)
    assert f"the cluster has no CRD {kind.lower()}s.monitoring.coreos.com" in said
    assert f"set monitoring.{switch}.enabled=false" in said
    offline = f"--api-versions monitoring.coreos.com/v1/{kind}"
    assert offline in said
    assert kind in {one["kind"] for one in render(values, *offline.split(maxsplit=1))}


def test_a_policy_on_a_kubernetes_without_them_says_which_is_the_first_with() -> None:
    said = refusal(nested("admissionPolicy.enabled", True), "--kube-version=1.29")
    assert "Kubernetes is v1.29, and 1.30 is the first" in said
    assert "set admissionPolicy.enabled=false" in said


def test_values_reused_from_an_older_chart_are_told_apart() -> None:
    # What --reuse-values leaves of new sections: nothing.
    assert "--reset-then-reuse-values" in refusal({"rbac": None})


def test_a_kubernetes_that_is_too_old_is_refused() -> None:
    assert "requires kubeVersion: >=1.29.0-0" in refusal({}, "--kube-version=1.28")


def test_all_values_of_the_first_release_are_still_known() -> None:
    with tarfile.open(RELEASES / "0.1.0" / "afray-0.1.0.tgz") as chart:
        found = chart.extractfile("afray/values.yaml")
        assert found is not None
        values = yaml.safe_load(io.TextIOWrapper(found))
    assert identities(render(values)) == identities(render({}))


def test_a_parent_chart_may_switch_it_and_share_values() -> None:
    assert identities(render({"enabled": True, "global": {"imageRegistry": "x"}})) == identities(render({}))


def notes(*options: str) -> str:
    command: list[Argument] = [helm.program(), "install", "afray", CHART, "--dry-run=client", *options]
    return run(command, remedy=helm.READ_THE_MESSAGE).split("NOTES:")[1]


def test_the_notes_say_the_next_command_and_what_is_missing() -> None:
    said = notes("--namespace=ours")
    assert "kubectl --namespace ours rollout status deployment/afray" in said
    assert "KubeRay is not there" in said
    assert "--clusterrole=afray-editor" in said
    assert "kubectl apply --filename job.yaml" in said
    assert "Kueue" not in said


def test_the_notes_warn_of_what_the_values_lead_to() -> None:
    said = notes("--set=crds.install=false,admissionPolicy.enabled=true,watchNamespaces={a,b},rbac.tenantRoles=false")
    assert "watches a, b" in said
    assert "applies the CRD" in said
    assert "set admissionPolicy.requireQueue=false" in said
    assert "rolebinding" not in said
