"""What becomes of an action: what the API server would not do is remembered, and nothing of others is touched."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from afray_operator.acting import Actor
from afray_operator.api import ConflictError, NotFoundError
from afray_operator.cache import Cache, JobKey
from afray_operator.claims import Claims, LostClaim
from afray_operator.decide.actions import (
    Action,
    AskDryRun,
    CreateRayJob,
    EnsureAccount,
    EnsureConfigMap,
    EnsureRole,
    EnsureRoleBinding,
)
from afray_operator.kinds import (
    CONFIG_MAP,
    LEASE,
    POD,
    RAY_JOB,
    ROLE,
    ROLE_BINDING,
    SELECTION_JOB,
    SERVICE_ACCOUNT,
    WATCHED,
    Kind,
)
from afray_operator.leader import Leadership
from afray_operator.lease import LeaseSettings
from afray_operator.manifests import supporting
from afray_operator.manifests.ownership import Owner
from afray_operator.metrics import OperatorMetrics
from afray_operator.observed import Hindrance, Memory
from afray_operator.reconcile import Reconciler
from afray_operator.standing import CLAIM
from afray_operator.surroundings import Surroundings
from afray_operator.telling import Teller
from afray_operator.watching import Watches
from afray_operator.workqueue import WorkQueue
from helpers import kube_objects
from helpers.kube_objects import NAME, NAMESPACE, UID, Raw, seconds
from helpers.small_api import SmallApi, forbidden, refused
from kubernetes.aio.client.exceptions import ApiException

from afray.api.stages import Stage

KEY = JobKey(NAMESPACE, NAME)
OWNER = Owner(namespace=NAMESPACE, name=NAME, uid=UID)
DOWN = "failed calling webhook"
TEMPLATES = supporting.templates_config_map(OWNER, {"head": {"spec": {"a": 1}}})
RAY_JOB_MANIFEST: Any = {"metadata": OWNER.metadata(f"{NAME}-s1")}
CREATIONS: list[tuple[Kind, Action]] = [
    (CONFIG_MAP, EnsureConfigMap(manifest=supporting.progress_config_map(OWNER))),
    (CONFIG_MAP, EnsureConfigMap(manifest=TEMPLATES)),
    (SERVICE_ACCOUNT, EnsureAccount(manifest=supporting.service_account(OWNER))),
    (ROLE, EnsureRole(manifest=supporting.role(OWNER))),
    (ROLE_BINDING, EnsureRoleBinding(manifest=supporting.role_binding(OWNER, "driver"))),
]
RAY_JOB_CREATION: tuple[Kind, Action] = (
    RAY_JOB,
    CreateRayJob(name=f"{NAME}-s1", stage=Stage.select, attempt=1, manifest=RAY_JOB_MANIFEST),
)
ASKING = AskDryRun(manifest=RAY_JOB_MANIFEST, digest="d")


class Office:
    """A leading operator with an API server of its own."""

    def __init__(self, api: SmallApi | None = None) -> None:
        self.api, self.cache = api or SmallApi(), Cache()
        settings = LeaseSettings(name="afray", namespace="afray-system", identity="here")
        self.leadership = Leadership(self.api, settings)
        self.watches = Watches(api=self.api, cache=self.cache, queue=WorkQueue())
        self.watches.around = Surroundings(known=frozenset(WATCHED))
        self.now = 0.0
        self.claims = Claims(self.watches, self.leadership, settings.address, 900, lambda: self.now)
        metrics = OperatorMetrics(self.watches, lambda: True, lambda: self.claims.left)
        self.actor = Actor(self.api, self.cache, self.leadership, metrics)
        teller = Teller(self.api, self.leadership, metrics, "here")
        self.reconciler = Reconciler(self.watches, self.claims, self.actor, teller, metrics)

    def perform(self, action: Action, memory: Memory | None = None) -> Memory:
        """One action, and what is known after it."""
        known: list[Memory] = []

        async def work() -> None:
            known.append(await self.actor.perform(action, KEY, memory or Memory()))

        asyncio.run(self.leadership.run(work))
        return known[0]

    def reconcile(self) -> None:
        asyncio.run(self.leadership.run(lambda: self.reconciler.reconcile(KEY)))

    def hold(self, kind: Kind, raw: Raw) -> None:
        """The server has that object, and the cache too."""
        raw["metadata"].setdefault("namespace", NAMESPACE)
        self.api.objects[kind, NAMESPACE, raw["metadata"]["name"]] = raw
        self.cache.put(kind, raw, KEY)

    def condition(self, kind: str) -> tuple[str, str, str]:
        """Status, reason and message of the job's."""
        said = self.api.objects[SELECTION_JOB, NAMESPACE, NAME]["status"]["conditions"]
        found = next(one for one in said if one["type"] == kind)
        return found["status"], found["reason"], found.get("message", "")


