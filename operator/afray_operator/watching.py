"""What watches tell goes into the cache, and queues the job that it belongs to.

A watch never tells of objects that vanished while it was down, so `resync` lists everything now and then.
"""

from __future__ import annotations

import asyncio
import logging
import sys
import time
from collections.abc import Collection
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final

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
        keys: set[JobKey] = set()
        try:
            for kind in WATCHED:
                listing = await self._listed(kind) if self.around.may_list(kind) else NOTHING
                keys |= self.cache.replace(kind, listing)
        finally:  # once for all kinds, of which a job has several; what a failed listing leaves is told all the same
            for key in keys:
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
