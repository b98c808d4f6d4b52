"""All parts put together: health from the start; cache, watches and workers while this process leads."""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import dataclass

import kopf

from afray_operator.acting import Actor
from afray_operator.api import Api, connected
from afray_operator.cache import Cache, JobKey
from afray_operator.claims import Claims
from afray_operator.health import LoopLag, Signs, make_app, serving
from afray_operator.kopf_watches import make_registry, make_settings
from afray_operator.leader import Leadership
from afray_operator.lease import LeaseSettings
from afray_operator.metrics import OperatorMetrics
from afray_operator.reconcile import Reconciler
from afray_operator.telling import Teller
from afray_operator.watching import Watches
from afray_operator.workqueue import WorkQueue

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorSettings:
    """What an operator is told at its start. No `namespaces`: all of them."""

    lease: LeaseSettings
    claim_seconds: int = 900
    namespaces: tuple[str, ...] = ()
    workers: int = 4
    resync_seconds: float = 300.0
    port: int = 8080


class Stopped(Exception):
    """The process was told to stop while it led."""


async def run_operator(settings: OperatorSettings) -> None:
    """Run until cancelled, or told to stop. Raises LostLease, in a group, if another operator may have taken over."""
    async with connected() as client:
        api = Api(client)
        leadership = Leadership(api, settings.lease)
        queue: WorkQueue[JobKey] = WorkQueue()
        watches = Watches(api=api, cache=Cache(), queue=queue, namespaces=settings.namespaces)
        claims = Claims(watches, leadership, settings.lease.address, settings.claim_seconds)
        metrics = OperatorMetrics(watches, lambda: leadership.is_held, lambda: claims.left)
        lag = LoopLag()
        app = make_app(metrics.registry, make_signs(settings, watches, lag), lambda: leadership.has_answer)
        async with serving(app, settings.port):
            measuring = asyncio.create_task(lag.measure())
            try:
                actor = Actor(api, watches.cache, leadership, metrics)
                teller = Teller(api, leadership, metrics, settings.lease.identity)
                reconciler = Reconciler(watches, claims, actor, teller, metrics)
                await leadership.run(lambda: _lead(settings, watches, claims, reconciler))
            except* Stopped:
                log.info("stopped")
            finally:
                measuring.cancel()
                await leadership.release()


async def _lead(settings: OperatorSettings, watches: Watches, claims: Claims, reconciler: Reconciler) -> None:
    """Know everything first, then watch and work. Ends with the first part that ends: the process starts anew."""
    await watches.first_resync()
    async with asyncio.TaskGroup() as group:
        group.create_task(watches.keep_resyncing(settings.resync_seconds))
        group.create_task(_watch(settings, watches))
        group.create_task(claims.keep())
        for _ in range(settings.workers):
            group.create_task(watches.queue.work(reconciler.reconcile))


async def _watch(settings: OperatorSettings, watches: Watches) -> None:
    await kopf.operator(
        registry=make_registry(watches),
        settings=make_settings(is_namespaced=bool(settings.namespaces)),
        namespaces=watches.readable,
        clusterwide=not settings.namespaces,
        # kopf's own guess asks for the user's name, and the user of a pod has none.
        identity=settings.lease.identity,  # type: ignore[arg-type] # a NewType of str that kopf keeps to itself
    )
    raise Stopped("told to stop")  # kopf listens for signals itself; an error would have been raised


def make_signs(settings: OperatorSettings, watches: Watches, lag: LoopLag) -> Signs:
    """What the health of a running operator is judged by."""

    def resync_age() -> float | None:
        return time.time() - watches.resynced_at if watches.resynced_at else None

    return Signs(
        loop_lag=lambda: lag.seconds,
        oldest_work=lambda: watches.queue.oldest_seconds,
        resync_age=resync_age,
        longest_resync_age=3 * settings.resync_seconds,
    )
