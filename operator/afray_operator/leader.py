"""Only one operator writes: the holder of a Lease. Whoever loses it stops at once, and a stopped one hands it on."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from kubernetes.aio.client.exceptions import ApiException

from afray_operator.api import UNREACHABLE, Api, say
from afray_operator.lease import Lease, LeaseSettings

log = logging.getLogger(__name__)


PARTING_SECONDS = 3.0
"""How long tasks may take to end once they are cancelled."""


class LostLease(RuntimeError):
    """Another operator may lead by now: whatever this one was about to write must not be written."""


class Leadership:
    """Runs `lead` while this process holds the Lease."""

    def __init__(self, api: Api, settings: LeaseSettings) -> None:
        self._settings = settings
        self._lease = Lease(api, settings)
        self.has_answer = False
        """Whether the API server ever told who leads: this process reaches it, and may read and write the Lease."""

    @property
    def is_held(self) -> bool:
        """Whether nobody else can hold the Lease yet; true to the clock even after this process was stopped a while."""
        return time.monotonic() < self._lease.held_until

    def check(self) -> None:
        """Call before every write. Raises LostLease."""
        if not self.is_held:
            raise LostLease(f"lease {self._settings.address} was not renewed in time")

    async def run(self, lead: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Wait for the Lease, then lead until it is lost or `lead` ends. Raises LostLease, and what `lead` raises."""
        while not await self._try_hold():
            await asyncio.sleep(self._settings.retry_period)
        log.info("leading", extra={"identity": self._settings.identity})
        tasks = {asyncio.create_task(self._renew()), asyncio.create_task(lead())}
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks, timeout=PARTING_SECONDS)  # not for ever: another may lead by now
        for task in done:
            task.result()

    async def release(self) -> None:
        """Hand the Lease on; if that fails it runs out by itself."""
        if self.is_held:
            await self._bounded(self._lease.release())

    async def _renew(self) -> None:
        """Renew for ever. Raises LostLease once it was not possible for too long."""
        while True:
            await asyncio.sleep(self._settings.retry_period)
            deadline = self._lease.held_until - self._settings.duration + self._settings.renew_deadline
            if not await self._try_hold() and time.monotonic() >= deadline:
                raise LostLease(f"the lease could not be renewed for {self._settings.renew_deadline} s")

    async def _try_hold(self) -> bool:
        is_held = await self._bounded(self._lease.try_hold())
        self.has_answer = self.has_answer or is_held is not None
        return bool(is_held)

    async def _bounded(self, asking: Awaitable[bool | None]) -> bool | None:
        """What was asked, None if the server refuses, hangs or cannot be reached."""
        try:
            return await asyncio.wait_for(asking, self._settings.retry_period * 2)
        except (ApiException, *UNREACHABLE) as error:
            log.warning("lease: %s", say(error) if isinstance(error, ApiException) else repr(error))
            return None
