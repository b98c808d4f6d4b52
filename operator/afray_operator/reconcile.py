"""One job, looked at until there is nothing more to do: observe, decide, act, store the status, tell its events."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

from afray.contract.names import JOB_LABEL
from afray_operator.acting import Actor
from afray_operator.api import ConflictError, NotFoundError, Raw
from afray_operator.cache import JobKey
from afray_operator.claims import Claims
from afray_operator.decide import Decision, decide
from afray_operator.decide.actions import Action
from afray_operator.decide.patching import status_patch
from afray_operator.kinds import CONFIG_MAP, POD, RAY_CLUSTER, RAY_JOB, SELECTION_JOB, WORKLOAD
from afray_operator.metrics import OperatorMetrics
from afray_operator.observed import Memory, Observed, RawObjects, observe
from afray_operator.observed.json_access import texts
from afray_operator.telling import Teller
from afray_operator.watching import Watches

log = logging.getLogger(__name__)

MOST_LOOKS: Final = 12
"""More writes in a row than any job needs; whatever is left waits a moment, so that no job starves the others."""
PAUSE_SECONDS: Final = 1.0


class Reconciler:
    """Reconciles jobs by key."""

    def __init__(
        self, watches: Watches, claims: Claims, actor: Actor, teller: Teller, metrics: OperatorMetrics
    ) -> None:
        self._watches, self._claims = watches, claims
        self._actor, self._teller, self._metrics = actor, teller, metrics
        self._memories: dict[JobKey, Memory] = {}

    async def reconcile(self, key: JobKey) -> None:
        """Bring one job as far as it goes now. Raises the client's errors: the queue tries again."""
        with self._metrics.reconciling():
            if self._watches.cache.job(key) is not None and not await self._claims.hold(key.namespace):
                self._watches.cache.forget_departed(key)  # whose GPU time the other release counts
                return
            await self._check_foreign(key)
            self._memories[key] = replace(self._memories.get(key, Memory()), missing=frozenset())
            for _ in range(MOST_LOOKS):
                raw = self._watches.cache.job(key)
                if raw is None:
                    del self._memories[key]
                    self._watches.cache.forget_departed(key)
                    return
                if self._memories[key].uid != (uid := raw["metadata"]["uid"]):
                    self._memories[key] = Memory(uid=uid)
                decision = await self._look(key, raw)
                if decision is not None:
                    self._sleep_until(key, decision.wake_at)
                    return
            self._watches.queue.add(key, PAUSE_SECONDS)

    async def _look(self, key: JobKey, raw: Raw) -> Decision | None:
        """Look and do what follows; the decision if nothing followed, None if there is more to see."""
        seen = self._observe(key, raw)
        now = datetime.now(UTC)
        decision = decide(seen, now)
        await self._act(key, decision.actions)
        is_stored = await self._store(key, seen, decision, now)
        return None if decision.actions or is_stored else decision

    async def _act(self, key: JobKey, actions: Iterable[Action]) -> None:
        """Perform actions up to the first that is refused: what follows may need it (a RayJob its account)."""
        for action in actions:
            self._claims.check(key.namespace)
            log.info("%s", type(action).__name__, extra={"job": key, "object": getattr(action, "name", "")})
            before = self._memories[key].refusal
            self._memories[key] = await self._actor.perform(action, key, self._memories[key])
            if self._memories[key].refusal not in (None, before):
                return

    def _observe(self, key: JobKey, raw: Raw) -> Observed:
        cache = self._watches.cache
        objects = RawObjects(
            job=raw,
            ray_jobs=cache.objects(RAY_JOB, key),
            ray_clusters=cache.objects(RAY_CLUSTER, key),
            pods=cache.objects(POD, key),
            departed=cache.departed(key),
            config_maps=cache.objects(CONFIG_MAP, key),
            workloads=cache.objects(WORKLOAD, key),
        )
        others = tuple(str(other) for other in sorted(cache.sharing_output(key)))
        return observe(objects, self._watches.offers, replace(self._memories[key], same_output=others))

    async def _store(self, key: JobKey, seen: Observed, decision: Decision, now: datetime) -> bool:
        """Store the status if it changed, then tell what happened. True if there is a new one to look at."""
        patch, is_new = status_patch(seen.status, decision.status), False
        if patch:
            self._claims.check(key.namespace)
            try:
                is_new = await self._actor.patch_status(key, patch, seen.resource_version)
            except ConflictError:  # somebody wrote in between: look again
                await self._actor.refresh(SELECTION_JOB, key, key.name)
                return True
            except NotFoundError:
                if await self._actor.refresh(SELECTION_JOB, key, key.name):
                    raise  # its namespace is gone, and left it behind: nothing can be written there
                return True
            self._metrics.observe_change(seen, decision.status, now)
        self._watches.cache.forget_departed(key, (pod.name for pod in seen.departed))
        for event in decision.events:
            await self._teller.tell(seen.owner, event)
        return is_new

    async def _check_foreign(self, key: JobKey) -> None:
        """A RayJob that is not labelled as this job's has a name that we need, and no watch tells us when it goes."""
        for raw in self._watches.cache.objects(RAY_JOB, key):
            if texts(raw["metadata"], "labels").get(JOB_LABEL) != key.name:
                await self._actor.refresh(RAY_JOB, key, raw["metadata"]["name"])

    def _sleep_until(self, key: JobKey, wake_at: datetime | None) -> None:
        if wake_at is not None:
            self._watches.queue.add(key, max(0.1, (wake_at - datetime.now(UTC)).total_seconds()))
