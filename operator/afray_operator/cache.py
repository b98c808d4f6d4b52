"""What the watches have told, per SelectionJob. Newer versions win, so a late event never hides our own write."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from afray.contract import names, progress
from afray_operator.api import Listing, Raw
from afray_operator.kinds import CONFIG_MAP, POD, RAY_CLUSTER, RAY_JOB, SELECTION_JOB, WORKLOAD, Kind
from afray_operator.manifests import templates
from afray_operator.observed.json_access import block, entries, moment, text, texts

_UNREAD: Final = {
    RAY_JOB: ("entrypoint", "rayClusterSpec", "submitterPodTemplate"),
    RAY_CLUSTER: ("headGroupSpec", "workerGroupSpecs"),
    WORKLOAD: ("podSets",),
    POD: ("volumes", "tolerations", "affinity"),
}
"""Parts of a spec that nobody decides by; a thousand jobs would keep a thousand copies."""
_READ_OF_CONTAINERS: Final = ("name", "resources")
_READ_TEXTS: Final = (progress.KEY, templates.KEY)
"""Of a ConfigMap; whatever else somebody put there is not ours."""
LONGEST_TEXT: Final = 2**16
"""Characters of a ConfigMap's text that are kept: more than anything of ours has, so one that is cut is unreadable."""


@dataclass(frozen=True, slots=True, order=True)
class JobKey:
    """A SelectionJob's namespace and name."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


def owner_of(kind: Kind, raw: Mapping[str, Any]) -> JobKey | None:
    """The SelectionJob that an object belongs to; None if to none of ours."""
    metadata = block(raw, "metadata")
    if kind == SELECTION_JOB:
        name: str | None = text(metadata, "name")
    elif kind == WORKLOAD:
        owners = (owner for owner in entries(metadata, "ownerReferences") if owner.get("kind") == RAY_JOB.kind)
        name = next(filter(None, (names.job_of_rayjob(text(owner, "name")) for owner in owners)), None)
    else:
        name = texts(metadata, "labels").get(names.JOB_LABEL)
    return JobKey(text(metadata, "namespace"), name) if name else None


class Cache:
    """Raw objects by kind and job."""

    def __init__(self) -> None:
        self._objects: dict[tuple[Kind, JobKey], dict[str, Raw]] = defaultdict(dict)
        self._gone: dict[str, None] = {}
        self._departed: dict[JobKey, dict[str, Raw]] = {}
        self._output_of: dict[JobKey, str] = {}
        self._by_output: dict[str, set[JobKey]] = defaultdict(set)

    def put(self, kind: Kind, raw: Raw, key: JobKey | None = None) -> JobKey | None:
        """Keep an object unless a newer version is known or it is known to be gone; returns the job it belongs to.

        `key` gives it to a job that it does not name itself.
        """
        key = key or owner_of(kind, raw)
        if key is None:
            return None
        metadata = raw["metadata"]
        held = self.named(kind, key, metadata["name"])
        is_late = held is not None and held["metadata"]["uid"] == metadata["uid"] and _version(held) > _version(raw)
        if not is_late and metadata["uid"] not in self._gone:
            self._objects[kind, key][metadata["name"]] = _trimmed(kind, raw)
            if kind == SELECTION_JOB:
                self._index_output(key, raw)
        return key

    def drop(self, kind: Kind, raw: Mapping[str, Any]) -> JobKey | None:
        """Forget an object that was deleted; a late event will not bring it back."""
        key = owner_of(kind, raw)
        if key is None:
            return None
        metadata = raw["metadata"]
        held = self.named(kind, key, metadata["name"])
        self._remember_gone(metadata["uid"])
        if held is not None and held["metadata"]["uid"] == metadata["uid"]:
            self._remove(kind, key, metadata["name"])
            if kind == POD:
                self._departed.setdefault(key, {})[metadata["name"]] = _departed(_trimmed(kind, raw))
        return key

    def drop_named(self, kind: Kind, key: JobKey, name: str) -> None:
        """Forget whatever has that name: the API server itself said that it is not there."""
        if (held := self.named(kind, key, name)) is not None:
            self._remember_gone(held["metadata"]["uid"])
            self._remove(kind, key, name)

    def _remove(self, kind: Kind, key: JobKey, name: str) -> None:
        del self._objects[kind, key][name]
        if not self._objects[kind, key]:
            del self._objects[kind, key]
        if kind == SELECTION_JOB:
            self._index_output(key, {})

    def _remember_gone(self, uid: str) -> None:
        self._gone[uid] = None
        if len(self._gone) > 100_000:  # far more than one watch can be late
            self._gone.pop(next(iter(self._gone)))

    def replace(self, kind: Kind, listing: Listing) -> set[JobKey]:
        """Take a whole listing: what it lacks is gone, of which no watch may ever tell. Returns the jobs concerned.

        What came after the listing is not missed in it.
        """
        uids = {raw["metadata"]["uid"] for raw in listing.items}
        held = [raw for raw in self._all(kind) if _version(raw) <= listing.version]
        vanished = [raw for raw in held if raw["metadata"]["uid"] not in uids]
        keys = {self.drop(kind, raw) for raw in vanished} | {self.put(kind, raw) for raw in listing.items}
        return {key for key in keys if key is not None}

    def objects(self, kind: Kind, key: JobKey) -> tuple[Raw, ...]:
        """Objects of a job, by name."""
        held = self._objects.get((kind, key), {})
        return tuple(held[name] for name in sorted(held))

    def named(self, kind: Kind, key: JobKey, name: str) -> Raw | None:
        """The object of that name."""
        return self._objects.get((kind, key), {}).get(name)

    def departed(self, key: JobKey) -> tuple[Raw, ...]:
        """Pods that are gone, each as it was last, until they are forgotten."""
        return tuple(self._departed.get(key, {}).values())

    def forget_departed(self, key: JobKey, pods: Iterable[str] | None = None) -> None:
        """Forget the pods of these names, for what they were kept for is stored; None: all of the job."""
        held, known = self._departed.pop(key, {}), None if pods is None else frozenset(pods)
        left = {name: raw for name, raw in held.items() if known is not None and name not in known}
        if left:
            self._departed[key] = left

    def sharing_output(self, key: JobKey) -> frozenset[JobKey]:
        """Other unfinished jobs with the same output."""
        return frozenset(self._by_output.get(self._output_of.get(key, ""), ())) - {key}

    def _index_output(self, key: JobKey, raw: Mapping[str, Any]) -> None:
        """An index, so that asking does not cost more with every job."""
        before, after = self._output_of.pop(key, ""), _output(raw)
        if before:
            self._by_output[before].discard(key)
            if not self._by_output[before]:
                del self._by_output[before]
        if after:
            self._output_of[key] = after
            self._by_output[after].add(key)

    def job(self, key: JobKey) -> Raw | None:
        """The SelectionJob itself."""
        return next(iter(self.objects(SELECTION_JOB, key)), None)

    def jobs(self) -> Iterator[Raw]:
        """Every SelectionJob."""
        yield from self._all(SELECTION_JOB)

    def job_keys(self) -> list[JobKey]:
        """Of every SelectionJob."""
        return [key for of, key in self._objects if of == SELECTION_JOB]

    def _all(self, kind: Kind) -> list[Raw]:
        return [raw for (of, _), held in list(self._objects.items()) if of == kind for raw in held.values()]


def _output(raw: Mapping[str, Any]) -> str:
    """The output's URI of a job that may still write there, "" for none."""
    ends = (one for one in entries(block(raw, "status"), "conditions") if one.get("type") in ("Complete", "Failed"))
    is_over = any(end.get("status") == "True" for end in ends)
    return "" if is_over else text(block(raw, "spec", "output"), "uri").rstrip("/")


