from __future__ import annotations

import json
from typing import Any

import pytest
from afray_operator.api import Listing
from afray_operator.cache import LONGEST_TEXT, Cache, JobKey
from afray_operator.kinds import CONFIG_MAP, POD, RAY_JOB, SELECTION_JOB, WORKLOAD, Kind
from helpers import kube_objects

from afray.contract.progress import UnreadablePayload, read_progress

WELDS = JobKey("plant", "welds")


def make(name: str, *, uid: str = "", version: int = 1, namespace: str = "plant", **more: Any) -> dict[str, Any]:
    metadata = {"name": name, "namespace": namespace, "uid": uid or f"uid-{name}", "resourceVersion": str(version)}
    labels = more.pop("labels", {"afray.dev/job": "welds"})
    owners = more.pop("owners", [])
    return {"metadata": {**metadata, "labels": labels, "ownerReferences": owners, "managedFields": [{}]}, **more}


@pytest.mark.parametrize(
    ("kind", "raw", "job"),
    [
        (SELECTION_JOB, make("welds", labels={}), WELDS),
        (RAY_JOB, make("welds-s1"), WELDS),
        (RAY_JOB, make("theirs", labels={}), None),
        (WORKLOAD, make("w", labels={}, owners=[{"kind": "RayJob", "name": "welds-s1"}]), WELDS),
        (WORKLOAD, make("w", labels={}, owners=[{"kind": "RayJob", "name": "a-s1-f12"}]), JobKey("plant", "a-s1")),
        (WORKLOAD, make("w", labels={}, owners=[{"kind": "Job", "name": "welds-s1"}]), None),
        (WORKLOAD, make("w", labels={}, owners=[{"kind": "RayJob", "name": "welds-s0"}]), None),
        (WORKLOAD, make("w", labels={}), None),
    ],
)
def test_an_object_is_kept_with_the_job_that_it_belongs_to(kind: Kind, raw: dict[str, Any], job: JobKey | None) -> None:
    cache = Cache()
    assert cache.put(kind, raw) == job
    assert len(cache.objects(kind, job or WELDS)) == (job is not None)


def test_a_late_event_does_not_hide_what_was_written_after() -> None:
    cache = Cache()
    cache.put(RAY_JOB, make("welds-s1", version=9, status={"jobStatus": "RUNNING"}))
    cache.put(RAY_JOB, make("welds-s1", version=7, status={}))
    (kept,) = cache.objects(RAY_JOB, WELDS)
    assert kept["status"] == {"jobStatus": "RUNNING"}


def test_a_deleted_object_is_not_brought_back_by_a_late_event_but_a_new_one_of_that_name_is_seen() -> None:
    cache = Cache()
    cache.put(RAY_JOB, make("welds-s1", uid="old", version=3))
    cache.drop(RAY_JOB, make("welds-s1", uid="old", version=4))
    cache.put(RAY_JOB, make("welds-s1", uid="old", version=3))
    assert cache.objects(RAY_JOB, WELDS) == ()
    cache.put(RAY_JOB, make("welds-s1", uid="new", version=5))
    assert [raw["metadata"]["uid"] for raw in cache.objects(RAY_JOB, WELDS)] == ["new"]


def test_a_late_deletion_does_not_hide_the_new_object_of_that_name() -> None:
    cache = Cache()
    cache.put(RAY_JOB, make("welds-s1", uid="old", version=3))
    cache.put(RAY_JOB, make("welds-s1", uid="new", version=5))
    cache.drop(RAY_JOB, make("welds-s1", uid="old", version=4))
    assert [raw["metadata"]["uid"] for raw in cache.objects(RAY_JOB, WELDS)] == ["new"]


def test_objects_that_come_and_go_leave_nothing_behind() -> None:
    cache = Cache()
    cache.put(RAY_JOB, make("welds-s1", uid="one"))
    cache.drop(RAY_JOB, make("welds-s1", uid="one"))
    cache.drop(RAY_JOB, make("welds-s2", uid="never seen"))
    cache.put(RAY_JOB, make("welds-s1", uid="one"))
    assert cache._objects == {}


def test_a_listing_drops_what_it_lacks_and_names_the_jobs_concerned() -> None:
    cache = Cache()
    cache.put(SELECTION_JOB, make("welds"))
    cache.put(SELECTION_JOB, make("paint"))
    cache.put(RAY_JOB, make("welds-s1"))
    assert cache.replace(SELECTION_JOB, Listing([make("welds")], 5)) == {WELDS, JobKey("plant", "paint")}
    assert cache.job(JobKey("plant", "paint")) is None
    assert cache.job(WELDS) is not None
    assert len(cache.objects(RAY_JOB, WELDS)) == 1


def test_what_came_after_a_listing_is_not_missed_in_it() -> None:
    cache = Cache()
    cache.put(RAY_JOB, make("welds-s1", version=9))
    assert cache.replace(RAY_JOB, Listing([], 8)) == set()
    assert len(cache.objects(RAY_JOB, WELDS)) == 1
    cache.replace(RAY_JOB, Listing([], 9))
    assert cache.objects(RAY_JOB, WELDS) == ()


def test_what_nobody_decides_by_is_not_kept() -> None:
    cache = Cache()
    cache.put(RAY_JOB, make("welds-s1", spec={"suspend": True, "rayClusterSpec": {"big": 1}}))
    gpus = {"name": "ray", "resources": {"limits": {"nvidia.com/gpu": "1"}}}
    cache.put(POD, make("pod", spec={"nodeName": "n1", "containers": [{**gpus, "image": "afray:1"}], "volumes": [{}]}))
    (job,), (pod,) = cache.objects(RAY_JOB, WELDS), cache.objects(POD, WELDS)
    assert job["spec"] == {"suspend": True}
    assert pod["spec"] == {"nodeName": "n1", "initContainers": [], "containers": [gpus]}
    assert "managedFields" not in job["metadata"]


def test_of_a_config_map_only_what_is_read_is_kept_and_of_a_huge_text_so_much_that_it_is_refused() -> None:
    cache = Cache()
    huge = json.dumps(kube_objects.payload(junk="x" * 2**20))
    cache.put(CONFIG_MAP, make("welds-progress", data={"progress": huge, "theirs": "kept by others"}))
    (kept,) = cache.objects(CONFIG_MAP, WELDS)
    assert list(kept["data"]) == ["progress"]
    assert len(kept["data"]["progress"]) == LONGEST_TEXT
    with pytest.raises(UnreadablePayload, match="more than 16384 bytes"):
        read_progress(kept["data"]["progress"])
