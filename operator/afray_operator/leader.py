"""Only one operator writes: the holder of a Lease. Whoever loses it stops at once, and a stopped one hands it on."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from kubernetes.aio.client import ApiClient
from kubernetes.aio.client.exceptions import ApiException
from kubernetes.aio.leaderelection.electionconfig import Config
from kubernetes.aio.leaderelection.leaderelection import LeaderElection
from kubernetes.aio.leaderelection.leaderelectionrecord import LeaderElectionRecord
from kubernetes.aio.leaderelection.resourcelock.leaselock import LeaseLock

from afray_operator.api import UNREACHABLE

log = logging.getLogger(__name__)


class LostLease(RuntimeError):
    """Another operator may lead by now: whatever this one was about to write must not be written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseSettings:
    """Where the Lease is, who asks for it, and its times in seconds."""

    name: str
    namespace: str
    identity: str
    duration: float = 15.0
    renew_deadline: float = 10.0
    retry_period: float = 2.0


class _Lock(LeaseLock):
    """The client's lock, which knows by the monotonic clock until when it holds, and survives a silent server."""

    def __init__(self, settings: LeaseSettings, client: ApiClient) -> None:
        super().__init__(settings.name, settings.namespace, settings.identity, client)
        self._settings = settings
        self.held_until = float("-inf")

    async def get(
        self, name: str, namespace: str
    ) -> tuple[bool, LeaderElectionRecord] | tuple[bool, Exception] | tuple[bool, None]:
        try:
            return await asyncio.wait_for(super().get(name, namespace), self._settings.retry_period * 2)
        except UNREACHABLE as error:
            return False, ApiException(status=0, reason=str(error) or type(error).__name__)

    async def create(self, name: str, namespace: str, election_record: LeaderElectionRecord) -> bool:
        return await self._write(super().create(name, namespace, election_record))

    async def update(self, name: str, namespace: str, updated_record: LeaderElectionRecord) -> bool:
        return await self._write(super().update(name, namespace, updated_record))

    async def _write(self, writing: Awaitable[bool]) -> bool:
        asked = time.monotonic()  # before the request: the server may have taken it at any time after
        try:
            written = await asyncio.wait_for(writing, self._settings.retry_period * 2)
        except UNREACHABLE:
            return False
        if written:
            self.held_until = asked + self._settings.duration
        return written


class Leadership:
    """Runs `lead` while this process holds the Lease."""

    def __init__(self, client: ApiClient, settings: LeaseSettings) -> None:
        self._settings = settings
        self._lock = _Lock(settings, client)

    @property
    def is_held(self) -> bool:
        """Whether nobody else can hold the Lease yet; true to the clock even after this process was stopped a while."""
        return time.monotonic() < self._lock.held_until

    def check(self) -> None:
        """Call before every write. Raises LostLease."""
        if not self.is_held:
            raise LostLease(f"lease {self._settings.namespace}/{self._settings.name} was not renewed in time")

    async def run(self, lead: Callable[[], Awaitable[None]]) -> None:
        """Wait for the Lease, then lead until it is lost or `lead` returns. Raises what `lead` raises."""
        started: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        async def begin() -> None:
            started.set_result(None)

        election = asyncio.create_task(LeaderElection(self._config(begin)).run())
        try:
            await _first_of(started, election)
            log.info("leading", extra={"identity": self._settings.identity})
            await _first_of(asyncio.ensure_future(lead()), election)
            if election.done():
                raise LostLease("the lease could not be renewed")
        finally:
            election.cancel()
            await asyncio.gather(election, return_exceptions=True)

    def _config(self, begin: Callable[[], Coroutine[Any, Any, None]]) -> Config:
        async def end() -> None:
            return None

        settings = self._settings
        return Config(self._lock, settings.duration, settings.renew_deadline, settings.retry_period, begin, end)

    async def release(self) -> None:
        """Hand the Lease on, so that the next leader need not wait for it to run out."""
        lease = self._lock.lease_reference
        if not self.is_held or lease is None or lease.spec is None:
            return
        lease.spec.holder_identity = None
        self._lock.held_until = float("-inf")
        try:
            await asyncio.wait_for(
                self._lock.api_instance.replace_namespaced_lease(self._settings.name, self._settings.namespace, lease),
                self._settings.retry_period * 2,
            )
        except (ApiException, *UNREACHABLE) as error:
            log.warning("lease not released: %s", error)


async def _first_of(*tasks: asyncio.Future[None]) -> None:
    """Wait for any of them; raises its error. Cancels none but what was still to do when we are cancelled."""
    done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in done:
        task.result()
