"""Which of two releases serves a namespace: one, whoever starts, dies, pauses, or is refused what."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import Any

import pytest
from afray_operator.api import Raw
from afray_operator.cache import Cache
from afray_operator.claims import Claims, ContendedClaim, LostClaim
from afray_operator.kinds import LEASE, SELECTION_JOB, Kind
from afray_operator.leader import Leadership
from afray_operator.lease import LeaseSettings, is_free
from afray_operator.standing import CLAIM, Standing, is_due, is_held
from afray_operator.watching import Watches
from afray_operator.workqueue import WorkQueue
from helpers import kube_objects
from helpers.kube_objects import NAMESPACE
from helpers.small_api import SmallApi, forbidden, refused
from kubernetes.aio.client.exceptions import ApiException

DURATION = 900
PLACE = (LEASE, NAMESPACE, CLAIM)


class CountingApi(SmallApi):
    """Counts what is asked about claims. `rivals` write so many times just before we do."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []
        self.rivals = 0

    def _ask(self, verb: str, kind: Kind, namespace: str | None) -> None:
        if (kind, namespace) == (LEASE, NAMESPACE):
            self.asked.append(verb)
        super()._ask(verb, kind, namespace)

    async def replace(self, kind: Kind, body: Mapping[str, Any]) -> Raw:
        if body["metadata"]["name"] == CLAIM and self.rivals:
            self.rivals -= 1
            raise refused(409, "the object has been modified")
        return await super().replace(kind, body)


class Release:
    """The leader of a release that knows a job, with a clock of its own."""

    def __init__(self, api: SmallApi, name: str) -> None:
        self.api, self.now = api, 1000.0
        self.watches = Watches(api=api, cache=Cache(), queue=WorkQueue())
        self.watches.saw(SELECTION_JOB, "ADDED", kube_objects.selection_job())
        self.queue = self.watches.queue
        asyncio.run(self._take_from_queue())
        self.settings = LeaseSettings(name="afray", namespace=name, identity=f"a-pod-of-{name}")
        self.start()

    async def _take_from_queue(self) -> None:
        await self.queue._next()

    def start(self) -> None:
        """As another process, which remembers nothing."""
        self.leadership = Leadership(self.api, self.settings)
        self.claims = Claims(self.watches, self.leadership, self.settings.address, DURATION, lambda: self.now)

    def hold(self) -> bool:
        """Whether it works on the job."""
        answers: list[bool] = []

        async def ask() -> None:
            answers.append(await self.claims.hold(NAMESPACE))

        asyncio.run(self.leadership.run(ask))
        return answers[0]

    def look_after(self, seconds: float = 0.0) -> None:
        """What it does so much later."""
        self.now += seconds
        asyncio.run(self.leadership.run(self.claims.look_after))


@pytest.fixture
def api() -> CountingApi:
    return CountingApi()


@pytest.fixture
def first(api: CountingApi) -> Release:
    """Holds the claim."""
    release = Release(api, "first")
    assert release.hold()
    return release


@pytest.fixture
def second(first: Release, caplog: pytest.LogCaptureFixture) -> Release:
    """Has come after it."""
    caplog.set_level(logging.INFO, "afray_operator.claims")
    release = Release(first.api, "second")
    assert not release.hold()
    return release


def holder(api: SmallApi) -> str:
    return str(api.objects[PLACE]["spec"]["holderIdentity"])


# The rules


@pytest.mark.parametrize(
    ("spec", "unchanged", "free"),
    [
        ({}, 0, True),
        ({"holderIdentity": ""}, 0, True),
        ({"holderIdentity": None}, 0, True),
        ({"holderIdentity": "us"}, 0, True),
        ({"holderIdentity": "them", "leaseDurationSeconds": 20}, 19.9, False),
        ({"holderIdentity": "them", "leaseDurationSeconds": 20}, 20, True),
        ({"holderIdentity": "them"}, 9.9, False),
        ({"holderIdentity": "them"}, 10, True),
        ({"holderIdentity": "us-too", "leaseDurationSeconds": 20}, 0, False),
    ],
)
def test_a_lease_is_free_if_nobody_holds_it_or_its_holder_was_silent(spec: Raw, unchanged: float, free: bool) -> None:
    assert is_free(spec, "us", unchanged, 10) is free


