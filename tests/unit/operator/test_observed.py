"""Whatever the API server holds is seen as facts: nothing that anybody wrote stops the operator."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from afray_operator.decide import decide
from afray_operator.observed import Memory, Offers, RawObjects, observe
from afray_operator.observed.facts import Trouble
from afray_operator.observed.json_access import moment
from afray_operator.observed.pods import read_pod
from afray_operator.observed.ray import read_ray_job
from helpers import kube_objects
from helpers.kube_objects import NAME, START, UID, Raw
from helpers.operator_world import World
from hypothesis import given, settings
from hypothesis import strategies as st

from afray.api.conditions import ConditionStatus, ConditionType, Reason
from afray.api.stages import Stage
from afray.api.status import (
    AttemptFailure,
    AttemptStatus,
    Condition,
    FinetuneStatus,
    JobStatus,
    LabelsStatus,
    ResultStatus,
)
from afray.api.status_fields import StatusBlock

OFFERS = Offers(ray_job=True, kueue=True)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


def everything() -> dict[str, Any]:
    """Real objects of a job that runs, to be spoilt."""
    world = World.running(queue=True)
    assert world.job is not None
    return {"job": world.job, **{kind: list(found.values()) for kind, found in world.objects.items()}}


WHOLE = everything()


def paths(value: object, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """Every place in a nested value."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path] * bool(path) + [found for key, below in inner for found in paths(below, (*path, key))]


def look(objects: dict[str, Any]) -> None:
    decide(observe(RawObjects(**objects), OFFERS, Memory()), START)


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(paths(WHOLE)), JSON | st.just(...))
def test_any_value_in_any_place_is_taken(path: tuple[str | int, ...], value: object) -> None:
    objects: Any = copy.deepcopy(WHOLE)
    *parents, last = path
    place = objects
    for step in parents:
        place = place[step]
    if value is ...:
        del place[last]
    else:
        place[last] = value
    if all(isinstance(found, dict if kind == "job" else list) for kind, found in objects.items()) and "job" in objects:
        look(
            {
                kind: [item for item in found if isinstance(item, dict)] if kind != "job" else found
                for kind, found in objects.items()
            }
        )


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from(["metadata", "spec", "status", "data"]), JSON))
def test_objects_of_nothing_known_are_taken(raw: Raw) -> None:
    look({"job": raw, **{kind: [raw] for kind in WHOLE if kind != "job"}})


@settings(deadline=None)
@given(st.text(max_size=300) | JSON.map(json.dumps))
def test_any_text_in_the_progress_is_taken(text: str) -> None:
    config_map = kube_objects.config_map(f"{NAME}-progress", {"progress": text})
    look({**WHOLE, "config_maps": [config_map]})