def _version(raw: Mapping[str, Any]) -> int:
    """Resource versions grow (a promise since Kubernetes 1.35, kept by etcd always); 0 if it is not a number."""
    text = str(raw["metadata"].get("resourceVersion") or "")
    return int(text) if text.isdecimal() else 0


def _requests(container: Mapping[str, Any]) -> Raw:
    return {name: container[name] for name in _READ_OF_CONTAINERS if name in container}


def _departed(raw: Raw) -> Raw:
    """What still ran in a pod, for all that is known, ended now at the latest."""
    now = datetime.now(UTC).replace(microsecond=0)
    told = moment(raw["metadata"], "deletionTimestamp") or now
    return {**raw, "metadata": {**raw["metadata"], "deletionTimestamp": min(told, now).isoformat()}}


def _trimmed(kind: Kind, raw: Mapping[str, Any]) -> Raw:
    metadata = {name: value for name, value in raw["metadata"].items() if name != "managedFields"}
    kept = {**raw, "metadata": metadata}
    if (unread := _UNREAD.get(kind)) and isinstance(spec := raw.get("spec"), dict):
        kept["spec"] = {name: value for name, value in spec.items() if name not in unread}
        if kind == POD:
            for part in ("initContainers", "containers"):
                kept["spec"][part] = [_requests(container) for container in entries(spec, part)]
    if kind == CONFIG_MAP:
        data = texts(raw, "data")
        kept = {"metadata": metadata, "data": {key: data[key][:LONGEST_TEXT] for key in _READ_TEXTS if key in data}}
    return kept