@pytest.mark.parametrize(
    ("standing", "left", "held"),
    [
        (None, 900, False),
        (Standing.theirs, 900, False),
        (Standing.ours, 900, True),
        (Standing.ours, 91, True),
        (Standing.ours, 90, False),
        (Standing.ours, -900, False),
        (Standing.unguarded, float("-inf"), True),
    ],
)
def test_jobs_are_worked_on_under_a_claim_that_lasts_or_where_none_can_be_had(
    standing: Standing | None, left: float, held: bool
) -> None:
    assert is_held(standing, left, DURATION) is held


@pytest.mark.parametrize(
    ("standing", "since", "due"),
    [
        (None, 0, True),
        (Standing.theirs, 0, True),
        (Standing.ours, 299, False),
        (Standing.ours, 300, True),
        (Standing.unguarded, 299, False),
        (Standing.unguarded, 300, True),
    ],
)
def test_what_is_ours_is_asked_for_seldom_and_what_is_theirs_each_time(
    standing: Standing | None, since: float, due: bool
) -> None:
    assert is_due(standing, since, DURATION) is due


# One release


def test_the_claim_names_the_release_and_a_known_one_costs_no_request(first: Release, api: CountingApi) -> None:
    assert holder(api) == "first/afray"
    assert api.objects[PLACE]["spec"]["leaseDurationSeconds"] == DURATION
    before = len(api.asked)
    first.now += 290
    assert first.hold()
    assert len(api.asked) == before


def test_a_claim_is_renewed_every_five_minutes_while_there_are_jobs(first: Release, api: CountingApi) -> None:
    api.asked.clear()
    for _ in range(15):
        first.look_after(60)
    assert api.asked == ["get", "update"] * 3
    first.watches.saw(SELECTION_JOB, "DELETED", kube_objects.selection_job())
    first.look_after(600)
    assert len(api.asked) == 6


def test_a_new_leader_of_the_release_goes_on_at_once(first: Release, api: CountingApi) -> None:
    since = api.objects[PLACE]["spec"]["acquireTime"]
    first.start()
    assert first.hold()
    assert api.objects[PLACE]["spec"]["acquireTime"] == since


def test_a_claim_that_could_not_be_renewed_counts_to_its_margin_and_is_tried_for_all_the_time(
    first: Release, api: CountingApi, caplog: pytest.LogCaptureFixture
) -> None:
    api.errors["update", *PLACE[:2]] = refused(500, "etcd is away")
    for _ in range(13):
        first.look_after(60)
    assert api.asked.count("update") == 9  # from the fifth minute on
    assert first.hold()
    first.now += 30
    with pytest.raises(LostClaim):
        first.claims.check(NAMESPACE)
    with pytest.raises(ApiException):
        first.hold()
    assert f"claim on namespace {NAMESPACE}: etcd is away" in caplog.text
    api.errors.clear()
    assert first.hold()


def test_a_lease_that_somebody_made_by_hand_for_the_release_is_taken(api: CountingApi) -> None:
    made = {"metadata": {"namespace": NAMESPACE, "name": CLAIM}, "spec": {"holderIdentity": "first/afray"}}
    api.objects[PLACE] = made
    assert Release(api, "first").hold()


# Two releases