def manifest_of(action: Action) -> Raw:
    found: Any = action.manifest  # type: ignore[union-attr]
    return dict(found)


def owned_by(action: Action, uid: str, **more: Any) -> Raw:
    """The object as another SelectionJob of the same name would have made it."""
    raw = manifest_of(action)
    owner = {**raw["metadata"]["ownerReferences"][0], "uid": uid, **more}
    return {**raw, "metadata": {**raw["metadata"], "uid": "there", "ownerReferences": [owner]}, "data": {"a": "b"}}


TROUBLE = [refused(500, DOWN), refused(503, DOWN), refused(504, DOWN), refused(429, DOWN)]


@pytest.mark.parametrize("error", TROUBLE, ids=lambda error: str(error.status))
@pytest.mark.parametrize(("kind", "action"), [*CREATIONS, RAY_JOB_CREATION])
def test_a_server_that_can_not_answer_is_remembered_and_the_next_answer_ends_it(
    kind: Kind, action: Action, error: Exception
) -> None:
    office = Office()
    office.api.errors["create", kind, NAMESPACE] = error
    memory = office.perform(action)
    assert memory.refusal is not None
    assert (memory.refusal.hindrance, memory.refusal.message) == (Hindrance.trouble, DOWN)
    assert memory.refusal.wait.total_seconds() == 10
    office.api.errors.clear()
    assert office.perform(action, memory).refusal is None


def test_a_dry_run_that_nobody_can_judge_is_asked_again_in_seconds() -> None:
    office = Office()
    office.api.errors["create", RAY_JOB, NAMESPACE] = refused(500, DOWN)
    answer = office.perform(ASKING).dry_run
    assert answer is not None
    assert (answer.hindrance, answer.message) == (Hindrance.trouble, DOWN)
    assert (answer.ask_again - answer.at).total_seconds() == 10


RBAC = 'rayjobs.ray.io is forbidden: User "operator" cannot create resource "rayjobs" in API group "ray.io"'
OTHERS_403 = [
    'admission webhook "policy.example.com" denied the request: no GPU on Fridays',
    'rayjobs.ray.io "x" is forbidden: exceeded quota: rayjobs, requested: 1, used: 5, limited: 5',
]


@pytest.mark.parametrize(
    ("said", "hindrance"), [(RBAC, Hindrance.rights), *((said, Hindrance.rules) for said in OTHERS_403)]
)
def test_a_right_lacks_only_where_rbac_says_so(said: str, hindrance: Hindrance) -> None:
    office = Office()
    office.api.errors["create", RAY_JOB, NAMESPACE] = forbidden(said)
    answer, refusal = office.perform(ASKING).dry_run, office.perform(RAY_JOB_CREATION[1]).refusal
    assert answer is not None
    assert refusal is not None
    assert (answer.hindrance, refusal.hindrance) == (hindrance, hindrance)
    assert (answer.message, refusal.message) == (said, said)


