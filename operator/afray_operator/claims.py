"""One release serves a namespace: the one that holds the claim, a Lease there. Two would work on the same jobs.

    ours       worked on, and renewed while the namespace has jobs
    theirs     left alone until the claim of the other release runs out or is deleted
    unguarded  Leases may not be read or written there: worked on, as if there were no other release

A claim counts by our own clock, so that a process which was paused does not act on one that ran out.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from kubernetes.aio.client.exceptions import ApiException

from afray_operator import standing
from afray_operator.api import UNREACHABLE, ForbiddenError, say
from afray_operator.leader import Leadership
from afray_operator.lease import Lease, LeaseSettings
from afray_operator.standing import Standing
from afray_operator.watching import Watches

log = logging.getLogger(__name__)

LOOKS: Final = 15
"""At claims, in the time that one lasts."""
MOST_TRIES: Final = 3


class LostClaim(RuntimeError):
    """Another release may serve the namespace by now: nothing more is done to the job until that is known."""


class ContendedClaim(RuntimeError):
    """Somebody else wrote the claim each time that we were about to."""


@dataclass(slots=True)
class _Claim:
    """What is known of one namespace."""

    namespace: str
    lease: Lease
    standing: Standing | None = None
    answered_at: float = float("-inf")
    warning: str = ""
    """What was told last, so that it is told once."""
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


class Claims:
    """Those of a release that this process leads, in seconds of `duration`."""

    def __init__(
        self,
        watches: Watches,
        leadership: Leadership,
        release: str,
        duration: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._watches, self._leadership = watches, leadership
        self._release, self._duration, self._clock = release, duration, clock
        self._claims: dict[str, _Claim] = {}

    @property
    def left(self) -> frozenset[str]:
        """Namespaces with jobs that another release serves."""
        return self._with_jobs().intersection(
            one.namespace for one in self._claims.values() if one.standing is Standing.theirs
        )

    async def hold(self, namespace: str) -> bool:
        """Whether its jobs may be worked on. Asks only if that is not known; raises the client's errors."""
        claim = self._claims.get(namespace) or self._new(namespace)
        if not self._is_settled(claim):
            async with claim.lock:
                if not self._is_settled(claim):  # by whoever asked meanwhile
                    await self._ask(claim)
        return self._is_held(claim)

    def check(self, namespace: str) -> None:
        """Call before every action. Raises LostClaim."""
        if not self._is_held(self._claims[namespace]):
            raise LostClaim(f"the claim on namespace {namespace} was not renewed in time")

    async def keep(self) -> None:
        """Look after all claims for ever."""
        while True:
            await asyncio.sleep(self._duration / LOOKS)
            await self.look_after()

    async def look_after(self) -> None:
        """Renew what is ours, and take what was left to others if it is free by now, wherever there are jobs."""
        for namespace in self._with_jobs() & self._claims.keys():
            claim = self._claims[namespace]
            if standing.is_due(claim.standing, self._clock() - claim.answered_at, self._duration):
                was_theirs = claim.standing is Standing.theirs
                await self._try_ask(claim)
                if was_theirs and claim.standing is not Standing.theirs:
                    self._queue_jobs(namespace)

    async def _try_ask(self, claim: _Claim) -> None:
        try:
            async with claim.lock:
                await self._ask(claim)
        except (ApiException, ContendedClaim, *UNREACHABLE) as error:
            reason = say(error) if isinstance(error, ApiException) else repr(error)
            log.warning("claim on namespace %s: %s", claim.namespace, reason)

    async def _ask(self, claim: _Claim) -> None:
        asked, before, holder = self._clock(), claim.standing, claim.lease.holder
        try:
            claim.standing = await self._find_standing(claim.lease)
        except ForbiddenError as error:
            if not claim.lease.is_taken:  # else what was read there before still holds
                claim.standing = Standing.unguarded
                self._warn(claim, standing.say_unguarded(claim.namespace, say(error)))
        else:
            self._tell(claim, before, holder)
        claim.answered_at = asked

    async def _find_standing(self, lease: Lease) -> Standing:
        for _ in range(MOST_TRIES):
            self._leadership.check()
            if await lease.try_hold():
                return Standing.ours
            if lease.is_taken:
                return Standing.theirs
        raise ContendedClaim(f"written by somebody else {MOST_TRIES} times in a row")

    def _tell(self, claim: _Claim, before: Standing | None, holder: str) -> None:
        last = claim.lease.holder
        if claim.standing is Standing.theirs:
            self._warn(claim, standing.say_theirs(claim.namespace, last, self._duration))
            return
        claim.warning = ""
        if last not in ("", self._release):
            log.info("namespace %s is taken over: the claim of %s ran out", claim.namespace, last)
        elif before is Standing.theirs:
            log.info("namespace %s is taken over: the claim of %s was deleted", claim.namespace, holder)

    def _warn(self, claim: _Claim, warning: str) -> None:
        if warning != claim.warning:
            log.warning("%s", warning)
            claim.warning = warning

    def _is_held(self, claim: _Claim) -> bool:
        return standing.is_held(claim.standing, claim.lease.held_until - self._clock(), self._duration)

    def _is_settled(self, claim: _Claim) -> bool:
        return claim.standing is Standing.theirs or self._is_held(claim)

    def _new(self, namespace: str) -> _Claim:
        settings = LeaseSettings(
            name=standing.CLAIM, namespace=namespace, identity=self._release, duration=self._duration
        )
        claim = _Claim(namespace, Lease(self._watches.api, settings, self._clock))
        self._claims[namespace] = claim
        return claim

    def _with_jobs(self) -> frozenset[str]:
        return frozenset(key.namespace for key in self._watches.cache.job_keys())

    def _queue_jobs(self, namespace: str) -> None:
        for key in self._watches.cache.job_keys():
            if key.namespace == namespace:
                self._watches.queue.add(key)