def test_the_second_stands_aside_and_says_so_once(first: Release, caplog: pytest.LogCaptureFixture) -> None:
    second = Release(first.api, "second")
    for _ in range(5):
        second.look_after(60)
        assert not second.hold()
    (said,) = (record.getMessage() for record in caplog.records if record.name == "afray_operator.claims")
    assert said.startswith(f"namespace {NAMESPACE} is left alone: another release of the operator, first/afray, serves")
    assert "watchNamespaces" in said
    assert f"kubectl delete lease {CLAIM} --namespace {NAMESPACE}" in said
    assert second.claims.left == {NAMESPACE}


def test_looks_at_what_is_theirs_cost_no_request(second: Release, api: CountingApi) -> None:
    before = len(api.asked)
    assert not second.hold()
    assert len(api.asked) == before


def test_while_the_first_renews_the_second_never_takes_it(first: Release, second: Release, api: CountingApi) -> None:
    for _ in range(60):
        first.look_after(60)
        second.look_after(60)
        assert first.hold()
        assert not second.hold()
    assert holder(api) == "first/afray"


def test_a_claim_that_ran_out_is_taken_over_and_its_jobs_are_queued(
    second: Release, api: CountingApi, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(14):
        second.look_after(60)
    assert second.queue.depth == 0
    second.look_after(60)
    assert second.queue.depth == 1
    assert second.hold()
    assert holder(api) == "second/afray"
    assert second.claims.left == frozenset()
    assert f"namespace {NAMESPACE} is taken over: the claim of first/afray ran out" in caplog.text


def test_a_claim_that_was_deleted_is_taken_over_at_the_next_look_after(
    second: Release, api: CountingApi, caplog: pytest.LogCaptureFixture
) -> None:
    del api.objects[PLACE]
    second.look_after(60)
    assert second.queue.depth == 1
    assert second.hold()
    assert "is taken over: the claim of first/afray was deleted" in caplog.text


def test_a_leader_that_was_paused_past_its_claim_asks_before_it_acts(first: Release, second: Release) -> None:
    second.look_after(DURATION)
    first.now += DURATION
    with pytest.raises(LostClaim):
        first.claims.check(NAMESPACE)
    assert not first.hold()
    assert first.claims.left == {NAMESPACE}


def test_whoever_is_overtaken_at_a_write_looks_again(
    second: Release, api: CountingApi, caplog: pytest.LogCaptureFixture
) -> None:
    api.rivals = 2
    second.look_after(DURATION)
    assert second.hold()
    second.now += DURATION
    api.rivals = 3
    with pytest.raises(ContendedClaim):
        second.hold()
    assert second.hold()


# Rights


@pytest.mark.parametrize("verb", ["get", "create"])
def test_where_leases_are_forbidden_jobs_are_worked_on_and_the_right_is_named_once(
    api: CountingApi, verb: str, caplog: pytest.LogCaptureFixture
) -> None:
    api.errors[verb, *PLACE[:2]] = forbidden(f'User "afray" cannot {verb} resource "leases"')
    release = Release(api, "first")
    for _ in range(3):
        assert release.hold()
        release.look_after(300)
    (said,) = (record.getMessage() for record in caplog.records if record.name == "afray_operator.claims")
    assert f'is served without a claim: User "afray" cannot {verb} resource "leases"' in said
    assert "Grant create, get and update of Leases there" in said
    api.errors.clear()
    release.look_after(300)
    assert holder(api) == "first/afray"


def test_what_another_release_held_when_the_right_was_taken_away_is_left_until_that_runs_out(
    second: Release, api: CountingApi
) -> None:
    api.errors["get", *PLACE[:2]] = forbidden("no leases for you")
    second.look_after(60)
    assert not second.hold()
    second.look_after(DURATION)
    assert second.hold()


def test_an_api_server_that_does_not_answer_leaves_the_job_to_the_queue(api: CountingApi) -> None:
    api.errors["get", *PLACE[:2]] = TimeoutError()
    release = Release(api, "first")
    with pytest.raises(TimeoutError):
        release.hold()
    release.look_after()
    api.errors.clear()
    assert release.hold()
