"""What is listed and watched: rights and kinds that come and go, and an API server that breaks off."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import aiohttp
import pytest
from afray_operator.api import Listing
from afray_operator.cache import Cache, JobKey
from afray_operator.kinds import CONFIG_MAP, POD, RAY_CLUSTER, RAY_JOB, SELECTION_JOB, WATCHED, WORKLOAD, Kind
from afray_operator.kopf_watches import make_registry
from afray_operator.observed import Offers
from afray_operator.surroundings import OutdatedWatches
from afray_operator.watching import Watches
from afray_operator.workqueue import WorkQueue
from helpers import kube_objects
from helpers.small_api import SmallApi, forbidden
from kubernetes.aio.client.exceptions import ApiException

BOTH = ("team-a", "team-b")
EVERYTHING = frozenset({"selectionjobs", "rayjobs", "rayclusters", "pods", "configmaps", "workloads"})


def make_watches(api: SmallApi, *namespaces: str) -> Watches:
    """Watches with a job in each namespace, a Workload in each that has one."""
    for namespace in BOTH:
        job = kube_objects.selection_job()
        job["metadata"] |= {"namespace": namespace, "uid": f"uid-{namespace}", "resourceVersion": "1"}
        api.objects[SELECTION_JOB, namespace, kube_objects.NAME] = job
        owned = kube_objects.workload("u")
        owned["metadata"] |= {"namespace": namespace, "uid": f"workload-{namespace}", "resourceVersion": "1"}
        owned["metadata"]["ownerReferences"] = [{"kind": "RayJob", "name": f"{kube_objects.NAME}-s1"}]
        api.objects[WORKLOAD, namespace, "w"] = owned
    return Watches(api=api, cache=Cache(), queue=WorkQueue(), namespaces=namespaces)


def resync(watches: Watches) -> Watches:
    asyncio.run(watches.resync())
    return watches


def watched(watches: Watches) -> set[str]:
    """Plurals of the kinds that kopf is told to watch."""
    handlers = make_registry(watches)._watching.get_all_handlers()
    return {str(handler.id) for handler in handlers}


def seen_jobs(watches: Watches) -> set[str]:
    return {raw["metadata"]["namespace"] for raw in watches.cache.jobs()}


def workloads(watches: Watches, namespace: str) -> int:
    return len(watches.cache.objects(WORKLOAD, JobKey(namespace, kube_objects.NAME)))


@pytest.mark.parametrize("namespaces", [(), BOTH])
def test_with_all_rights_everything_is_listed_and_watched(namespaces: tuple[str, ...]) -> None:
    watches = resync(make_watches(SmallApi(), *namespaces))
    assert seen_jobs(watches) == set(BOTH)
    assert [workloads(watches, name) for name in BOTH] == [1, 1]
    assert watched(watches) == EVERYTHING
    assert watches.offers == Offers(ray_job=True, kueue=True)


@pytest.mark.parametrize(("namespaces", "refusing"), [((), ""), (BOTH, "team-b")])
def test_the_right_to_workloads_is_optional(namespaces: tuple[str, ...], refusing: str) -> None:
    api = SmallApi()
    api.errors["list", WORKLOAD, refusing] = forbidden("workloads are not yours")
    watches = resync(make_watches(api, *namespaces))
    assert seen_jobs(watches) == set(BOTH)
    assert watches.readable == namespaces
    assert watches.offers == Offers(ray_job=True, kueue=True, kueue_readable=False)
    assert [workloads(watches, name) for name in BOTH] == [0, 0]
    assert watched(watches) == EVERYTHING - {"workloads"}


@pytest.mark.parametrize("namespaces", [(), BOTH])
@pytest.mark.parametrize("is_given", [True, False])
def test_a_right_to_workloads_that_comes_or_goes_asks_for_other_watches(
    namespaces: tuple[str, ...], *, is_given: bool
) -> None:
    api = SmallApi()
    refusal = {("list", WORKLOAD, namespaces[0] if namespaces else ""): forbidden("no")}
    api.errors = dict(refusal) if is_given else {}
    watches = resync(make_watches(api, *namespaces))
    resync(watches)
    api.errors = {} if is_given else dict(refusal)
    with pytest.raises(OutdatedWatches):
        resync(watches)


@pytest.mark.parametrize("kind", [SELECTION_JOB, RAY_JOB, RAY_CLUSTER, POD])
def test_a_namespace_where_anything_else_may_not_be_read_is_left_out(
    kind: Kind, caplog: pytest.LogCaptureFixture
) -> None:
    api = SmallApi()
    api.errors["list", kind, "team-b"] = forbidden(f"{kind.plural} are not yours")
    watches = resync(make_watches(api, *BOTH))
    assert seen_jobs(watches) == {"team-a"}
    assert watches.readable == ("team-a",)
    assert f"namespace team-b is left out: {kind.plural} are not yours" in caplog.text
    with pytest.raises(OutdatedWatches, match="no namespace can be read"):
        resync(make_watches(api, "team-b"))


def test_kinds_that_come_are_noticed_where_kopf_does_not_see_them() -> None:
    api = SmallApi(known=set(WATCHED) - {WORKLOAD})
    everywhere, named = resync(make_watches(api)), resync(make_watches(api, *BOTH))
    assert named.offers == Offers(ray_job=True, kueue=False)
    api.known.add(WORKLOAD)
    assert resync(everywhere).offers.kueue
    with pytest.raises(OutdatedWatches):
        resync(named)


@pytest.mark.parametrize(
    "error",
    [
        aiohttp.ServerDisconnectedError(),
        aiohttp.ClientPayloadError("broke off"),
        TimeoutError(),
        OSError("no route"),
        ApiException(status=500),
    ],
    ids=repr,
)
def test_a_resync_that_breaks_off_is_tried_again(error: Exception, caplog: pytest.LogCaptureFixture) -> None:
    class Breaking(SmallApi):
        listed = 0

        async def list(self, kind: Kind, namespace: str | None, selector: str | None = None) -> Listing:
            self.listed += 1
            if self.listed == 1:
                raise error
            return await super().list(kind, namespace, selector)

    async def resyncing(watches: Watches) -> None:
        task = asyncio.create_task(watches.keep_resyncing(0.01))
        while not watches.resynced_at and not task.done():
            await asyncio.sleep(0.01)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    watches = make_watches(Breaking())
    with caplog.at_level(logging.CRITICAL):
        asyncio.run(resyncing(watches))
    assert watches.resynced_at > 0
    assert seen_jobs(watches) == set(BOTH)


def test_a_resync_queues_each_job_once_and_after_everything_is_listed() -> None:
    seen: list[tuple[JobKey, int]] = []

    class Slow(SmallApi):
        async def list(self, kind: Kind, namespace: str | None, selector: str | None = None) -> Listing:
            await asyncio.sleep(0.01)  # a hand is free all the time
            return await super().list(kind, namespace, selector)

    async def working(watches: Watches) -> None:
        async def take(key: JobKey) -> None:
            seen.append((key, workloads(watches, key.namespace)))

        hand = asyncio.create_task(watches.queue.work(take))
        await watches.resync()
        await asyncio.sleep(0.01)
        hand.cancel()

    asyncio.run(working(make_watches(Slow())))
    assert sorted(seen) == [(JobKey(name, kube_objects.NAME), 1) for name in BOTH]


def test_a_resync_that_breaks_off_still_queues_the_jobs_that_it_saw() -> None:
    api = SmallApi()
    watches = make_watches(api)
    api.errors["list", CONFIG_MAP, ""] = TimeoutError()
    with pytest.raises(TimeoutError):
        resync(watches)
    assert watches.queue.depth == len(BOTH)


def test_a_watch_that_speaks_is_noted_and_its_job_is_queued() -> None:
    watches = make_watches(SmallApi())
    raw: dict[str, Any] = kube_objects.pod("head")
    raw["metadata"]["resourceVersion"] = "1"
    watches.saw(POD, "ADDED", raw)
    assert watches.queue.depth == 1
    assert watches.told_at[POD] > 0
