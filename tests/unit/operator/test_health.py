"""/healthz and /readyz: when a restart helps, and when a rollout may go on."""

from __future__ import annotations

import asyncio
import time
import urllib.error
import urllib.request
from dataclasses import replace

import pytest
from afray_operator.cache import Cache
from afray_operator.health import LoopLag, Signs, make_app, serving
from afray_operator.kinds import LEASE
from afray_operator.leader import Leadership
from afray_operator.lease import LeaseSettings
from afray_operator.service import OperatorSettings, make_signs
from afray_operator.watching import Watches
from afray_operator.workqueue import WorkQueue
from helpers.s3_server import free_port
from helpers.small_api import SmallApi, forbidden
from prometheus_client import CollectorRegistry, Gauge

WELL = Signs(loop_lag=lambda: 0.1, oldest_work=lambda: 1.0, resync_age=lambda: 299.0, longest_resync_age=900.0)
SETTINGS = LeaseSettings(name="afray", namespace="afray-system", identity="here", retry_period=1)


def page(path: str, signs: Signs = WELL, *, is_ready: bool = True) -> tuple[int, str]:
    """Status and text of one page."""
    registry = CollectorRegistry()
    Gauge("afray_thing", "A thing.", registry=registry).set(7)

    async def ask() -> tuple[int, str]:
        async with serving(make_app(registry, signs, lambda: is_ready), free_port()) as port:
            return await asyncio.to_thread(read, f"http://127.0.0.1:{port}{path}")

    return asyncio.run(ask())


def read(url: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def test_metrics_are_prometheus_text() -> None:
    status, text = page("/metrics")
    assert status == 200
    assert "afray_thing 7.0" in text.splitlines()


def test_all_well_is_healthy() -> None:
    assert page("/healthz") == (200, "ok")


def test_a_follower_that_lists_nothing_is_healthy() -> None:
    assert page("/healthz", replace(WELL, resync_age=lambda: None)) == (200, "ok")


@pytest.mark.parametrize(
    ("signs", "said"),
    [
        (replace(WELL, resync_age=lambda: 901.0), "nothing was listed since 901 s"),
        (replace(WELL, oldest_work=lambda: 301.0), "one reconcile waits since 301 s"),
        (replace(WELL, loop_lag=lambda: 11.0), "the event loop is 11 s late"),
    ],
)
def test_what_a_restart_helps_against_is_unhealthy_and_named(signs: Signs, said: str) -> None:
    assert page("/healthz", signs) == (503, said)


@pytest.mark.parametrize(
    ("listed_before", "status"),
    [(None, 200), (0.0, 200), (890.0, 200), (910.0, 503)],
    ids=["never", "now", "late", "stale"],
)
def test_an_operator_that_could_list_nothing_for_three_resyncs_is_unhealthy(
    listed_before: float | None, status: int
) -> None:
    watches = Watches(api=SmallApi(), cache=Cache(), queue=WorkQueue())
    if listed_before is not None:
        watches.resynced_at = time.time() - listed_before
    signs = make_signs(OperatorSettings(lease=SETTINGS, resync_seconds=300), watches, LoopLag())
    assert page("/healthz", signs)[0] == status


def test_ready_is_said_and_what_is_missing_too() -> None:
    assert page("/readyz") == (200, "ok")
    status, said = page("/readyz", is_ready=False)
    assert status == 503
    assert "Lease" in said


async def ever(seconds: float = 0.3) -> None:
    await asyncio.sleep(seconds)


def has_answer(api: SmallApi) -> bool:
    """Whether a process that asks for the Lease a while is ready."""

    async def ask() -> bool:
        leadership = Leadership(api, SETTINGS)
        asking = asyncio.create_task(leadership.run(ever))
        await asyncio.wait({asking}, timeout=0.2)
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
        return leadership.has_answer

    return asyncio.run(ask())


def test_the_leader_is_ready() -> None:
    assert has_answer(SmallApi())


def test_who_waits_for_the_lease_of_another_is_ready() -> None:
    api = SmallApi()
    lease = {"metadata": {"name": "afray", "namespace": "afray-system"}, "spec": {"holderIdentity": "there"}}
    api.objects[LEASE, "afray-system", "afray"] = lease
    assert has_answer(api)


@pytest.mark.parametrize("verb", ["get", "create"])
@pytest.mark.parametrize("error", [forbidden("no"), OSError("no route")], ids=["forbidden", "unreachable"])
def test_who_may_not_ask_for_the_lease_or_reaches_nobody_is_not_ready(verb: str, error: Exception) -> None:
    api = SmallApi()
    api.errors[verb, LEASE, "afray-system"] = error
    assert not has_answer(api)
