"""Performs what was decided. Every write is checked against the Lease first, and what the server answers is kept."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from kubernetes.aio.client.exceptions import ApiException

from afray_operator import refusing
from afray_operator.api import Api, ConflictError, say
from afray_operator.cache import Cache, JobKey
from afray_operator.decide.actions import (
    Action,
    AskDryRun,
    CreateRayJob,
    DeleteJob,
    DeleteRayJob,
    EnsureAccount,
    EnsureConfigMap,
    EnsureRole,
    EnsureRoleBinding,
    ReadRayJob,
)
from afray_operator.kinds import CONFIG_MAP, RAY_JOB, ROLE, ROLE_BINDING, SELECTION_JOB, SERVICE_ACCOUNT, Kind
from afray_operator.leader import Leadership
from afray_operator.manifests.merging import Manifest
from afray_operator.metrics import OperatorMetrics
from afray_operator.observed import DryRun, Hindrance, Memory, Refusal
from afray_operator.observed.json_access import block, text

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Actor:
    """Writes for the leader."""

    api: Api
    cache: Cache
    leadership: Leadership
    metrics: OperatorMetrics

    async def perform(self, action: Action, key: JobKey, memory: Memory) -> Memory:
        """Do one thing; returns what is known after it, a refusal included.

        Raises LostLease, and the client's errors where no answer came, or one that says nothing of the object.
        """
        match action:
            case AskDryRun(manifest=manifest, digest=digest):
                return replace(memory, dry_run=await self._ask(manifest, digest))
            case ReadRayJob(name=name):
                return await self._read(key, name, memory)
            case CreateRayJob(manifest=manifest):
                return await self._make(RAY_JOB, manifest, key, memory)
            case EnsureConfigMap(manifest=manifest):
                return await self._make(CONFIG_MAP, manifest, key, memory)
            case EnsureAccount(manifest=manifest):
                return await self._make(SERVICE_ACCOUNT, manifest, key, memory)
            case EnsureRole(manifest=manifest):
                return await self._make(ROLE, manifest, key, memory)
            case EnsureRoleBinding(manifest=manifest):
                return await self._make(ROLE_BINDING, manifest, key, memory)
            case DeleteRayJob(name=name, uid=uid):
                return await self._delete(RAY_JOB, key, name, uid, memory)
            case DeleteJob(name=name, uid=uid):
                return await self._delete(SELECTION_JOB, key, name, uid, memory)

    async def patch_status(self, key: JobKey, patch: Mapping[str, Any], resource_version: str) -> bool:
        """Store the status. Raises ConflictError if the object changed since it was read.

        False if nothing of it was kept: a definition that is older than this operator drops fields that it lacks.
        """
        self._about_to_write(SELECTION_JOB, "patch")
        stored = await self.api.patch_status(SELECTION_JOB, key.namespace, key.name, dict(patch), resource_version)
        self.cache.put(SELECTION_JOB, stored)
        is_kept = text(block(stored, "metadata"), "resourceVersion") != resource_version
        if not is_kept:
            log.warning("the CRD of SelectionJob lacks fields of status: apply this version's", extra={"job": key})
        return is_kept

    async def refresh(self, kind: Kind, key: JobKey, name: str) -> bool:
        """Read one object anew into the cache; False if there is none."""
        found = await self.api.get(kind, key.namespace, name)
        if found is None:
            self.cache.drop_named(kind, key, name)
            return False
        self.cache.put(kind, found, key)
        return True

    async def _ask(self, manifest: Mapping[str, Any], digest: str) -> DryRun:
        self.leadership.check()
        asked = datetime.now(UTC)
        try:
            await self.api.create(RAY_JOB, manifest, dry_run=True)
        except ApiException as error:
            hindrance = refusing.hindrance_in(error)
            return DryRun(digest=digest, at=asked, hindrance=hindrance, message=say(error))
        return DryRun(digest=digest, at=asked)

    async def _read(self, key: JobKey, name: str, memory: Memory) -> Memory:
        if await self.refresh(RAY_JOB, key, name):
            return memory
        return replace(memory, missing=memory.missing | {name})

    async def _make(self, kind: Kind, manifest: Manifest, key: JobKey, memory: Memory) -> Memory:
        """Have the object there. One that is there already will do, if it is this job's."""
        name = _name(manifest)
        try:
            hindrance, message = await self._ensure(kind, manifest, key), ""
        except ApiException as error:
            hindrance, message = refusing.hindrance_in(error), say(error)
        if hindrance is None:
            return _repaired(memory, kind, name)
        message = message or refusing.WORDS[hindrance]
        refused = Refusal(kind=kind.kind, name=name, message=message, at=datetime.now(UTC), hindrance=hindrance)
        return replace(memory, refusal=refused)

    async def _ensure(self, kind: Kind, manifest: Manifest, key: JobKey) -> Hindrance | None:
        self._about_to_write(kind, "create")
        try:
            self.cache.put(kind, await self.api.create(kind, manifest), key)
        except ConflictError as conflict:
            return await self._take_over(kind, manifest, key, conflict)
        return None

    async def _take_over(
        self, kind: Kind, manifest: Manifest, key: JobKey, conflict: ConflictError
    ) -> Hindrance | None:
        """What has the name, if it is ours. Nothing of somebody else's is written, nor kept as if it were the job's.

        Raises the conflict if nothing has the name any more.
        """
        name = _name(manifest)
        if kind == RAY_JOB:  # whose it is, the next look sees
            await self.refresh(kind, key, name)
            return None
        found = await self.api.get(kind, key.namespace, name)
        if found is None:
            raise conflict
        if (hindrance := refusing.whose(found, manifest)) is not None:
            return hindrance
        if (wanted := manifest.get("data")) and found.get("data") != wanted:
            self._about_to_write(kind, "patch")
            found = await self.api.merge_patch(kind, key.namespace, name, {"data": wanted})
        self.cache.put(kind, found, key)
        return None

    async def _delete(self, kind: Kind, key: JobKey, name: str, uid: str, memory: Memory) -> Memory:
        self._about_to_write(kind, "delete")
        with suppress(ConflictError):  # another object has the name by now: it shows in the cache
            await self.api.delete(kind, key.namespace, name, uid=uid)
        await self.refresh(kind, key, name)
        return memory

    def _about_to_write(self, kind: Kind, verb: str) -> None:
        self.leadership.check()
        self.metrics.writes.labels(kind.kind, verb).inc()


def _repaired(memory: Memory, kind: Kind, name: str) -> Memory:
    refusal = memory.refusal
    is_over = refusal is not None and (refusal.kind, refusal.name) == (kind.kind, name)
    return replace(memory, refusal=None) if is_over else memory


def _name(manifest: Manifest) -> str:
    return text(block(manifest, "metadata"), "name")
