"""What may change in a stored job, what its status may hold, and what kubectl shows of it: on a real API server."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator

import pytest
from helpers.crd_table import ALLOWED_CHANGES, LABELS, REFUSED_CHANGES, STORED, Changes
from helpers.manifests import REMOVED, cluster_manifest, set_field
from helpers.operator_process import apply_own_crd
from helpers.strict_server import StrictServer
from helpers.whole_status import condition, longest_status, whole_status
from testbed.apiserver import ApiServer
from testbed.namespaces import new_namespace

from afray.api import paths
from afray.api.conditions import ConditionStatus, ConditionType, Reason
from afray.api.status import JobStatus

pytestmark = pytest.mark.apiserver


@pytest.fixture(scope="module")
def place(api_server: ApiServer) -> str:
    """The namespace of these tests."""
    return new_namespace(api_server.kubectl, "crd-changes")


@pytest.fixture(scope="module")
def server(api_server: ApiServer, place: str) -> Iterator[StrictServer]:
    apply_own_crd(api_server.kubectl)
    strict = StrictServer(api_server.kubeconfig, place)
    assert strict.create(cluster_manifest(STORED)).is_accepted
    yield strict
    strict.close()


def changed(stored: object, changes: Changes) -> object:
    manifest = copy.deepcopy(stored)
    for path, value in changes.items():
        set_field(manifest, paths.split(path), value if value is REMOVED else copy.deepcopy(value))
    return manifest


@pytest.mark.parametrize("changes", ALLOWED_CHANGES)
def test_a_stored_job_may_change_in_this(server: StrictServer, changes: Changes) -> None:
    verdict = server.try_replace("stored", changed(server.get("stored"), changes))
    assert verdict.is_accepted, verdict.answer


@pytest.mark.parametrize(("changes", "field"), REFUSED_CHANGES)
def test_a_stored_job_must_not_change_in_that(server: StrictServer, changes: Changes, field: str) -> None:
    verdict = server.try_replace("stored", changed(server.get("stored"), changes))
    assert verdict.fields == {field}, verdict.answer
    assert "can not be changed in a job that exists" in verdict.causes[0][1]


@pytest.mark.parametrize(
    ("reason", "status", "may_change"),
    [
        (Reason.awaiting_labels, ConditionStatus.false, True),
        (Reason.rejected, ConditionStatus.false, True),
        (Reason.validating, ConditionStatus.false, True),
        (Reason.accepted, ConditionStatus.true, False),
        (Reason.pool_labels, ConditionStatus.true, False),
    ],
)
def test_labels_may_change_until_they_are_accepted(
    server: StrictServer, reason: Reason, status: ConditionStatus, may_change: bool
) -> None:
    name = f"labels-{reason.lower()}"
    server.create(cluster_manifest({**STORED, "metadata.name": name, "spec.labels": LABELS}))
    ready = JobStatus().with_condition(condition(ConditionType.labels_ready, status, reason))
    assert server.replace_status(name, {**server.get(name), "status": ready.to_json()}).is_accepted
    stored = server.get(name)
    for other in (
        changed(stored, {"spec.labels.uri": "s3://plant/others.csv"}),
        changed(stored, {"spec.labels": None}),
    ):
        verdict = server.try_replace(name, other)
        assert verdict.fields == (set() if may_change else {"spec.labels"})
    assert server.try_replace(name, changed(stored, {"spec.suspend": True})).is_accepted


@pytest.mark.parametrize(
    ("reason", "status", "may_change"),
    [
        (Reason.awaiting_labels, ConditionStatus.false, True),
        (Reason.rejected, ConditionStatus.false, True),
        (Reason.accepted, ConditionStatus.true, False),
    ],
)
def test_labels_of_the_round_before_may_come_and_change_until_they_are_accepted(
    server: StrictServer, reason: Reason, status: ConditionStatus, may_change: bool
) -> None:
    name = f"round-{reason.lower()}"
    before = {"certificate": {"uri": "s3://plant/out-1/certificate.json"}}
    named = {**before, "labels": LABELS}
    first = before if reason is Reason.awaiting_labels else named
    server.create(cluster_manifest({**STORED, "metadata.name": name, "spec.previous": first}))
    ready = JobStatus().with_condition(condition(ConditionType.previous_labels_ready, status, reason))
    assert server.replace_status(name, {**server.get(name), "status": ready.to_json()}).is_accepted
    others = {**LABELS, "uri": "s3://plant/others.csv"}
    verdict = server.try_replace(name, changed(server.get(name), {"spec.previous": {**before, "labels": others}}))
    assert verdict.fields == (set() if may_change else {"spec.previous.labels"}), verdict.answer
    elsewhere = {**first, "certificate": {"uri": "s3://plant/out-0/certificate.json"}}
    for round_before in (elsewhere, None):
        verdict = server.try_replace(name, changed(server.get(name), {"spec.previous": round_before}))
        assert verdict.fields == {"spec.previous.certificate"}, verdict.answer


def test_a_status_is_kept_as_it_was_written(server: StrictServer) -> None:
    for written in (whole_status(), longest_status(), JobStatus()):
        verdict = server.replace_status("stored", {**server.get("stored"), "status": written.to_json()})
        assert verdict.is_accepted, verdict.answer
        assert server.get("stored")["status"] == written.to_json()
        assert JobStatus.read(server.get("stored")["status"]) == written


def test_a_status_changes_nothing_of_the_spec_and_a_spec_nothing_of_the_status(server: StrictServer) -> None:
    stored = server.get("stored")
    status = whole_status().to_json()
    server.replace_status("stored", changed({**stored, "status": status}, {"spec.pool.uri": "s3://plant/others"}))
    assert server.get("stored")["spec"] == stored["spec"]
    verdict = server.try_replace("stored", changed(server.get("stored"), {"status.phase": "Failed"}))
    assert verdict.answer["status"]["phase"] == status["phase"]


@pytest.mark.parametrize(
    ("path", "value", "field"),
    [
        ("status.phase", "not a word", "status.phase"),
        ("status.progress.done", -1, "status.progress.done"),
        ("status.conditions[0].message", "x" * 401, "status.conditions[0].message"),
        ("status.conditions[0].status", "Maybe", "status.conditions[0].status"),
        ("status.conditions[1].type", "Accepted", "status.conditions[1]"),
        ("status.shards", [1, 2, 3], "status.shards"),
    ],
)
def test_a_status_that_is_none_is_refused(server: StrictServer, path: str, value: object, field: str) -> None:
    status = whole_status().to_json()
    wrong = changed({**server.get("stored"), "status": status}, {path: value})
    assert server.replace_status("stored", wrong).fields == {field}


def test_words_of_a_newer_operator_are_kept(server: StrictServer) -> None:
    newer = changed({**server.get("stored"), "status": whole_status().to_json()}, {"status.phase": "Dreaming"})
    assert server.replace_status("stored", newer).is_accepted
    assert JobStatus.read(server.get("stored")["status"]).phase is None


def test_kubectl_lists_what_a_person_wants_to_know(api_server: ApiServer, server: StrictServer, place: str) -> None:
    server.replace_status("stored", {**server.get("stored"), "status": whole_status().to_json()})
    head, row = api_server.kubectl("get", "sj", "stored", "-n", place).splitlines()
    assert head.split() == ["NAME", "PHASE", "PROGRESS", "SELECTED", "AGE"]
    assert row.split()[:5] == ["stored", "ValidatingLabels", "embed", "412/820", "7"]
    wide = api_server.kubectl("get", "seljob", "stored", "-n", place, "-o", "wide")
    head, row = wide.splitlines()
    assert head.split() == ["NAME", "PHASE", "PROGRESS", "SELECTED", "ATTEMPT", "GPU-SECONDS", "REASON", "AGE"]
    assert row.split()[5:7] == ["7", "7"]
    assert "selectionjob.afray.dev/stored" in api_server.kubectl("get", "all", "-n", place)


@pytest.mark.parametrize(
    ("field", "words"),
    [
        ("sj.spec.selection", ["Which rows to choose.", "budget", "-required-", "enum: bilaf, activeft"]),
        ("sj.spec.selection.core.size", ["0.8 keeps a boundary step", "A whole number from 1 to", 'Default: "auto"']),
        ("sj.spec.cluster.workers", ["Workers of one kind.", "replicas", "Number of pods"]),
        ("sj.status.phase", ["One of Pending, Queued"]),
    ],
)
def test_kubectl_explain_teaches(api_server: ApiServer, server: StrictServer, field: str, words: list[str]) -> None:
    shown = " ".join(api_server.kubectl("explain", field).split())
    assert [word for word in words if word not in shown] == []


def test_the_definition_is_structural_and_served(api_server: ApiServer, server: StrictServer) -> None:
    stored = json.loads(api_server.kubectl("get", "crd", "selectionjobs.afray.dev", "-o", "json"))
    established = {entry["type"]: entry["status"] for entry in stored["status"]["conditions"]}
    assert (established["NamesAccepted"], established["Established"]) == ("True", "True")
    assert "NonStructuralSchema" not in established