def blocks(of: type[StatusBlock], **fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Blocks of a status with those fields."""
    return st.fixed_dictionaries(fields).map(lambda given: of(**given))


STAGE = st.sampled_from(list(Stage))
MOMENT = st.sampled_from([START - kube_objects.seconds(5000), START, START + kube_objects.seconds(5000)])
CONDITION = blocks(
    Condition,
    type=st.sampled_from(ConditionType),
    status=st.sampled_from(ConditionStatus),
    reason=st.sampled_from(Reason),
    observed_generation=st.just(1),
    last_transition_time=MOMENT,
)
FAILURE = blocks(AttemptFailure, number=st.integers(0, 2), stage=STAGE, reason=st.sampled_from(Reason), time=MOMENT)
ATTEMPT = blocks(
    AttemptStatus,
    stage=STAGE,
    number=st.integers(0, 2),
    failures=st.integers(0, 9),
    ray_job_uid=st.sampled_from(["", "uid-2", "another"]),
    retry_after=st.none() | MOMENT,
    admitted_time=st.none() | MOMENT,
    started_time=st.none() | MOMENT,
    active_since=st.none() | MOMENT,
    active_seconds=st.integers(0, 10_000),
    last_failure=st.none() | FAILURE,
)
STATUS = blocks(
    JobStatus,
    spec_hash=st.sampled_from(["", "a" * 64]),
    stage=st.none() | STAGE,
    attempt=st.none() | ATTEMPT,
    result=st.none() | st.just(ResultStatus.model_validate(kube_objects.RESULT)),
    labels=st.none() | st.just(LabelsStatus.model_validate(kube_objects.CHECKED)),
    finetune=st.none() | st.just(FinetuneStatus.model_validate(kube_objects.FINETUNED)),
    completion_time=st.none() | MOMENT,
    conditions=st.lists(CONDITION, max_size=4, unique_by=lambda found: found.type).map(tuple),
)


@settings(max_examples=100, deadline=None)
@given(STATUS, st.booleans(), st.booleans(), st.sampled_from(["", "Running", "Complete", "Failed", "ValidationFailed"]))
def test_any_status_beside_any_ray_job_is_taken_and_leads_to_rest(
    status: JobStatus, finetunes: bool, suspends: bool, deployment: str
) -> None:
    world = World.running({"spec.finetune": {"epochs": 1}} if finetunes else {})
    assert world.job is not None
    world.edit(suspend=suspends)
    world.job["status"] = status.to_json()
    world.ray_status(jobDeploymentStatus=deployment)
    world.recorded.clear()
    world.explains = False
    world.settle()


def test_a_spec_that_is_nested_without_end_is_said_to_be() -> None:
    deep: Any = {}
    for _ in range(5000):
        deep = {"spec": deep}
    job = kube_objects.selection_job()
    job["spec"]["cluster"]["head"]["template"] = deep
    seen = observe(RawObjects(job=job), OFFERS, Memory())
    assert seen.job is None
    assert seen.problem


def test_a_template_of_a_megabyte_is_refused_by_its_size() -> None:
    job = kube_objects.selection_job()
    job["spec"]["cluster"]["head"]["template"] = {"metadata": {"annotations": {"a": "x" * 2**20}}}
    problem = observe(RawObjects(job=job), OFFERS, Memory()).problem
    assert problem.startswith("spec.cluster.head.template: is larger than 8192 bytes")
    assert len(problem) < 400


def test_the_first_problem_is_told_and_how_many_more_there_are() -> None:
    job = kube_objects.selection_job({"spec.one": 1, "spec.two": 2})
    problem = observe(RawObjects(job=job), OFFERS, Memory()).problem
    assert problem.startswith("spec.one")
    assert problem.endswith("(1 more: afray validate --for cluster shows all)")


def test_a_ray_job_is_ours_by_its_controller_s_uid_not_by_its_name_or_label() -> None:
    ours = World.running().ray_job()
    theirs = copy.deepcopy(ours)
    theirs["metadata"]["ownerReferences"][0]["uid"] = "another"
    seen = observe(RawObjects(job=kube_objects.selection_job(), ray_jobs=[ours, theirs]), OFFERS, Memory())
    assert [seen.is_ours(found) for found in seen.ray_jobs] == [True, False]
    assert seen.ray_jobs[0].owner_uid == UID


@pytest.mark.parametrize(("label", "attempt"), [("12", 12), ("0", 0), ("-1", 0), ("1" * 30, 0), ("٣", 0), ("", 0)])
def test_an_attempt_is_a_number_from_one(label: str, attempt: int) -> None:
    raw = {"metadata": {"labels": kube_objects.labels_of("select", 1) | {"afray.dev/attempt": label}}}
    assert read_ray_job(raw).attempt == attempt


@pytest.mark.parametrize(
    ("text", "seen"),
    [("2026-11-25T12:00:00Z", True), ("2026-11-25T12:00:00+01:00", True), ("2026-11-25T12:00:00", False), ("x", False)],
)
def test_a_time_has_a_zone(text: str, seen: bool) -> None:
    assert (moment({"at": text}, "at") is not None) == seen


def test_an_image_that_only_the_init_container_cannot_pull_is_seen() -> None:
    raw = kube_objects.pod("p", phase="Pending", ready=False)
    waiting = {"waiting": {"reason": "ImagePullBackOff", "message": "no such\nimage"}}
    raw["status"]["initContainerStatuses"] = [{"name": "wait-gcs-ready", "state": waiting}]
    seen = read_pod(raw)
    assert (seen.trouble, seen.said) == (Trouble.image, "ImagePullBackOff: no such image")


def test_a_container_that_is_only_being_created_is_no_trouble() -> None:
    raw = kube_objects.pod("p", phase="Pending", ready=False, waiting=("ContainerCreating", ""))
    assert read_pod(raw).trouble is None
