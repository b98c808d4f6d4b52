"""The Lease that says who leads, and the rule by which it changes hands. Own code: the client's lock cannot create one.

Clocks of other machines are not trusted: a Lease is free when it did not change for its duration by our own clock.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from afray_operator.api import Api, ConflictError, Raw
from afray_operator.kinds import LEASE


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseSettings:
    """Where the Lease is, who asks for it, and its times in seconds."""

    name: str
    namespace: str
    identity: str
    duration: int = 15
    renew_deadline: int = 10
    retry_period: int = 2

    @property
    def address(self) -> str:
        """The same for all who ask for it."""
        return f"{self.namespace}/{self.name}"


def is_free(spec: Raw, identity: str, unchanged_seconds: float, duration: int) -> bool:
    """Whether `identity` may take a Lease that has not changed for so long. `duration` is for one that names none."""
    if (spec.get("holderIdentity") or "") in ("", identity):
        return True
    return unchanged_seconds >= (spec.get("leaseDurationSeconds") or duration)


class Lease:
    """One candidate's view of the Lease."""

    def __init__(self, api: Api, settings: LeaseSettings, clock: Callable[[], float] = time.monotonic) -> None:
        self._api, self._settings, self._clock = api, settings, clock
        self._seen: Raw = {}
        self._seen_at = float("-inf")
        self.held_until: float = float("-inf")
        """By our clock; until then nobody else can hold it."""

    @property
    def holder(self) -> str:
        """Who held it when it was last read, "" for nobody."""
        return self._seen.get("holderIdentity") or ""

    @property
    def is_taken(self) -> bool:
        """Whether somebody else holds it, by what was last read and the time since."""
        return not self._may_take(self._seen)

    async def try_hold(self) -> bool:
        """Take or renew the Lease. False if somebody else holds it or was faster; raises the client's errors."""
        asked = self._clock()  # before the request: the server may take it at any time after
        lease = await self._api.get(LEASE, self._settings.namespace, self._settings.name)
        spec = (lease or {}).get("spec") or {}
        if spec != self._seen:
            self._seen, self._seen_at = spec, asked
        if not self._may_take(spec):
            return False
        try:
            await self._write(lease, self._held(spec))
        except ConflictError:
            return False
        self.held_until = asked + self._settings.duration
        return True

    async def release(self) -> None:
        """Hand it on, so that the next leader need not wait for it to run out."""
        self.held_until = float("-inf")
        lease = await self._api.get(LEASE, self._settings.namespace, self._settings.name)
        spec = (lease or {}).get("spec") or {}
        if spec.get("holderIdentity") == self._settings.identity:
            await self._write(lease, {**spec, "holderIdentity": "", "leaseDurationSeconds": 1})

    def _may_take(self, spec: Raw) -> bool:
        return is_free(spec, self._settings.identity, self._clock() - self._seen_at, self._settings.duration)

    def _held(self, before: Raw) -> dict[str, Any]:
        now = datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
        is_renewed = before.get("holderIdentity") == self._settings.identity
        return {
            "holderIdentity": self._settings.identity,
            "leaseDurationSeconds": self._settings.duration,
            "acquireTime": before.get("acquireTime", now) if is_renewed else now,
            "renewTime": now,
            "leaseTransitions": (before.get("leaseTransitions") or 0) + (not is_renewed),
        }

    async def _write(self, lease: Raw | None, spec: dict[str, Any]) -> None:
        if lease is not None:
            await self._api.replace(LEASE, {**lease, "spec": spec})
            return
        metadata = {"name": self._settings.name, "namespace": self._settings.namespace}
        body = {"apiVersion": LEASE.api_version, "kind": LEASE.kind, "metadata": metadata, "spec": spec}
        await self._api.create(LEASE, body)


__all__: Final = ["Lease", "LeaseSettings", "is_free"]
