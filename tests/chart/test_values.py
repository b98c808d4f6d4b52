"""Every value of the chart has an effect, and the objects that it makes fit the operator they are for."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import pytest
import yaml
from afray_operator import chart_values, main
from helpers.charts import CHART, SETS, nested, only, render
from helpers.rayjob_goldens import FOLDER as RAY_JOBS
from helpers.repository import ROOT

from afray import __version__
from afray.contract import names

pytestmark = pytest.mark.chart

EVERYTHING = yaml.safe_load(SETS["everything"].read_text())
DEFAULTS = {
    path: node["default"] for path, node in chart_values.values(chart_values.read_schema(ROOT)) if "default" in node
}
LEFT_OUT = {
    "enabled": "for a parent chart",
    "global": "for a parent chart",
    "monitoring.serviceMonitor.enabled": "excludes the other monitor: test_switches.py",
}
ALONE = {
    "image.digest": f"sha256:{'a' * 64}",
    "crds.install": False,
    "serviceAccount.create": False,
    "rbac.create": False,
    "rbac.tenantRoles": False,
    "podDisruptionBudget.enabled": False,
    "admissionPolicy.requireQueue": False,
}
"""Values that the set leaves at their defaults, as they take away others of it: each is changed by itself."""


def with_value(values: Mapping[str, Any], path: str, value: object) -> dict[str, Any]:
    """The same values but for one."""
    changed = copy.deepcopy(dict(values))
    *sections, name = path.split(".")
    section = changed
    for step in sections:
        section = section.setdefault(step, {})
    section[name] = value
    return changed


@pytest.mark.parametrize("path", [path for path in DEFAULTS if path not in LEFT_OUT])
def test_a_value_has_an_effect(path: str) -> None:
    changed = with_value(EVERYTHING, path, ALONE.get(path, DEFAULTS[path]))
    assert render(changed, tests=True) != render(EVERYTHING, tests=True)


def test_the_operator_knows_the_options_that_the_chart_gives_it() -> None:
    (container,) = only(render(EVERYTHING), "Deployment")["spec"]["template"]["spec"]["containers"]
    given = {argument.partition("=")[0] for argument in container["args"]}
    assert given <= options_of_the_operator()
    assert options_of_the_operator() - given == {"--port", "--claim-duration"}


def options_of_the_operator() -> set[str]:
    """Read from its signature, as typer does."""
    return {f"--{name.replace('_', '-')}" for name in main._run.__annotations__ if name != "return"}


def test_ray_pods_carry_what_their_monitor_looks_for() -> None:
    monitor = only(render(nested("monitoring.jobPodMonitor.enabled", True)), "PodMonitor")["spec"]
    attempt = yaml.safe_load((RAY_JOBS / "minimal-select.yaml").read_text())["spec"]["rayClusterSpec"]
    of_kuberay = {"ray.io/cluster", "ray.io/node-type"}
    for group in (attempt["headGroupSpec"], *attempt["workerGroupSpecs"]):
        labels = group["template"]["metadata"]["labels"].keys() | of_kuberay
        assert {term["key"] for term in monitor["selector"]["matchExpressions"]} <= labels
        assert set(monitor["podTargetLabels"]) <= labels
        ports = {port["name"] for container in group["template"]["spec"]["containers"] for port in container["ports"]}
        assert {endpoint["port"] for endpoint in monitor["podMetricsEndpoints"]} <= ports


@pytest.mark.parametrize(
    ("switch", "kind", "endpoints"),
    [("podMonitor", "PodMonitor", "podMetricsEndpoints"), ("serviceMonitor", "ServiceMonitor", "endpoints")],
)
def test_the_namespace_of_a_metric_stays_that_of_its_job(switch: str, kind: str, endpoints: str) -> None:
    (endpoint,) = only(render(nested(f"monitoring.{switch}.enabled", True)), kind)["spec"][endpoints]
    assert endpoint["honorLabels"] is True
    assert endpoint["port"] == "metrics"


def test_the_policy_looks_at_the_label_that_the_operator_reads() -> None:
    rules = only(render(nested("admissionPolicy.enabled", True)), "ValidatingAdmissionPolicy")["spec"]
    assert all(names.QUEUE_LABEL in variable["expression"] for variable in rules["variables"])


def test_the_image_is_that_of_the_version_of_the_operator_by_default() -> None:
    version = yaml.safe_load((CHART / "Chart.yaml").read_text())["appVersion"]
    assert version == __version__
