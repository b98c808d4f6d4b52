"""The operator dies at any write, loses its watches, or has a rival: what it does is done once all the same."""

from __future__ import annotations

import signal
import time
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from helpers import selection_jobs
from helpers.api_proxy import ApiProxy, Request, no_harm
from helpers.operator_process import OperatorProcess, await_that, operating
from testbed.apiserver import ApiServer
from testbed.kubectl import Kubectl

pytestmark = pytest.mark.apiserver

IMPATIENT = ("--lease-duration=3", "--renew-deadline=2", "--retry-period=1", "--log-level=info", "--resync-seconds=10")
WRITES_UNTIL_QUEUED = 9
"""Templates, if any, aside: status, two events, ConfigMap, account, Role, RoleBinding, RayJob, status."""


def options(namespace: str) -> tuple[str, ...]:
    """Each test has a Lease and a namespace of its own."""
    return (*IMPATIENT, f"--namespace={namespace}", f"--lease={namespace}/afray")


def is_queued(kubectl: Kubectl, namespace: str, name: str = "welds") -> bool:
    status = kubectl.get("sj", name, namespace).get("status") or {}
    reasons = {one["type"]: one["reason"] for one in status.get("conditions", ())}
    return reasons.get("QuotaReserved") == "Queued" and bool((status.get("attempt") or {}).get("rayJobUID"))


def check_done_once(kubectl: Kubectl, namespace: str) -> None:
    (ray_job,) = kubectl.list("rayjobs", namespace)
    status = kubectl.get("sj", "welds", namespace)["status"]
    assert ray_job["metadata"]["name"] == "welds-s1"
    attempt = status["attempt"]
    assert (attempt["number"], attempt["failures"], attempt["rayJobUID"]) == (1, 0, ray_job["metadata"]["uid"])
    for kind in ("serviceaccounts", "roles", "rolebindings"):
        assert len(kubectl.list(kind, namespace)) == 1, kind
    assert [one["metadata"]["name"] for one in kubectl.list("configmaps", namespace)] == ["welds-progress"]


def tell_reasons(kubectl: Kubectl, namespace: str) -> list[str]:
    return sorted(event["reason"] for event in kubectl.list("events.events.k8s.io", namespace))


def test_until_a_job_is_queued_few_things_are_written_and_then_nothing(
    kubectl: Kubectl, proxy: ApiProxy, namespace: str, tmp_path: Path
) -> None:
    with operating(proxy.kubeconfig, *options(namespace), log=tmp_path / "log"):
        kubectl.apply(selection_jobs.make_manifest(namespace))
        await_that(lambda: is_queued(kubectl, namespace))
        time.sleep(12)  # over a resync
        assert len(proxy.writes) == WRITES_UNTIL_QUEUED, "\n".join(map(str, proxy.writes))
    check_done_once(kubectl, namespace)
    assert tell_reasons(kubectl, namespace) == ["Accepted", "AttemptCreated"]


KILLS = [(2, True), (7, False), (8, True)]
"""After an event, before the RayJob is asked for, after it is made and nobody knows. Others: test_operator_lives."""


@pytest.mark.parametrize(("number", "is_answered"), KILLS)
def test_killed_at_a_write_it_comes_back_and_does_what_is_left(
    kubectl: Kubectl, proxy: ApiProxy, namespace: str, tmp_path: Path, number: int, is_answered: bool
) -> None:
    operator = OperatorProcess.start(proxy.kubeconfig, *options(namespace), log=tmp_path / "log")

    async def kill(request: Request) -> web.StreamResponse | None:
        if request.number != number:
            return None
        operator.signal(signal.SIGKILL)
        return web.Response(status=502)

    try:
        operator.await_leading()
        if is_answered:
            proxy.after = kill
        else:
            proxy.before = kill
        kubectl.apply(selection_jobs.make_manifest(namespace))
        await_that(lambda: not operator.is_alive)
    finally:
        operator.stop()
    with operating(proxy.kubeconfig, *options(namespace), log=tmp_path / "log"):
        await_that(lambda: is_queued(kubectl, namespace))
    check_done_once(kubectl, namespace)
    events = tell_reasons(kubectl, namespace)
    assert len(events) == len(set(events))


@pytest.mark.parametrize("status", [409, *(pytest.param(code, marks=pytest.mark.nightly) for code in (429, 500, 503))])
def test_every_write_refused_once_is_made_good(
    kubectl: Kubectl, proxy: ApiProxy, namespace: str, tmp_path: Path, status: int
) -> None:
    refused: set[str] = set()

    async def refuse_once(request: Request) -> web.StreamResponse | None:
        if request.number == 0 or "/events" in request.path or str(request) in refused:
            return None
        refused.add(str(request))
        body: dict[str, Any] = {"kind": "Status", "status": "Failure", "code": status, "message": "not now"}
        return web.json_response(body, status=status)

    proxy.before = refuse_once
    with operating(proxy.kubeconfig, *options(namespace), log=tmp_path / "log"):
        kubectl.apply(selection_jobs.make_manifest(namespace))
        await_that(lambda: is_queued(kubectl, namespace), 120)
    assert len(refused) >= 6
    check_done_once(kubectl, namespace)


