"""Whole lives of a job, to Complete, with an operator that is killed, made deaf or paused: they all end alike.

KubeRay, Kueue, the kubelets and the driver are played from a recording of the real cluster. So nothing here proves how
they behave; `tests/cluster/test_recording.py` compares what they do with what is played.
"""

from __future__ import annotations

import signal
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from helpers.api_proxy import ApiProxy, Request, no_harm, proxied
from helpers.operator_process import await_that
from helpers.played_lives import (
    NAME,
    PlayedLife,
    await_quiet,
    is_mere_progress,
    is_status,
    living,
    rivalling,
)
from helpers.recorded_lives import Step, as_attempt, read_life
from testbed.apiserver import ApiServer
from testbed.kubectl import Kubectl
from testbed.recording import Recording

pytestmark = pytest.mark.apiserver

COMPLETE, RETRIED = "complete", "retried"
ATTEMPTS = {COMPLETE: 1, RETRIED: 2}
FEWEST_WRITES = 30
"""A life has some more where the operator sees every step by itself; the last ones are named below."""
MOST_WRITES = {COMPLETE: 40, RETRIED: 70}
"""Besides mere progress."""
OF_EACH_ATTEMPT = {"AttemptCreated", "Admitted", "ClusterReady", "StageStarted"}
"""Events; all others of these lives are told once, or not at all where the operator died before it."""


def check_life(life: PlayedLife, statuses: Recording, attempts: int, *others: ApiProxy) -> None:
    """What holds at the end of every life, whatever happened to the operator. `others` saw writes too."""
    asked = [found for proxy in (life.proxy, *others) for found in made_ray_jobs(proxy)]
    made = [name for name, status in asked if status == HTTPStatus.CREATED]
    assert made == [f"{NAME}-s{number}" for number in range(1, attempts + 1)]
    attempt, usage = life.status["attempt"], life.status["usage"]
    assert (attempt["number"], attempt["failures"]) == (attempts, attempts - 1)
    assert [(one["number"], one["failed"]) for one in usage["attempts"]] == [
        (number, number < attempts) for number in range(1, attempts + 1)
    ]
    assert (usage["gpus"], usage["gpuSeconds"]) == (0, sum(one["gpuSeconds"] for one in usage["attempts"]))
    check_latched([one.raw.get("status") or {} for one in statuses.seen])
    told = Counter(event["reason"] for event in life.kubectl.list("events.events.k8s.io", life.namespace))
    assert [reason for reason, times in told.items() if times > (attempts if reason in OF_EACH_ATTEMPT else 1)] == []


def made_ray_jobs(proxy: ApiProxy) -> list[tuple[str, int]]:
    """Names of RayJobs that were asked for, with the answers."""
    posts = [(one, status) for one, status in proxy.answered if one.method == "POST" and one.path.endswith("/rayjobs")]
    return [(one.said["metadata"]["name"], status) for one, status in posts]


def check_latched(statuses: Iterable[dict[str, Any]]) -> None:
    """Counts only grow, and what is complete stays so, with the same result."""
    counted, complete, spent = (0, 0), "", 0
    for status in statuses:
        assert spent <= (spent := status.get("usage", {}).get("gpuSeconds", 0))
        attempt = status.get("attempt") or {}
        counts = (attempt.get("number", 0), attempt.get("failures", 0))
        assert counts >= counted
        counted = counts
        ends = {one["type"]: one["status"] for one in status.get("conditions", ()) if one["status"] == "True"}
        assert "Failed" not in ends
        if complete:
            assert ("Complete" in ends, status["result"]["digest"]) == (True, complete)
        elif "Complete" in ends:
            complete = status["result"]["digest"]
    assert complete


