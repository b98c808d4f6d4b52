"""kopf's part: watch what may change a decision, keep it in the cache, and queue the job that it belongs to.

Only `on.event` handlers: they write nothing to the objects and keep no state in them. kopf never tells of objects that
vanished while a watch was down, so `resync` lists everything now and then.
"""

from __future__ import annotations

import asyncio
import logging
import sys
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final

import kopf
from kubernetes.aio.client.exceptions import ApiException

from afray.contract import names
from afray_operator.api import UNREACHABLE, Api, Listing, say
from afray_operator.cache import Cache, JobKey
from afray_operator.kinds import LABELLED, WATCHED, Kind
from afray_operator.observed import Offers
from afray_operator.surroundings import OutdatedWatches, Surroundings, look_around
from afray_operator.workqueue import WorkQueue

log = logging.getLogger(__name__)

NOTHING: Final = Listing([], sys.maxsize)
"""Of a kind that the API server does not know, or does not show: whatever was there is gone."""

FIRST_PAUSE_SECONDS: Final = 1.0
_SOON: Final = frozenset(
    {HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.INTERNAL_SERVER_ERROR, HTTPStatus.SERVICE_UNAVAILABLE}
)


@dataclass(slots=True, kw_only=True)
class Watches:
    """The cache, and how fresh it is."""

    api: Api
    cache: Cache
    queue: WorkQueue[JobKey]
    namespaces: Collection[str] = ()
    """Namespaces to watch; none: all."""
    told_at: dict[Kind, float] = field(default_factory=dict)
    """When the watch of a kind last told something, in seconds of the epoch."""
    resynced_at: float = 0.0
    """When everything was last listed, in seconds of the epoch; 0 for never."""
    around: Surroundings = field(default_factory=Surroundings)
    """What could be watched then."""

    @property
    def offers(self) -> Offers:
        """What the API server knew when everything was last listed."""
        return self.around.offers

    @property
    def readable(self) -> tuple[str, ...]:
        """The namespaces that are watched; none: all."""
        return tuple(name for name in self.namespaces if name not in self.around.closed)

    async def resync(self) -> None:
        """List every kind, drop what is gone, and queue every job. Raises OutdatedWatches."""
        await self._look_around()
        for kind in WATCHED:
            listing = await self._listed(kind) if self.around.may_list(kind) else NOTHING
            for key in self.cache.replace(kind, listing):
                self.queue.add(key)
        self.resynced_at = time.time()

    async def _look_around(self) -> None:
        around = await look_around(self.api, self.namespaces)
        if self.resynced_at and self._needs_others(around):
            raise OutdatedWatches("what can be watched has changed: rights in a namespace, or the kinds there are")
        self.around = around

    def _needs_others(self, around: Surroundings) -> bool:
        """In named namespaces kopf finds out once what there is; else it sees kinds come and go by itself."""
        if self.namespaces:
            return around != self.around
        return around.may_read_workloads != self.around.may_read_workloads

    async def first_resync(self) -> None:
        """List everything, as soon as the API server answers: it may have started just now, as its CRDs may."""
        while True:
            try:
                return await self.resync()
            except UNREACHABLE as error:
                log.warning("the API server does not answer yet: %s", error)
            except ApiException as error:
                if error.status not in _SOON:
                    raise
                log.warning("the API server is not ready yet: %s", say(error))
            await asyncio.sleep(FIRST_PAUSE_SECONDS)

    async def keep_resyncing(self, seconds: float) -> None:
        """Resync for ever; a failed one is tried again soon."""
        while True:
            await asyncio.sleep(seconds)
            try:
                await self.resync()
            except (ApiException, *UNREACHABLE):
                log.exception("resync failed; the next follows in %.0f s", seconds)

    async def _listed(self, kind: Kind) -> Listing:
        selector = names.JOB_LABEL if kind in LABELLED else None
        parts = [await self.api.list(kind, namespace, selector) for namespace in self.readable or (None,)]
        return Listing([raw for part in parts for raw in part.items], min(part.version for part in parts))

    def saw(self, kind: Kind, event: str | None, raw: dict[str, Any]) -> None:
        """Take one event of a watch."""
        self.told_at[kind] = time.time()
        take = self.cache.drop if event == "DELETED" else self.cache.put
        if (key := take(kind, raw)) is not None:
            self.queue.add(key)


def make_registry(watches: Watches) -> kopf.OperatorRegistry:
    """One handler per watched kind."""
    registry = kopf.OperatorRegistry()
    kopf.on.login(registry=registry)(_log_in)
    for kind in filter(watches.around.may_watch, WATCHED):
        watch = kopf.on.event(
            group=kind.group, version=kind.version, plural=kind.plural, registry=registry, id=kind.plural
        )
        watch(_handler(watches, kind))
    return registry


def _log_in(**known: Any) -> kopf.ConnectionInfo | None:
    """In a pod by its account, whose token changes; elsewhere as kubectl does."""
    return kopf.login_with_service_account(**known) or kopf.login_with_kubeconfig(**known)


def _handler(watches: Watches, kind: Kind) -> Callable[..., Any]:
    async def take(event: kopf.RawEvent, **_: Any) -> None:
        watches.saw(kind, event["type"], dict(event["object"]))

    return take


class _NoDifferences(kopf.DiffBaseStorage):
    """Nobody here asks what changed. kopf would copy every object for it, of whatever depth, at every event."""

    def build(self, **_: object) -> kopf.BodyEssence:
        return kopf.BodyEssence()

    def fetch(self, **_: object) -> None:
        return None

    def store(self, **_: object) -> None:
        return None


def make_settings(*, is_namespaced: bool) -> kopf.OperatorSettings:
    """kopf without what writes to objects, elects by itself, or waits for a person."""
    settings = kopf.OperatorSettings()
    settings.peering.standalone = True
    settings.posting.enabled = False
    settings.scanning.disabled = is_namespaced  # it needs to list namespaces and CRDs
    settings.persistence.progress_storage = kopf.AnnotationsProgressStorage(prefix=names.GROUP)
    settings.persistence.diffbase_storage = _NoDifferences()
    settings.watching.chunk_size = 500
    for kind in WATCHED:
        if kind in LABELLED:
            settings.watching.label_selectors[(kind.group, kind.plural)] = names.JOB_LABEL
    return settings
