"""What `helm test` says of an operator that is well, that is not there, and that refuses; its jobs never stay."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Mapping
from typing import Any

import pytest
from afray_operator import installation_test
from afray_operator.installation_test import NotReached, run_job
from afray_operator.kinds import SELECTION_JOB, Kind
from helpers import kube_objects
from helpers.kube_objects import NAME, NAMESPACE, Raw
from helpers.small_api import SmallApi


class Answering(SmallApi):
    """An API server beside an operator that says one thing after the other of a job."""

    def __init__(self, *said: Raw) -> None:
        super().__init__()
        self.said = list(said)
        self.made: list[Raw] = []

    async def create(self, kind: Kind, body: Mapping[str, Any], *, dry_run: bool = False) -> Raw:
        self.made.append(copy.deepcopy(dict(body)))
        return await super().create(kind, body)

    async def get(self, kind: Kind, namespace: str, name: str) -> Raw | None:
        found = await super().get(kind, namespace, name)
        if found is None or not self.made:
            return found
        status = self.said.pop(0) if len(self.said) > 1 else self.said[0]
        return {**found, "status": status}


def told(phase: str, reason: str, *conditions: tuple[str, str, str, str]) -> Raw:
    made = [
        {
            "type": kind,
            "status": status,
            "reason": why,
            "message": message,
            "observedGeneration": 1,
            "lastTransitionTime": kube_objects.moment(kube_objects.START),
        }
        for kind, status, why, message in conditions
    ]
    return {"phase": phase, "reason": reason, "conditions": made}


ACCEPTED = ("Accepted", "True", "Valid", "")
SUSPENDED = told("Suspended", "UserRequested", ACCEPTED, ("Suspended", "True", "UserRequested", ""))
NO_RAY = told(
    "Pending", "RayAPIMissing", ("Accepted", "False", "RayAPIMissing", "The API server does not know RayJobs.")
)
COMPLETE = told("Succeeded", "Succeeded", ACCEPTED, ("Complete", "True", "Succeeded", "20 rows selected."))
FAILED = told("Failed", "PermanentError", ACCEPTED, ("Failed", "True", "PermanentError", "The pool is empty."))


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(installation_test, "LOOK_SECONDS", 0)


def job(*, suspend: bool) -> Raw:
    return kube_objects.selection_job({"spec.suspend": suspend})


def run(api: SmallApi, *, suspend: bool = True, seconds: float = 60) -> None:
    asyncio.run(run_job(api, job(suspend=suspend), seconds))


def test_a_suspended_job_is_enough_once_it_is_accepted(capsys: pytest.CaptureFixture[str]) -> None:
    api = Answering({}, NO_RAY, SUSPENDED)
    run(api)
    assert api.objects == {}
    assert capsys.readouterr().out.splitlines() == [
        f"{NAME}: not seen by an operator",
        f"{NAME}: Pending, RayAPIMissing: The API server does not know RayJobs.",
        f"{NAME}: Suspended, UserRequested",
    ]


def test_a_job_that_runs_must_complete() -> None:
    api = Answering(SUSPENDED, told("Running", "Heartbeat", ACCEPTED), COMPLETE)
    run(api, suspend=False)
    assert api.objects == {}


@pytest.mark.parametrize(
    ("status", "said"),
    [
        ({}, "not seen by an operator. No operator leads that watches this namespace"),
        (NO_RAY, "Pending, RayAPIMissing: The API server does not know RayJobs."),
    ],
    ids=["no operator", "no KubeRay"],
)
def test_it_says_what_holds_the_job_up_when_time_is_up(status: Raw, said: str) -> None:
    api = Answering(status)
    with pytest.raises(NotReached, match=said):
        run(api, seconds=0.01)
    assert api.objects == {}


def test_a_job_that_fails_ends_the_test_with_its_reason() -> None:
    api = Answering(FAILED)
    with pytest.raises(NotReached, match=r"failed: Failed, PermanentError: The pool is empty\."):
        run(api, suspend=False)
    assert api.objects == {}


def test_a_job_that_an_earlier_test_left_is_replaced() -> None:
    api = Answering(SUSPENDED)
    left = job(suspend=True)
    left["metadata"]["uid"] = "left"
    api.objects[SELECTION_JOB, NAMESPACE, NAME] = left
    run(api)
    assert len(api.made) == 1
    assert api.objects == {}