@pytest.mark.parametrize("name", [COMPLETE, pytest.param(RETRIED, marks=pytest.mark.nightly)])
def test_a_whole_life_takes_few_writes(
    kubectl: Kubectl, proxy: ApiProxy, namespace: str, tmp_path: Path, name: str
) -> None:
    with living(kubectl, proxy, namespace, tmp_path / "log") as (life, statuses):
        life.begin()
        life.play(talkative(read_life(name)))
        life.await_end()
    check_life(life, statuses, ATTEMPTS[name])
    assert life.deaths == 0
    counted = [one for one in proxy.writes if not is_mere_progress(one)]
    assert FEWEST_WRITES <= len(counted) <= MOST_WRITES[name], "\n".join(map(str, counted))
    assert len(proxy.writes) - len(counted) <= 1 + life.status["attempt"]["activeSeconds"] // 30


def talkative(steps: Iterable[Step]) -> Iterator[Step]:
    """A life whose driver says ten times how far its embedding is."""
    for step in steps:
        yield step
        said = step.state["progress"] if step.kind == "ConfigMap" and step.state else {}
        if said.get("stage") == "embed pool":
            for done in range(20, 220, 20):
                yield replace(step, state={"progress": {**said, "done": done}})


Sign = Callable[[Request], bool]


def with_status(*path: str) -> Sign:
    """Whether a write stores that field of the status."""

    def is_it(request: Request) -> bool:
        found: Any = request.said.get("status", {}) if is_status(request) else {}
        for step in path:
            found = (found or {}).get(step)
        return bool(found)

    return is_it


def numbered(number: int) -> Sign:
    """Whether a write is the one of that number."""
    return lambda request: request.number == number


def creates_ray_job(request: Request) -> bool:
    return request.method == "POST" and request.path.endswith("/rayjobs")


def deletes_ray_job(request: Request) -> bool:
    return request.method == "DELETE" and "/rayjobs/" in request.path


def tells(reason: str) -> Sign:
    """Whether a write is that event."""
    return lambda request: "/events" in request.path and request.said.get("reason") == reason


BEFORE, AFTER = "before", "after"
"""A write. After one and before the next the API server holds the same, and whoever was killed remembers nothing."""
NAMED: list[tuple[str, str, str, Sign]] = [
    (COMPLETE, AFTER, "RayJob", creates_ray_job),
    (COMPLETE, AFTER, "result", with_status("result")),
]
NIGHTLY: list[tuple[str, str, str, Sign]] = [
    (COMPLETE, BEFORE, "1", numbered(1)),
    *[(COMPLETE, AFTER, str(n), numbered(n)) for n in range(1, FEWEST_WRITES + 1)],
    (COMPLETE, BEFORE, "result", with_status("result")),
    *[(COMPLETE, when, "success", tells("Succeeded")) for when in (BEFORE, AFTER)],
    *[(RETRIED, when, "failure", with_status("attempt", "lastFailure")) for when in (BEFORE, AFTER)],
    (RETRIED, AFTER, "failed", tells("AttemptFailed")),
    (RETRIED, AFTER, "retry", tells("RetryScheduled")),
    *[(RETRIED, when, "deletion", deletes_ray_job) for when in (BEFORE, AFTER)],
]


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("name", "when", "sign"),
    [
        pytest.param(name, when, sign, id=f"{name}-{when}-{what}", marks=marks)
        for kills, marks in ((NAMED, ()), (NIGHTLY, pytest.mark.nightly))
        for name, when, what, sign in kills
    ],
)
def test_killed_at_any_write_of_its_life_it_comes_back_and_the_life_ends_alike(
    kubectl: Kubectl, proxy: ApiProxy, namespace: str, tmp_path: Path, name: str, when: str, sign: Sign
) -> None:
    with living(kubectl, proxy, namespace, tmp_path / "log") as (life, statuses):
        harm_once(proxy, when, sign, lambda: life.operator.signal(signal.SIGKILL))
        life.begin()
        life.play(read_life(name))
        life.await_end()
    assert life.deaths == 1
    check_life(life, statuses, ATTEMPTS[name])


