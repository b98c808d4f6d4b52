"""Performs what was decided. Every write is checked against the Lease first, and what the server answers is kept."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, Final

from kubernetes.aio.client.exceptions import ApiException

from afray_operator.api import Api, ConflictError, Raw, say
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
from afray_operator.metrics import OperatorMetrics
from afray_operator.observed import DryRun, Memory, Refusal

_FINAL: Final = frozenset(
    {HTTPStatus.BAD_REQUEST, HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND, HTTPStatus.UNPROCESSABLE_ENTITY,
     HTTPStatus.REQUEST_ENTITY_TOO_LARGE}
)  # fmt: skip
"""Answers that trying again at once will not change; all others are raised, and the job waits its turn."""


@dataclass(frozen=True, slots=True)
class Actor:
    """Writes for the leader."""

    api: Api
    cache: Cache
    leadership: Leadership
    metrics: OperatorMetrics

    async def perform(self, action: Action, key: JobKey, memory: Memory) -> Memory:
        """Do one thing; returns what is known after it.

        Raises LostLease, and the client's errors where another try may help.
        """
        match action:
            case AskDryRun(manifest=manifest, digest=digest):
                return replace(memory, dry_run=await self._ask(manifest, digest))
            case ReadRayJob(name=name):
                return await self._read(key, name, memory)
            case CreateRayJob(manifest=manifest):
                return await self._create(RAY_JOB, manifest, key, memory)
            case EnsureConfigMap(manifest=manifest):
                return await self._ensure_config_map(manifest, key, memory)
            case EnsureAccount(manifest=manifest):
                return await self._create(SERVICE_ACCOUNT, manifest, key, memory)
            case EnsureRole(manifest=manifest):
                return await self._create(ROLE, manifest, key, memory)
            case EnsureRoleBinding(manifest=manifest):
                return await self._create(ROLE_BINDING, manifest, key, memory)
            case DeleteRayJob(name=name, uid=uid):
                return await self._delete(RAY_JOB, key, name, uid, memory)
            case DeleteJob(name=name, uid=uid):
                return await self._delete(SELECTION_JOB, key, name, uid, memory)

    async def patch_status(self, key: JobKey, patch: Mapping[str, Any], resource_version: str) -> None:
        """Store the status. Raises ConflictError if the object changed since it was read."""
        self._about_to_write(SELECTION_JOB, "patch")
        stored = await self.api.patch_status(SELECTION_JOB, key.namespace, key.name, dict(patch), resource_version)
        self.cache.put(SELECTION_JOB, stored)

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
            if error.status not in _FINAL:
                raise
            is_forbidden = error.status == HTTPStatus.FORBIDDEN
            return DryRun(digest=digest, at=asked, is_accepted=False, is_forbidden=is_forbidden, message=say(error))
        return DryRun(digest=digest, at=asked, is_accepted=True)

    async def _read(self, key: JobKey, name: str, memory: Memory) -> Memory:
        if await self.refresh(RAY_JOB, key, name):
            return memory
        return replace(memory, missing=memory.missing | {name})

    async def _create(self, kind: Kind, manifest: Mapping[str, Any], key: JobKey, memory: Memory) -> Memory:
        """What is there already counts as created; whose it is, the next look sees."""
        name = manifest["metadata"]["name"]
        self._about_to_write(kind, "create")
        try:
            self.cache.put(kind, await self.api.create(kind, manifest), key)
        except ConflictError:
            await self.refresh(kind, key, name)
        except ApiException as error:
            if error.status not in _FINAL:
                raise
            refusal = Refusal(kind=kind.kind, name=name, message=say(error), at=datetime.now(UTC))
            return replace(memory, refusal=refusal)
        return _repaired(memory, kind, name)

    async def _ensure_config_map(self, manifest: Mapping[str, Any], key: JobKey, memory: Memory) -> Memory:
        memory = await self._create(CONFIG_MAP, manifest, key, memory)
        held = self.cache.named(CONFIG_MAP, key, manifest["metadata"]["name"])
        if held is None or not (wanted := manifest.get("data")) or held.get("data") == wanted:
            return memory
        patch = {"metadata": {"ownerReferences": manifest["metadata"]["ownerReferences"]}, "data": wanted}
        self._about_to_write(CONFIG_MAP, "patch")
        self.cache.put(CONFIG_MAP, await self.api.merge_patch(CONFIG_MAP, key.namespace, _name(held), patch), key)
        return memory

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


def _name(raw: Raw) -> str:
    return str(raw["metadata"]["name"])
