"""The Kubernetes API as the operator uses it: raw objects in and out through the official asynchronous client."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
from kubernetes.aio import config
from kubernetes.aio.client import ApiClient
from kubernetes.aio.client.exceptions import ApiException
from kubernetes.aio.dynamic.client import DynamicClient
from kubernetes.aio.dynamic.exceptions import ConflictError, ForbiddenError, NotFoundError

from afray_operator.kinds import Kind

Raw = dict[str, Any]
"""An object as JSON."""

MERGE: str = "application/merge-patch+json"
PAGE = 500
REQUEST_SECONDS = 30.0
UNREACHABLE = (aiohttp.ClientError, asyncio.TimeoutError, OSError)
"""What is raised when no answer comes at all."""


@dataclass(frozen=True, slots=True)
class Listing:
    """What was there at a version of the store; later objects are not in it."""

    items: list[Raw]
    version: int


class Api:
    """Reads and writes of namespaced objects. Errors are the client's own: ConflictError, ForbiddenError, ..."""

    def __init__(self, client: ApiClient) -> None:
        self._client = DynamicClient(client)

    async def get(self, kind: Kind, namespace: str, name: str) -> Raw | None:
        """The object, None if there is none."""
        try:
            return await self._request("get", kind.path(namespace, name))
        except NotFoundError:
            return None

    async def list(self, kind: Kind, namespace: str | None, selector: str | None = None) -> Listing:
        """All objects of a namespace (None: of all), read page by page, as they were at one version."""
        path = kind.path(namespace)
        items: list[Raw] = []
        version, going_on = 0, None
        while True:
            answer = await self._request("get", path, label_selector=selector, limit=PAGE, _continue=going_on)
            metadata = answer.get("metadata") or {}
            version = version or int(metadata.get("resourceVersion") or 0)
            items += answer.get("items") or ()
            going_on = metadata.get("continue")
            if not going_on:
                return Listing(items, version)

    async def peek(self, kind: Kind, namespace: str | None) -> None:
        """List one object at most, of a namespace or of all. Raises ForbiddenError where objects may not be listed."""
        await self._request("get", kind.path(namespace), limit=1)

    async def create(self, kind: Kind, body: Mapping[str, Any], *, dry_run: bool = False) -> Raw:
        """Create an object; with `dry_run` the server only says whether it would, unknown fields included."""
        path = kind.path(body["metadata"]["namespace"])
        checks = {"dry_run": "All", "query_params": [("fieldValidation", "Strict")]} if dry_run else {}
        return await self._request("post", path, body=body, **checks)

    async def patch_status(self, kind: Kind, namespace: str, name: str, status: Raw, resource_version: str) -> Raw:
        """Replace what `status` names, if nobody wrote the object since; else ConflictError."""
        path = kind.path(namespace, name) + "/status"
        body = {"metadata": {"resourceVersion": resource_version}, "status": status}
        return await self._request("patch", path, body=body, content_type=MERGE)

    async def replace(self, kind: Kind, body: Mapping[str, Any]) -> Raw:
        """Replace an object that nobody changed since it was read; else ConflictError."""
        metadata = body["metadata"]
        path = kind.path(metadata["namespace"], metadata["name"])
        return await self._request("put", path, body=body)

    async def merge_patch(self, kind: Kind, namespace: str, name: str, patch: Mapping[str, Any]) -> Raw:
        """Merge a patch into an object."""
        path = kind.path(namespace, name)
        return await self._request("patch", path, body=patch, content_type=MERGE)

    async def delete(self, kind: Kind, namespace: str, name: str, *, uid: str) -> None:
        """Delete exactly the object with this uid, dependents in the background; nothing if it is gone."""
        body = {"propagationPolicy": "Background", "preconditions": {"uid": uid}}
        try:
            await self._request("delete", kind.path(namespace, name), body=body)
        except NotFoundError:
            return

    async def offers(self, kind: Kind) -> bool:
        """Whether the server knows the kind."""
        try:
            answer = await self._request("get", kind.group_path)
        except NotFoundError:
            return False
        return any(resource.get("name") == kind.plural for resource in answer.get("resources") or ())

    async def _request(self, method: str, path: str, **parameters: Any) -> Raw:
        answer = await self._client.request(
            method, path, serialize=False, _request_timeout=REQUEST_SECONDS, **parameters
        )
        return json.loads(await answer.read())  # type: ignore[no-any-return]


def say(error: ApiException) -> str:
    """The server's own sentence."""
    try:
        return str(json.loads(error.body or "")["message"])
    except (ValueError, TypeError, KeyError):
        return str(error.reason or error)


@asynccontextmanager
async def connected() -> AsyncIterator[ApiClient]:
    """A client for the cluster that we run in, or the one that KUBECONFIG names."""
    try:
        config.load_incluster_config()
    except config.ConfigException:
        await config.load_kube_config()
    async with ApiClient() as client:
        yield client


__all__ = ["MERGE", "UNREACHABLE", "Api", "ConflictError", "ForbiddenError", "NotFoundError", "Raw", "connected", "say"]
