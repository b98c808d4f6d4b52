"""The CRD on a real API server: it judges manifests as the models do, and what it stores loads as what was meant."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator

import pytest
from helpers import odd_manifests
from helpers.crd_table import ACCEPTED, REFUSED, Changes, Refused
from helpers.manifests import cluster_manifest, problems_of
from helpers.operator_process import apply_own_crd
from helpers.strict_server import StrictServer
from testbed.apiserver import ApiServer
from testbed.namespaces import new_namespace

from afray.api.crd.rules.one_sided import ONLY_AFRAY
from afray.api.digest import spec_digest
from afray.api.loading import load_object, load_text
from afray.api.problems import InvalidManifest
from afray.api.rules import Target
from afray.api.yaml_text import LARGEST

pytestmark = pytest.mark.apiserver

ODD_MANIFESTS = 600


@pytest.fixture(scope="module")
def server(api_server: ApiServer) -> Iterator[StrictServer]:
    apply_own_crd(api_server.kubectl)
    strict = StrictServer(api_server.kubeconfig, new_namespace(api_server.kubectl, "crd"))
    yield strict
    strict.close()


@pytest.mark.parametrize("row", REFUSED, ids=lambda row: row.field)
def test_what_the_models_refuse_is_refused_at_the_same_field(server: StrictServer, row: Refused) -> None:
    manifest = cluster_manifest(row.changes)
    verdict = server.try_create(manifest)
    assert verdict.fields == {row.at_server or row.field}, verdict.answer
    (problem,) = problems_of(manifest, Target.cluster)
    ours = f"{problem.problem}. {problem.remedy}"
    assert any(ours.startswith(said) for _, said in verdict.causes) is row.same_words, (ours, verdict.causes)


@pytest.mark.parametrize("changes", ACCEPTED)
def test_what_the_models_accept_is_accepted_and_means_the_same(server: StrictServer, changes: Changes) -> None:
    verdict = server.try_create(cluster_manifest(changes))
    assert verdict.is_accepted, verdict.answer
    meant, kept = load_object(cluster_manifest(changes), "manifest"), load_object(verdict.answer, "server")
    assert kept.spec == meant.spec
    assert spec_digest(kept) == spec_digest(meant)
    assert kept.to_manifest()["spec"] == meant.to_manifest()["spec"]


def test_defaults_are_written_out_by_the_server_as_by_the_models(server: StrictServer) -> None:
    stored = server.try_create(cluster_manifest({"spec.finetune": {}})).answer["spec"]
    meant = load_object(cluster_manifest({"spec.finetune": {}}), "manifest").to_manifest()["spec"]
    assert stored == meant


@pytest.mark.parametrize("seed", range(4))
def test_odd_values_anywhere_are_judged_alike(server: StrictServer, seed: int) -> None:
    draws = random.Random(seed)
    refused = 0
    for _ in range(ODD_MANIFESTS // 4):
        manifest = odd_manifests.draw(draws)
        problems = problems_of(manifest, Target.cluster)
        verdict = server.try_create(manifest)
        assert verdict.is_accepted is (not problems), (manifest, problems, verdict.answer)
        refused += not verdict.is_accepted
    assert refused > ODD_MANIFESTS // 8


def test_a_field_given_twice_is_refused_by_both(server: StrictServer) -> None:
    text = json.dumps(cluster_manifest()).replace('"count": 100', '"count": 100, "count": 200')
    with pytest.raises(InvalidManifest) as ours:
        load_text(text, "manifest", target=Target.cluster)
    assert [problem.field for problem in ours.value.problems] == ["spec.selection.budget.count"]
    assert server.try_create_text(text).fields == {"spec.selection.budget.count"}


ONE_SIDED: dict[str, Callable[[], object]] = {
    "a pod template": lambda: cluster_manifest({"spec.cluster.head.template": {"spec": {"x": "y" * 8192}}}),
    "`file://` locations": lambda: cluster_manifest(
        {"spec.pool.uri": "file:///a%20b", "spec.output.uri": "file:///a b/o"}
    ),
    "a field with nothing": lambda: cluster_manifest({"spec.pool.decode": {"background": None}}),
    "`64.0`": lambda: cluster_manifest({"spec.embedding.batchSize": 64.0}),
    "`generateName`": lambda: cluster_manifest({"metadata": {"generateName": "weld-"}}),
}


@pytest.mark.parametrize("what", ONE_SIDED)
def test_what_is_said_to_be_refused_by_afray_alone_is(server: StrictServer, what: str) -> None:
    assert any(known.what.startswith(what) for known in ONLY_AFRAY)
    assert problems_of(ONE_SIDED[what](), Target.cluster) != ()
    assert server.try_create(ONE_SIDED[what]()).is_accepted


def test_a_large_file_is_refused_by_afray_alone(server: StrictServer) -> None:
    text = json.dumps(cluster_manifest()) + " " * LARGEST
    assert len(ONE_SIDED) + 1 == len(ONLY_AFRAY)
    with pytest.raises(InvalidManifest, match="larger than 256 KiB"):
        load_text(text, "manifest", target=Target.cluster)
    assert server.try_create_text(text).is_accepted


def test_every_problem_is_told_at_once(server: StrictServer) -> None:
    changes = {"spec.pool.uri": "welds", "spec.cluster.workers[0].name": "head", "spec.selection.core": {"steps": 0}}
    verdict = server.try_create(cluster_manifest(changes))
    assert verdict.fields == {"spec.pool.uri", "spec.cluster.workers[0].name", "spec.selection.core.steps"}