@pytest.mark.parametrize("status", [401, 409])
def test_an_answer_that_says_nothing_of_the_object_is_no_refusal(status: int) -> None:
    office = Office()
    office.api.errors["create", RAY_JOB, NAMESPACE] = refused(status, "no")
    with pytest.raises(type(refused(status, "no"))):
        office.perform(ASKING)


def check_untouched(office: Office, kind: Kind, action: Action, theirs: Raw, hindrance: Hindrance, words: str) -> None:
    """The action meets an object that is not this job's, says so, and neither writes nor keeps it."""
    office.api.objects[kind, NAMESPACE, theirs["metadata"]["name"]] = theirs
    before = copy.deepcopy(theirs)
    refusal = office.perform(action).refusal
    assert refusal is not None
    assert refusal.hindrance is hindrance
    assert words in refusal.message
    assert office.api.objects[kind, NAMESPACE, theirs["metadata"]["name"]] == before
    assert office.cache.objects(kind, KEY) == ()


@pytest.mark.parametrize(("kind", "action"), CREATIONS)
def test_an_object_of_an_earlier_job_of_that_name_is_waited_for_and_not_touched(kind: Kind, action: Action) -> None:
    office = Office()
    theirs = owned_by(action, "uid-of-the-last")
    check_untouched(office, kind, action, theirs, Hindrance.leaving, "belongs to a deleted SelectionJob of this name")


@pytest.mark.parametrize("controlled", [False, True])
@pytest.mark.parametrize(("kind", "action"), CREATIONS)
def test_an_object_of_somebody_else_is_said_to_be_and_not_touched(
    kind: Kind, action: Action, *, controlled: bool
) -> None:
    office = Office()
    theirs = owned_by(action, "theirs", kind="Deployment", apiVersion="apps/v1")
    if not controlled:
        theirs["metadata"] = {"name": theirs["metadata"]["name"], "uid": "there"}
    check_untouched(office, kind, action, theirs, Hindrance.taken, "somebody else's. Delete or rename it")


@pytest.mark.parametrize(("kind", "action"), CREATIONS)
def test_an_object_of_ours_that_is_there_will_do(kind: Kind, action: Action) -> None:
    office = Office()
    office.api.objects[kind, NAMESPACE, manifest_of(action)["metadata"]["name"]] = owned_by(action, UID)
    assert office.perform(action).refusal is None
    (kept,) = office.cache.objects(kind, KEY)
    if wanted := manifest_of(action).get("data"):
        assert kept["data"] == {**wanted}


def test_a_config_map_that_the_operator_may_not_correct_is_a_refusal() -> None:
    office = Office()
    office.api.objects[CONFIG_MAP, NAMESPACE, f"{NAME}-templates"] = owned_by(EnsureConfigMap(manifest=TEMPLATES), UID)
    said = 'configmaps "x" is forbidden: User "operator" cannot patch resource "configmaps"'
    office.api.errors["patch", CONFIG_MAP, NAMESPACE] = forbidden(said)
    refusal = office.perform(EnsureConfigMap(manifest=TEMPLATES)).refusal
    assert refusal is not None
    assert refusal.hindrance is Hindrance.rights


@pytest.mark.parametrize(("kind", "action"), CREATIONS)
def test_an_object_that_goes_while_it_is_asked_for_is_made_in_a_moment(kind: Kind, action: Action) -> None:
    office = Office()
    office.api.errors["create", kind, NAMESPACE] = refused(409, "already exists")
    with pytest.raises(ConflictError):
        office.perform(action)
    office.api.errors.clear()
    assert office.perform(action).refusal is None


# The whole of it: what the job says


def office_with_job(api: SmallApi | None = None, **changes: object) -> Office:
    office = Office(api)
    office.hold(
        SELECTION_JOB, kube_objects.selection_job({"spec.cluster.head.template": {"spec": {"a": 1}}, **changes})
    )
    return office


Breaking = Callable[[Office], None]


def break_dry_run(office: Office) -> None:
    office.api.errors["create", RAY_JOB, NAMESPACE] = refused(500, DOWN)