def harm_once(proxy: ApiProxy, when: str, sign: Sign, harm: Callable[[], None]) -> None:
    """Do harm at the first write that has the sign, before the server sees it or when it has answered."""
    done = False

    async def strike(request: Request) -> web.StreamResponse | None:
        nonlocal done
        if done or not request.number or not sign(request):
            return None
        done = True
        harm()
        return web.Response(status=502)

    setattr(proxy, when, strike)


def test_a_ray_job_that_is_deleted_while_the_watches_are_down_costs_one_attempt_and_the_job_completes(
    kubectl: Kubectl, proxy: ApiProxy, namespace: str, tmp_path: Path
) -> None:
    steps = read_life(COMPLETE)
    before = until_embedding(steps)
    gone = [step for step in remains(before) if step.kind not in ("RayJob", "ConfigMap")]
    with living(kubectl, proxy, namespace, tmp_path / "log") as (life, statuses):
        life.begin()
        life.play(before)
        proxy.before = be_deaf
        proxy.cut()
        kubectl("delete", "rayjob", f"{NAME}-s1", "-n", namespace, "--wait=false")
        life.play([*gone, Step("RayJob", f"{NAME}-s1")])
        proxy.before = no_harm
        life.play(as_attempt(steps[1:], 2))
        life.await_end()
    check_life(life, statuses, 2)
    assert life.status["attempt"]["lastFailure"]["reason"] == "RayJobDeleted"


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    "sign",
    [
        pytest.param(creates_ray_job, id="RayJob"),
        pytest.param(with_status("attempt", "rayJobUID"), id="recorded", marks=pytest.mark.nightly),
        pytest.param(with_status("attempt", "startedTime"), id="started", marks=pytest.mark.nightly),
        pytest.param(with_status("result"), id="result", marks=pytest.mark.nightly),
    ],
)
def test_a_leader_that_is_paused_at_a_write_past_its_lease_is_replaced_and_changes_nothing_when_it_wakes(
    kubectl: Kubectl, proxy: ApiProxy, api_server: ApiServer, namespace: str, tmp_path: Path, sign: Sign
) -> None:
    (folder := tmp_path / "rival").mkdir()
    with (
        proxied(api_server.kubeconfig, folder) as another,
        living(kubectl, proxy, namespace, tmp_path / "log") as (life, statuses),
        rivalling(life, another, folder / "log") as rival,
    ):
        rival.pause_leader_at(sign)
        life.begin()
        life.play(read_life(COMPLETE))
        life.await_end()
        assert rival.paused.is_set()
        before = versions(kubectl, namespace)
        rival.wake_leader()
        await_that(lambda: not life.operator.is_alive)  # it lost the Lease: another process takes its place
        await_quiet(another)
        assert versions(kubectl, namespace) == before
    check_life(life, statuses, 1, another)


def versions(kubectl: Kubectl, namespace: str) -> set[tuple[str, str]]:
    """The job and its RayJobs as they stand."""
    found = [*kubectl.list("sj", namespace), *kubectl.list("rayjobs", namespace)]
    return {(one["metadata"]["uid"], one["metadata"]["resourceVersion"]) for one in found}


async def be_deaf(request: Request) -> web.StreamResponse | None:
    """Answer every watch that what it asks for is too old."""
    gone = {"kind": "Status", "code": 410, "reason": "Expired", "message": "too old resource version"}
    return web.json_response({"type": "ERROR", "object": gone}) if "watch=" in request.query else None


def until_embedding(steps: list[Step]) -> list[Step]:
    """The beginning of a life, until the driver embeds."""
    place = next(
        n for n, step in enumerate(steps) if step.kind == "ConfigMap" and (step.state or {})["progress"].get("done")
    )
    return steps[: place + 1]


def remains(steps: Iterable[Step]) -> list[Step]:
    """The end of everything that is there after some steps, as garbage collection would have it."""
    last = {(step.kind, step.name): step for step in steps}
    return [Step(step.kind, step.name) for step in last.values() if step.state is not None]
