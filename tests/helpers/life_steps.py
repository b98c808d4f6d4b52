"""From what was recorded of one SelectionJob to the steps of its life."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from typing import Any

from helpers.recorded_lives import State, Step
from testbed.recording import Seen

NAMESPACE = "NAMESPACE"
"""Stands for the namespace in names of buckets and queues."""
OF_ONE_RUN = ("advancedAt", "heartbeat", "rate", "etaSeconds")
"""Fields of a progress payload."""


def normalized(seen: Iterable[Seen], namespace: str) -> list[Step]:
    """The steps of what was recorded in a namespace with one SelectionJob."""
    seen, names = list(seen), _Names()
    names.know_clusters(one.raw for one in seen)
    last: dict[tuple[str, str], Step] = {}
    steps = []
    for one in seen:
        step = _step(one, names)
        if step is None:
            continue
        before = last.get((step.kind, step.name))
        if step != before and (before is not None or step.state is not None):
            last[step.kind, step.name] = step
            steps.append(step)
    text = names.replace_all(json.dumps([asdict(step) for step in steps]))
    return [Step(**fields) for fields in json.loads(re.sub(rf"\b{re.escape(namespace)}\b", NAMESPACE, text))]


def _step(seen: Seen, names: _Names) -> Step | None:
    raw, metadata = seen.raw, seen.raw["metadata"]
    if raw["kind"] == "ConfigMap" and not metadata["name"].endswith("-progress"):
        return None
    owner = _owner(raw)
    names.know(raw, owner)
    labels = {key: text for key, text in metadata.get("labels", {}).items() if key.startswith("afray.dev/")}
    state = None if seen.event == "DELETED" else STATES[raw["kind"]](raw)
    return Step(raw["kind"], metadata["name"], owner, labels, state)


def _owner(raw: Mapping[str, Any]) -> str:
    return next((str(one["name"]) for one in raw["metadata"].get("ownerReferences", ())), "")


class _Names:
    """Random names, and those that stand for them."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}

    def know_clusters(self, raws: Iterable[Mapping[str, Any]]) -> None:
        """First of all: RayJobs name clusters that are made later, or never."""
        for raw in raws:
            if raw["kind"] == "RayCluster":
                self._give(raw["metadata"]["name"], f"{_owner(raw)}-cluster")

    def know(self, raw: Mapping[str, Any], owner: str) -> None:
        """Give names to what an object names."""
        name, status = raw["metadata"]["name"], raw.get("status") or {}
        match raw["kind"]:
            case "RayJob" if status.get("rayClusterName"):
                self._give(status["rayClusterName"], f"{name}-unmade")
            case "Workload":
                self._give(name, f"{owner}-workload")
            case "Pod":
                self._give(name, f"{owner}-{raw['metadata']['labels'].get('afray.dev/role', 'pod')}")

    def _give(self, name: str, stem: str) -> None:
        if name not in self._names:
            number = 1 + sum(given.rpartition("-")[0] == stem for given in self._names.values())
            self._names[name] = f"{stem}-{number}"

    def replace_all(self, text: str) -> str:
        """Twice, as names are made from names; long ones first, as they begin like short ones."""
        for _ in range(2):
            for name in sorted(self._names, key=len, reverse=True):
                text = text.replace(name, self._names[name])
        return text


def _ray_job(raw: Mapping[str, Any]) -> State:
    status = raw.get("status") or {}
    read = ("jobDeploymentStatus", "jobStatus", "rayClusterName", "reason", "message")
    return {
        "suspend": raw["spec"].get("suspend", False),
        "finalizers": raw["metadata"].get("finalizers", []),
        "isDeleting": "deletionTimestamp" in raw["metadata"],
        "hasEnded": "endTime" in status,
        "status": {name: str(status[name]).partition("\n")[0] for name in read if status.get(name)},
    }


def _ray_cluster(raw: Mapping[str, Any]) -> State:
    status = raw.get("status") or {}
    counts = {name: status.get(name, 0) for name in ("desiredWorkerReplicas", "readyWorkerReplicas")}
    failures = [one for one in _conditions(status, "ReplicaFailure") if one["status"] == "True"]
    return {**counts, "conditions": [*_bare(status, "HeadPodReady"), *failures]}


def _workload(raw: Mapping[str, Any]) -> State:
    return {
        "conditions": list(_conditions(raw.get("status") or {}, "QuotaReserved", "Admitted", "Evicted", "Finished"))
    }


def _pod(raw: Mapping[str, Any]) -> State:
    status = raw["status"]
    waiting = [one["state"]["waiting"] for one in status.get("containerStatuses", ()) if "waiting" in one["state"]]
    hindered = [one for one in _conditions(status, "PodScheduled") if one["status"] != "True"]
    return {
        "isDeleting": "deletionTimestamp" in raw["metadata"],
        "phase": status["phase"],
        "conditions": [*_bare(status, "Ready"), *hindered],
        "waiting": [
            {name: one.get(name, "") for name in ("reason", "message")}
            for one in waiting
            if one.get("reason") not in ("ContainerCreating", "PodInitializing")
        ],
    }


def _config_map(raw: Mapping[str, Any]) -> State:
    text = (raw.get("data") or {}).get("progress")
    payload = json.loads(text) if text else {}
    return {"progress": {name: value for name, value in payload.items() if name not in OF_ONE_RUN}}


def _conditions(status: Mapping[str, Any], *kinds: str) -> Iterator[dict[str, str]]:
    for condition in status.get("conditions") or ():
        if condition["type"] in kinds:
            said = {name: condition.get(name) or "" for name in ("type", "status", "reason", "message")}
            yield {**said, "message": said["message"].partition("\n")[0]}


def _bare(status: Mapping[str, Any], kind: str) -> Iterator[dict[str, str]]:
    """A condition whose reason and sentence nobody reads, if it holds."""
    for condition in _conditions(status, kind):
        if condition["status"] == "True":
            yield {"type": kind, "status": "True", "reason": kind, "message": ""}


STATES = {
    "RayJob": _ray_job,
    "RayCluster": _ray_cluster,
    "Workload": _workload,
    "Pod": _pod,
    "ConfigMap": _config_map,
}