def break_config_maps(office: Office) -> None:
    office.api.errors["create", CONFIG_MAP, NAMESPACE] = refused(500, DOWN)


@pytest.mark.parametrize("breaks", [break_dry_run, break_config_maps])
def test_a_new_job_says_that_nobody_could_judge_it(breaks: Breaking) -> None:
    office = office_with_job()
    breaks(office)
    office.reconcile()
    status, reason, message = office.condition("Accepted")
    assert (status, reason) == ("Unknown", "NotAnswered")
    assert "it is tried again every 10 s: failed calling webhook" in message


def test_an_accepted_job_says_what_could_not_be_created_and_counts_no_attempt() -> None:
    office = office_with_job()
    office.api.errors["create", ROLE, NAMESPACE] = refused(503, DOWN)
    office.reconcile()
    assert office.condition("Accepted")[:2] == ("True", "Valid")
    status, reason, message = office.condition("ClusterReady")
    assert (status, reason) == ("False", "CreationRefused")
    assert message == f"Role {NAME}-progress: {DOWN}. It is tried again every 10 s."
    assert office.api.objects[SELECTION_JOB, NAMESPACE, NAME]["status"]["attempt"]["failures"] == 0


def test_a_config_map_of_a_user_keeps_a_job_from_being_accepted_and_is_named() -> None:
    office = office_with_job()
    theirs: Raw = {"metadata": {"name": f"{NAME}-templates", "uid": "theirs"}, "data": {"mine": "keep"}}
    office.api.objects[CONFIG_MAP, NAMESPACE, f"{NAME}-templates"] = theirs
    office.reconcile()
    status, reason, message = office.condition("Accepted")
    assert (status, reason) == ("False", "NameTaken")
    assert message.startswith(f"ConfigMap {NAME}-templates is somebody else's. Delete or rename it")
    assert office.api.objects[CONFIG_MAP, NAMESPACE, f"{NAME}-templates"] == theirs


def test_what_was_refused_to_a_job_is_not_held_against_the_next_of_its_name() -> None:
    office = office_with_job()
    office.api.errors["create", ROLE, NAMESPACE] = refused(422, "no")
    office.reconcile()
    office.api.errors.clear()
    for kind, _, name in [place for place in office.api.objects if place[1] == NAMESPACE]:
        gone = office.api.objects.pop((kind, NAMESPACE, name))
        office.cache.drop_named(kind, KEY, gone["metadata"]["name"])
    again = kube_objects.selection_job()
    again["metadata"]["uid"] = "uid-of-the-next"
    office.hold(SELECTION_JOB, again)
    office.reconcile()
    assert (RAY_JOB, NAMESPACE, f"{NAME}-s1") in office.api.objects


def test_a_job_that_its_namespace_left_behind_is_left_to_the_queue_which_takes_its_time() -> None:
    office = office_with_job()
    office.api.errors["patch", SELECTION_JOB, NAMESPACE] = refused(404, f'namespaces "{NAMESPACE}" not found')
    with pytest.raises(NotFoundError):
        office.reconcile()


def test_a_job_that_goes_while_its_status_is_written_is_done_with() -> None:
    office = office_with_job()
    office.api.errors["patch", SELECTION_JOB, NAMESPACE] = refused(404, f'selectionjobs "{NAME}" not found')
    del office.api.objects[SELECTION_JOB, NAMESPACE, NAME]
    office.reconcile()
    assert office.cache.job(KEY) is None


@pytest.mark.parametrize("labels", [{}, {"afray.dev/job": "another-job"}])
def test_a_foreign_ray_job_that_went_is_not_held_for_being_there(labels: dict[str, str]) -> None:
    office = office_with_job()
    foreign: Raw = {"metadata": {"name": f"{NAME}-s1", "uid": "foreign", "labels": labels}}
    office.hold(RAY_JOB, foreign)
    office.reconcile()
    assert office.condition("ClusterReady")[1] == "NameTaken"
    del office.api.objects[RAY_JOB, NAMESPACE, f"{NAME}-s1"]
    office.reconcile()
    assert office.api.objects[RAY_JOB, NAMESPACE, f"{NAME}-s1"]["metadata"].get("uid") != "foreign"