def test_what_needs_a_refused_object_waits_for_it_and_the_refusal_is_told(
    kubectl: Kubectl, proxy: ApiProxy, namespace: str, tmp_path: Path
) -> None:
    async def refuse_roles(request: Request) -> web.StreamResponse | None:
        if request.number == 0 or not request.path.endswith("/roles"):
            return None
        body: dict[str, Any] = {"kind": "Status", "status": "Failure", "code": 403, "message": "no roles for you"}
        return web.json_response(body, status=403)

    def said() -> str:
        return str(kubectl.get("sj", "welds", namespace).get("status") or {})

    proxy.before = refuse_roles
    with operating(proxy.kubeconfig, *options(namespace), log=tmp_path / "log"):
        kubectl.apply(selection_jobs.make_manifest(namespace))
        await_that(lambda: "no roles for you" in said())
        assert kubectl.list("rayjobs", namespace) == kubectl.list("rolebindings", namespace) == []
        proxy.before = no_harm
        await_that(lambda: is_queued(kubectl, namespace), 60)
        assert "no roles for you" not in said()
    check_done_once(kubectl, namespace)


def test_what_was_deleted_while_a_watch_was_down_is_noticed(
    api_server: ApiServer, kubectl: Kubectl, proxy: ApiProxy, namespace: str, tmp_path: Path
) -> None:
    is_deaf = False

    async def be_deaf(request: Request) -> web.StreamResponse | None:
        is_watch = "watch=" in request.query
        if is_deaf and is_watch:
            gone = {"type": "ERROR", "object": {"kind": "Status", "code": 410, "reason": "Expired", "message": "old"}}
            return web.json_response(gone)
        return None

    proxy.before = be_deaf
    with operating(proxy.kubeconfig, *options(namespace), log=tmp_path / "log"):
        kubectl.apply(selection_jobs.make_manifest(namespace))
        await_that(lambda: is_queued(kubectl, namespace))
        is_deaf = True
        proxy.cut()
        kubectl("delete", "rayjob", "welds-s1", "-n", namespace)
        is_deaf = False
        await_that(lambda: [one["metadata"]["name"] for one in kubectl.list("rayjobs", namespace)] == ["welds-s2"], 40)
    status = kubectl.get("sj", "welds", namespace)["status"]
    assert status["attempt"]["failures"] == 1
    assert status["attempt"]["lastFailure"]["reason"] == "RayJobDeleted"


def test_of_two_operators_one_works_and_a_leader_that_slept_does_not_write_again(
    kubectl: Kubectl, api_server: ApiServer, namespace: str, tmp_path: Path
) -> None:
    first = OperatorProcess.start(api_server.kubeconfig, *options(namespace), log=tmp_path / "first")
    second = OperatorProcess.start(api_server.kubeconfig, *options(namespace), log=tmp_path / "second")
    try:
        await_that(lambda: first.metric("afray_operator_leader") + second.metric("afray_operator_leader") == 1)
        leader, other = (first, second) if first.metric("afray_operator_leader") else (second, first)
        leader.signal(signal.SIGSTOP)
        kubectl.apply(selection_jobs.make_manifest(namespace))
        other.await_leading(20)
        await_that(lambda: is_queued(kubectl, namespace))
        before = kubectl.get("sj", "welds", namespace)["metadata"]["resourceVersion"]
        leader.signal(signal.SIGCONT)
        await_that(lambda: not leader.is_alive)  # it lost the Lease: another process takes its place
        time.sleep(2)
        assert kubectl.get("sj", "welds", namespace)["metadata"]["resourceVersion"] == before
        check_done_once(kubectl, namespace)
    finally:
        first.stop()
        second.stop()


def test_a_leader_that_is_told_to_stop_hands_over_at_once(
    kubectl: Kubectl, api_server: ApiServer, namespace: str, tmp_path: Path
) -> None:
    patient = (f"--namespace={namespace}", f"--lease={namespace}/afray")
    first = OperatorProcess.start(api_server.kubeconfig, *patient, log=tmp_path / "first")
    second = None
    try:
        first.await_leading()
        second = OperatorProcess.start(api_server.kubeconfig, *patient, log=tmp_path / "second")
        time.sleep(3)
        started = time.monotonic()
        first.stop()
        await_that(lambda: second.metric("afray_operator_leader") == 1, 10)
        assert time.monotonic() - started < 8  # a Lease that ran out would take 15 s
    finally:
        first.stop()
        if second is not None:
            second.stop()
