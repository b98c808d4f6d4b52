"""What `helm test` would do: jobs that every validator takes, run with few rights and nothing of them left."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from helpers.charts import SETS, Manifest, nested, only, render

from afray.api.job import SelectionJob
from afray.api.loading import load_object
from afray.api.rules import Target

pytestmark = pytest.mark.chart

TINY: dict[str, Any] = {"pool": "s3://shop/pool", "output": "s3://shop/out", "image": "registry.example.com/afray:1"}
LAID_OVER = {
    "runtime": {"envFrom": [{"secretRef": {"name": "s3"}}]},
    "cluster": {"head": {"template": {"spec": {"nodeSelector": {"a": "b"}}}}},
}


@pytest.fixture(params=SETS)
def path(request: pytest.FixtureRequest) -> Path:
    return SETS[request.param]


def hooks(values: dict[str, Any] | Path) -> list[Manifest]:
    """Objects of the test alone."""
    made = render(values, tests=True)
    return [one for one in made if one["metadata"].get("annotations", {}).get("helm.sh/hook") == "test"]


def jobs(values: dict[str, Any] | Path) -> dict[str, SelectionJob]:
    """The jobs by file, as the validator of the cluster reads them."""
    files = only(hooks(values), "ConfigMap")["data"]
    return {name: load_object(json.loads(text), "the chart", target=Target.cluster) for name, text in files.items()}


def test_the_suspended_job_is_valid_and_asks_for_no_gpu(path: Path) -> None:
    job = jobs(path)["suspended.json"]
    assert job.spec.suspend
    assert job.spec.cluster is not None
    assert all(set(group.resources) == {"cpu", "memory"} for group in job.spec.cluster.workers)


def test_its_pod_fits_pod_security_restricted_and_is_none_of_the_operators(path: Path) -> None:
    made = render(path, tests=True)
    pod = only(hooks(path), "Pod")
    (container,) = pod["spec"]["containers"]
    (operator,) = only(made, "Deployment")["spec"]["template"]["spec"]["containers"]
    assert (container["image"], container["securityContext"]) == (operator["image"], operator["securityContext"])
    assert pod["spec"]["securityContext"]["runAsNonRoot"]
    selector = only(made, "Deployment")["spec"]["selector"]["matchLabels"]
    assert not selector.items() <= pod["metadata"]["labels"].items()


def test_nothing_of_it_stays_and_it_runs_where_the_operator_watches(path: Path) -> None:
    watched = only(render(path), "Deployment")["spec"]["template"]["spec"]["containers"][0]["args"]
    namespaces = [argument.removeprefix("--namespace=") for argument in watched if argument.startswith("--namespace=")]
    for hook in hooks(path):
        assert hook["metadata"]["annotations"]["helm.sh/hook-delete-policy"] == "before-hook-creation,hook-succeeded"
    for job in jobs(path).values():
        assert job.metadata.namespace in (namespaces or ["afray-system"])


def test_helm_finds_the_pod_in_the_namespace_of_the_release_and_it_may_act_where_its_jobs_are() -> None:
    made = hooks(nested("test.namespace", "elsewhere"))
    places = {one["kind"]: one["metadata"]["namespace"] for one in made}
    assert places.pop("Role") == places.pop("RoleBinding") == "elsewhere"
    assert set(places.values()) == {"afray-system"}
    (bound,) = only(made, "RoleBinding")["subjects"]
    assert (bound["namespace"], bound["name"]) == ("afray-system", only(made, "Pod")["spec"]["serviceAccountName"])


def test_it_may_make_and_delete_jobs_and_nothing_else() -> None:
    role = only(hooks({}), "Role")
    assert role["rules"] == [
        {"apiGroups": ["afray.dev"], "resources": ["selectionjobs"], "verbs": ["get", "create", "delete"]}
    ]
    assert {one["kind"] for one in hooks(nested("rbac.create", False))} == {"ConfigMap", "Pod", "ServiceAccount"}


def test_a_tiny_job_runs_too_where_its_pool_is_named() -> None:
    found = jobs(nested("test", {"labels": {"kueue.x-k8s.io/queue-name": "a"}, "job": {**TINY, "spec": LAID_OVER}}))
    assert list(found) == ["suspended.json", "tiny.json"]
    assert {job.metadata.labels["kueue.x-k8s.io/queue-name"] for job in found.values()} == {"a"}
    tiny = found["tiny.json"].spec
    assert (tiny.suspend, tiny.pool.uri, tiny.output.uri) == (False, TINY["pool"], TINY["output"])
    assert tiny.runtime is not None
    assert tiny.cluster is not None
    assert (tiny.runtime.image, tiny.runtime.env_from[0].secret_ref.name) == (TINY["image"], "s3")  # type: ignore[union-attr]
    assert tiny.cluster.head.template == {"spec": {"nodeSelector": {"a": "b"}}}


@pytest.mark.parametrize("release", ["a" * 50, "7.of-9"])
def test_any_name_of_a_release_makes_jobs_that_are_valid(release: str) -> None:
    files = only(render(nested("test.job", TINY), tests=True, release=release), "ConfigMap")["data"]
    assert (
        len(
            {load_object(json.loads(text), "the chart", target=Target.cluster).metadata.name for text in files.values()}
        )
        == 2
    )
