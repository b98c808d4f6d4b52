"""SelectionJobs of one namespace: read, create, change, delete and watch, through the official client."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Final

from kubernetes.client import CustomObjectsApi, V1DeleteOptions, V1Preconditions
from kubernetes.watch import Watch

from afray.api.job import GROUP, PLURAL, VERSION
from afray.client.answers import Question, answering
from afray.client.connecting import ANSWER_SECONDS, CONNECT_SECONDS, Cluster
from afray.client.records import JobRecord, Raw

FIELD_MANAGER: Final = "afray"
SILENT_SECONDS: Final = 15
"""How long a watch may be silent beyond the time that it was asked to last."""
_TABLE: Final = "application/json;as=Table;g=meta.k8s.io;v=v1"
_MERGE: Final = "application/merge-patch+json"
_PAGE: Final = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One event of a watch; `record` is None for a bookmark, which only moves the version on."""

    version: str
    record: JobRecord | None = None
    deleted: bool = False


class Jobs:
    """The SelectionJobs of a namespace. All methods raise what `answers.fault` makes of the server's answer."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self._api = CustomObjectsApi(cluster.client)
        self._kind: dict[str, Any] = {"group": GROUP, "version": VERSION, "plural": PLURAL}
        self._here: dict[str, Any] = {**self._kind, "namespace": cluster.namespace}

    def get(self, name: str) -> JobRecord:
        """One job; raises JobMissing."""
        with self._answering("get", name):
            found = self._api.get_namespaced_custom_object(**self._here, name=name, **_options())
        return JobRecord.read(_object(found))

    def create(self, body: Raw, *, dry_run: bool) -> JobRecord:
        """Create a job, refusing fields that the CRD does not have; raises JobExists, InvalidManifest.

        With `dry_run` the server checks everything and keeps nothing.
        """
        options = _options(field_validation="Strict", field_manager=FIELD_MANAGER, dry_run="All" if dry_run else None)
        with self._answering("create"):
            created = self._api.create_namespaced_custom_object(**self._here, body=body, **options)
        return JobRecord.read(_object(created))

    def suspend(self, name: str, wanted: bool) -> JobRecord:
        """Set spec.suspend."""
        options = _options(field_manager=FIELD_MANAGER, _content_type=_MERGE)
        body = {"spec": {"suspend": wanted}}
        with self._answering("patch", name):
            changed = self._api.patch_namespaced_custom_object(**self._here, name=name, body=body, **options)
        return JobRecord.read(_object(changed))

    def delete(self, record: JobRecord, *, foreground: bool) -> None:
        """Delete exactly this job; with `foreground` it stays until everything that it owns is gone."""
        policy = "Foreground" if foreground else "Background"
        body = V1DeleteOptions(propagation_policy=policy, preconditions=V1Preconditions(uid=record.uid))
        with self._answering("delete", record.name):
            self._api.delete_namespaced_custom_object(**self._here, name=record.name, body=body, **_options())

    def pages(self, *, everywhere: bool, selector: str | None, table: bool) -> Iterator[Raw]:
        """All jobs of the namespace, or of all, page by page; as a Table of columns and cells, or as they are."""
        following: str | None = None
        while True:
            options = _options(label_selector=selector, limit=_PAGE, _continue=following, _headers=_accept(table))
            with self._answering("list", everywhere=everywhere):
                page = (
                    self._api.list_cluster_custom_object(**self._kind, **options)
                    if everywhere
                    else self._api.list_namespaced_custom_object(**self._here, **options)
                )
            yield _object(page)
            following = _continuation(_object(page))
            if not following:
                return

    def table(self, name: str) -> Raw:
        """One job as a Table of columns and cells."""
        with self._answering("get", name):
            found = self._api.get_namespaced_custom_object(
                **self._here, name=name, **_options(_headers=_accept(table=True))
            )
        return _object(found)

    def watch(self, name: str, version: str, seconds: int) -> Iterator[Change]:
        """What happens to one job after a version, for so many seconds; raises HistoryExpired, ServerUnreachable."""
        options = _options(
            field_selector=f"metadata.name={name}",
            resource_version=version,
            timeout_seconds=seconds,
            allow_watch_bookmarks=True,
            _request_timeout=(CONNECT_SECONDS, seconds + SILENT_SECONDS),
        )
        with self._answering("watch", name):
            for event in Watch().stream(self._api.list_namespaced_custom_object, **self._here, **options):
                if event is not None:
                    yield _change(event["type"], event["object"])

    def _answering(self, verb: str, name: str = "", *, everywhere: bool = False) -> AbstractContextManager[None]:
        namespace = "" if everywhere else self.cluster.namespace
        return answering(
            Question(server=self.cluster.title, verb=verb, resource=PLURAL, namespace=namespace, name=name)
        )


def _options(**given: Any) -> dict[str, Any]:
    """The options that were given, and how long to wait for an answer."""
    return {"_request_timeout": (CONNECT_SECONDS, ANSWER_SECONDS), **{k: v for k, v in given.items() if v is not None}}


def _object(answer: object) -> Raw:
    assert isinstance(answer, dict), "the client parses every answer of JSON"
    return answer


def _continuation(page: Raw) -> str:
    metadata = page.get("metadata")
    return str(metadata.get("continue") or "") if isinstance(metadata, dict) else ""


def _accept(table: bool) -> dict[str, str] | None:
    return {"Accept": _TABLE} if table else None


def _change(kind: str, body: Raw) -> Change:
    if kind == "BOOKMARK":
        metadata = body["metadata"]
        assert isinstance(metadata, dict)
        return Change(version=str(metadata["resourceVersion"]))
    record = JobRecord.read(body)
    return Change(version=record.version, record=record, deleted=kind == "DELETED")
