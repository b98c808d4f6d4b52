"""The API as the operator uses it, over a few objects in memory; a test says what it refuses or never answers."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from typing import Any

from afray_operator.api import Api, ConflictError, Listing, Raw
from afray_operator.kinds import WATCHED, Kind
from helpers.operator_world import merge_patch
from kubernetes.aio.client.exceptions import ApiException
from kubernetes.aio.dynamic.exceptions import api_exception


def refused(status: int, said: str) -> Exception:
    """An answer that is none, with the server's sentence."""
    error: Exception = api_exception(ApiException(status=status, reason="No", body=json.dumps({"message": said})))
    return error


def forbidden(said: str) -> Exception:
    """The answer to what one may not do."""
    return refused(403, said)


class SmallApi(Api):
    """`errors` stand in for answers: by verb, kind and namespace, where "" means all namespaces at once."""

    def __init__(self, known: Collection[Kind] = WATCHED) -> None:
        self.known = set(known)
        self.objects: dict[tuple[Kind, str, str], Raw] = {}
        self.errors: dict[tuple[str, Kind, str], Exception] = {}
        self.drops: set[str] = set()
        """Fields of a status that the definition does not have."""

    def _ask(self, verb: str, kind: Kind, namespace: str | None) -> None:
        if (error := self.errors.get((verb, kind, namespace or ""))) is not None:
            raise error

    async def get(self, kind: Kind, namespace: str, name: str) -> Raw | None:
        self._ask("get", kind, namespace)
        return self.objects.get((kind, namespace, name))

    async def list(self, kind: Kind, namespace: str | None, selector: str | None = None) -> Listing:
        self._ask("list", kind, namespace)
        found = [raw for (of, within, _), raw in self.objects.items() if of == kind and namespace in (None, within)]
        return Listing(found, 1)

    async def peek(self, kind: Kind, namespace: str | None) -> None:
        self._ask("list", kind, namespace)

    async def offers(self, kind: Kind) -> bool:
        return kind in self.known

    async def create(self, kind: Kind, body: Mapping[str, Any], *, dry_run: bool = False) -> Raw:
        namespace, name = body["metadata"]["namespace"], body["metadata"]["name"]
        self._ask("create", kind, namespace)
        if (kind, namespace, name) in self.objects:
            raise ConflictError(ApiException(status=409))
        made = {**body, "metadata": {**body["metadata"], "uid": f"uid-{len(self.objects)}-of-{name}"}}
        if not dry_run:
            self.objects[kind, namespace, name] = made
        return made

    async def replace(self, kind: Kind, body: Mapping[str, Any]) -> Raw:
        namespace, name = body["metadata"]["namespace"], body["metadata"]["name"]
        self._ask("update", kind, namespace)
        self.objects[kind, namespace, name] = dict(body)
        return dict(body)

    async def merge_patch(self, kind: Kind, namespace: str, name: str, patch: Mapping[str, Any]) -> Raw:
        self._ask("patch", kind, namespace)
        held = self.objects[kind, namespace, name]
        patched = merge_patch(held, patch)
        if patched != held:
            version = int(held["metadata"].get("resourceVersion", "1")) + 1
            patched = merge_patch(patched, {"metadata": {"resourceVersion": str(version)}})
        self.objects[kind, namespace, name] = patched
        return patched

    async def patch_status(self, kind: Kind, namespace: str, name: str, status: Raw, resource_version: str) -> Raw:
        status = {field: value for field, value in status.items() if field not in self.drops}
        return await self.merge_patch(kind, namespace, name, {"status": status})

    async def delete(self, kind: Kind, namespace: str, name: str, *, uid: str) -> None:
        self._ask("delete", kind, namespace)
        held = self.objects.get((kind, namespace, name))
        if held is not None and held["metadata"].get("uid") == uid:
            del self.objects[kind, namespace, name]