def test_a_definition_that_drops_a_field_of_the_status_is_told_and_not_written_to_without_end(
    caplog: pytest.LogCaptureFixture,
) -> None:
    office = office_with_job()
    office.hold(POD, with_gpus_for(600))
    office.api.drops = {"usage"}
    office.reconcile()
    caplog.clear()
    office.reconcile()
    assert "usage" not in office.api.objects[SELECTION_JOB, NAMESPACE, NAME]["status"]
    assert caplog.text.count("the CRD of SelectionJob lacks fields of status") == 1


def test_a_pod_that_went_is_kept_until_its_gpu_time_is_stored() -> None:
    office = office_with_job()
    pod = with_gpus_for(600)
    office.hold(POD, pod)
    office.reconcile()
    office.watches.saw(POD, "DELETED", pod)
    office.api.errors["patch", SELECTION_JOB, NAMESPACE] = refused(503, DOWN)
    with pytest.raises(ApiException):
        office.reconcile()
    assert len(office.cache.departed(KEY)) == 1
    del office.api.errors["patch", SELECTION_JOB, NAMESPACE]
    office.reconcile()
    usage = office.api.objects[SELECTION_JOB, NAMESPACE, NAME]["status"]["usage"]
    assert 600 <= usage["gpuSeconds"] < 700
    assert usage["gpus"] == 0
    assert office.cache.departed(KEY) == ()


def test_pods_of_a_job_that_is_gone_are_not_kept() -> None:
    office = office_with_job()
    pod = with_gpus_for(600)
    office.hold(POD, pod)
    office.watches.saw(SELECTION_JOB, "DELETED", office.api.objects[SELECTION_JOB, NAMESPACE, NAME])
    office.watches.saw(POD, "DELETED", pod)
    office.reconcile()
    assert office.cache.departed(KEY) == ()


def test_a_job_whose_namespace_another_release_serves_is_left_alone() -> None:
    office = office_with_job()
    theirs: Raw = {"metadata": {"name": CLAIM, "namespace": NAMESPACE}, "spec": {"holderIdentity": "there/afray"}}
    office.api.objects[LEASE, NAMESPACE, CLAIM] = theirs
    pod = with_gpus_for(600)
    office.hold(POD, pod)
    office.watches.saw(POD, "DELETED", pod)
    before = {place: copy.deepcopy(raw) for place, raw in office.api.objects.items() if place[1] == NAMESPACE}
    office.reconcile()
    assert {place: raw for place, raw in office.api.objects.items() if place[1] == NAMESPACE} == before
    assert office.cache.departed(KEY) == ()


@pytest.mark.parametrize("slow", [RAY_JOB, CONFIG_MAP])
def test_a_claim_that_runs_out_within_a_look_ends_it(slow: Kind) -> None:
    class SlowApi(SmallApi):
        async def create(self, kind: Kind, body: Mapping[str, Any], *, dry_run: bool = False) -> Raw:
            office.now += 900 if kind == slow else 0
            return await super().create(kind, body, dry_run=dry_run)

    office = office_with_job(SlowApi())
    with pytest.raises(LostClaim):
        office.reconcile()
    assert "status" not in office.api.objects[SELECTION_JOB, NAMESPACE, NAME]


def test_a_job_that_is_gone_claims_no_namespace() -> None:
    office = Office()
    office.reconcile()
    assert (LEASE, NAMESPACE, CLAIM) not in office.api.objects


def with_gpus_for(number: float) -> Raw:
    """A pod whose container with a GPU runs for so many seconds now."""
    started = datetime.now(UTC) - seconds(number)
    return kube_objects.ran(kube_objects.with_gpus(kube_objects.pod("worker"), 1, created=started), started)
