"""One SelectionJob on an API server alone: a real operator, and all others played from a recorded life."""

from __future__ import annotations

import asyncio
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from helpers.api_proxy import ApiProxy, Request
from helpers.operator_process import OperatorProcess, await_that
from helpers.playing_controllers import Controllers
from helpers.recorded_lives import Step
from testbed import small_jobs
from testbed.kubectl import Kubectl
from testbed.recording import Recording, recorded

NAME = "small"
"""Of the job in every recorded life."""
IMPATIENT = ("--lease-duration=3", "--renew-deadline=2", "--retry-period=1", "--resync-seconds=10")
QUIET_SECONDS = 0.25
"""Longer than kopf holds an event back and a job is looked at: the operator has seen a step, and done what follows."""
END_SECONDS = 60.0


def options(namespace: str) -> tuple[str, ...]:
    """Of an operator for one namespace, with a Lease there."""
    return (*IMPATIENT, f"--namespace={namespace}", f"--lease={namespace}/afray")


@dataclass(slots=True)
class PlayedLife:
    """A life that goes on. Its operator comes back when it was killed, as a Deployment sees to it."""

    kubectl: Kubectl
    proxy: ApiProxy
    namespace: str
    log: Path
    operator: OperatorProcess
    controllers: Controllers = field(init=False)
    deaths: int = 0

    def __post_init__(self) -> None:
        self.controllers = Controllers.of(self.kubectl.kubeconfig, self.namespace, self.look_after_operator)

    def look_after_operator(self) -> None:
        """Start it again if it is dead, and wait until it is quiet."""
        if not self.operator.is_alive:
            self.deaths += 1
            self.operator = start_operator(self.proxy, self.namespace, self.log)
        await_quiet(self.proxy)

    def begin(self) -> None:
        """Apply the job."""
        job = small_jobs.make_job("bucket", NAME)
        job["metadata"]["namespace"] = self.namespace
        self.kubectl.apply(job)

    def play(self, steps: Iterable[Step]) -> None:
        """Let the others do what they did."""
        self.controllers.play(steps)

    @property
    def status(self) -> dict[str, Any]:
        """The job's."""
        found: dict[str, Any] = self.kubectl.get("sj", NAME, self.namespace).get("status") or {}
        return found

    def await_end(self) -> None:
        """Wait until the job is complete and the operator has said everything about it."""

        def has_ended() -> bool:
            self.controllers.meanwhile()
            return self.status.get("phase") == "Succeeded"

        await_that(has_ended, END_SECONDS)
        self.controllers.meanwhile()


def start_operator(proxy: ApiProxy, namespace: str, log: Path) -> OperatorProcess:
    """Start an operator and wait until it leads."""
    operator = OperatorProcess.start(proxy.kubeconfig, *options(namespace), log=log)
    operator.await_leading()
    return operator


def await_quiet(proxy: ApiProxy) -> None:
    """Wait until nothing is written for a moment."""
    while True:
        before = len(proxy.writes)
        time.sleep(QUIET_SECONDS)
        if len(proxy.writes) == before:
            return


@contextmanager
def living(kubectl: Kubectl, proxy: ApiProxy, namespace: str, log: Path) -> Iterator[tuple[PlayedLife, Recording]]:
    """A life, not begun, and every status that its job will have had."""
    life = PlayedLife(kubectl, proxy, namespace, log, start_operator(proxy, namespace, log))
    try:
        with recorded(kubectl, namespace, ["selectionjobs.afray.dev"]) as statuses:
            yield life, statuses
    finally:
        life.operator.stop()


@dataclass(slots=True)
class Rival:
    """Another operator, with a proxy of its own. It takes a life over when the leader is paused at a write."""

    life: PlayedLife
    proxy: ApiProxy
    operator: OperatorProcess
    paused: threading.Event = field(default_factory=threading.Event)
    released: threading.Event = field(default_factory=threading.Event)

    def pause_leader_at(self, sign: Callable[[Request], bool]) -> None:
        """Stop the leader's process at the first write that has the sign; the write stays on its way."""
        leader = self.life.operator

        async def hold(request: Request) -> None:
            if request.number and sign(request) and not self.paused.is_set():
                leader.signal(signal.SIGSTOP)
                self.paused.set()
                while not self.released.is_set():
                    await asyncio.sleep(0.05)

        self.life.proxy.before = hold
        self.life.controllers = replace(self.life.controllers, meanwhile=self._look_after)

    def _look_after(self) -> None:
        """Wait for the rival, once the leader is paused, until it has done what is to be done."""
        if self.paused.is_set():
            self.operator.await_leading()
        await_quiet(self.proxy if self.paused.is_set() else self.life.proxy)

    def wake_leader(self) -> None:
        """Let its write arrive, late, and the process go on."""
        self.released.set()
        self.life.operator.signal(signal.SIGCONT)


@contextmanager
def rivalling(life: PlayedLife, proxy: ApiProxy, log: Path) -> Iterator[Rival]:
    """A second operator beside that of a life."""
    rival = Rival(life, proxy, OperatorProcess.start(proxy.kubeconfig, *options(life.namespace), log=log))
    try:
        yield rival
    finally:
        rival.wake_leader()
        rival.operator.stop()


def is_status(request: Request) -> bool:
    """Whether a write is one of a job's status."""
    return request.method == "PATCH" and request.path.endswith("/status")


def is_mere_progress(request: Request) -> bool:
    """Whether a write tells only that a stage gets on; a new stage or step is more, as is a driver that takes over."""
    status = request.said.get("status", {}) if is_status(request) else {}
    return set(status) == {"progress"} and not {"stage", "step", "attempt", "epoch"} & set(status["progress"])
