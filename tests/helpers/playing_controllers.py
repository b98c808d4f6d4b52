"""The parts of KubeRay, Kueue, kubelets and the driver, played from a recorded life on an API server without any.

What the operator itself does is waited for: it makes and deletes RayJobs, and it makes the progress ConfigMap.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from typing import Any

from afray_operator.kinds import CONFIG_MAP, POD, RAY_CLUSTER, RAY_JOB, WORKLOAD, Kind
from afray_operator.manifests.pods import ROLE_LABEL
from afray_operator.observed.json_access import block
from helpers.kube_objects import moment
from helpers.operator_process import await_that
from helpers.recorded_lives import Step
from kubernetes import config
from kubernetes.client.exceptions import ApiException
from kubernetes.dynamic.client import DynamicClient

from afray import __version__

KINDS = {kind.kind: kind for kind in (RAY_JOB, RAY_CLUSTER, WORKLOAD, POD, CONFIG_MAP)}
MERGE = "application/merge-patch+json"
PATIENCE_SECONDS = 90.0
"""For the operator, which may have to start anew, and waits before it tries again."""
_CONFINED = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
WITHOUT_GPU = ("head", "submitter")
"""Roles of pods; workers request one each."""

Raw = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Controllers:
    """All others in one namespace. `meanwhile` is called while they wait, and between steps."""

    api: DynamicClient
    namespace: str
    meanwhile: Callable[[], None]

    @classmethod
    def of(cls, kubeconfig: Path, namespace: str, meanwhile: Callable[[], None]) -> Controllers:
        """Of the API server that a kubeconfig names."""
        return cls(DynamicClient(config.new_client_from_config(str(kubeconfig))), namespace, meanwhile)

    def play(self, steps: Iterable[Step]) -> None:
        """Do what they did."""
        for step in steps:
            match step.kind:
                case "RayJob":
                    self._play_ray_job(step)
                case "ConfigMap":
                    self._play_config_map(step)
                case _:
                    self._play_own(step)
            if step.kind != "Pod":  # a pod that is well changes nothing by itself
                self.meanwhile()

    def get(self, kind: Kind, name: str) -> Raw | None:
        """The object, None if there is none."""
        try:
            return self._ask("get", kind.path(self.namespace, name))
        except ApiException as error:
            if error.status != HTTPStatus.NOT_FOUND:
                raise
            return None

    def delete(self, kind: Kind, name: str) -> None:
        """Delete an object at once, as its owner's deletion would."""
        self._patch(kind, name, {"metadata": {"finalizers": None}})
        if self.get(kind, name) is not None:
            self._ask("delete", kind.path(self.namespace, name), body={"gracePeriodSeconds": 0})

    def _play_ray_job(self, step: Step) -> None:
        if step.state is None:
            self._patch(RAY_JOB, step.name, {"metadata": {"finalizers": None}})
            self._wait(lambda: self.get(RAY_JOB, step.name) is None)
            return
        self._wait(lambda: self.get(RAY_JOB, step.name))
        if step.state["isDeleting"]:
            self._wait(lambda: (self.get(RAY_JOB, step.name) or {})["metadata"].get("deletionTimestamp"))
        else:
            metadata = {"finalizers": step.state["finalizers"] or None}
            self._patch(RAY_JOB, step.name, {"metadata": metadata, "spec": {"suspend": step.state["suspend"]}})
        status = dict.fromkeys(("jobDeploymentStatus", "jobStatus", "rayClusterName", "reason", "message"))
        status |= step.state["status"] | ({"endTime": _now()} if step.state["hasEnded"] else {})
        self._patch(RAY_JOB, step.name, {"status": status}, part="/status")

    def _play_config_map(self, step: Step) -> None:
        if step.state is None:
            self.delete(CONFIG_MAP, step.name)
            return
        self._wait(lambda: self.get(CONFIG_MAP, step.name))
        if said := step.state["progress"]:
            text = json.dumps({**said, "afrayVersion": __version__, "advancedAt": _now(), "heartbeat": _now()})
            self._patch(CONFIG_MAP, step.name, {"data": {"progress": text}})

    def _play_own(self, step: Step) -> None:
        """An object that the others make and remove themselves."""
        kind = KINDS[step.kind]
        if step.state is None:
            self.delete(kind, step.name)
            return
        present = self.get(kind, step.name)
        if present is None:
            self._ask("post", kind.path(self.namespace), body=self._made(kind, step))
        if step.state.get("isDeleting") and not (present or {})["metadata"].get("deletionTimestamp"):
            self._ask("delete", kind.path(self.namespace, step.name))
        self._patch(kind, step.name, {"status": _status(kind, step.state, present or {})}, part="/status")

    def _made(self, kind: Kind, step: Step) -> Raw:
        metadata: Raw = {"name": step.name, "namespace": self.namespace, "labels": dict(step.labels)}
        spec: Mapping[str, Any]
        match kind.kind:
            case "RayCluster":
                spec = self._present(RAY_JOB, step.owner)["spec"]["rayClusterSpec"]
            case "Workload":
                owner = self._present(RAY_JOB, step.owner)["metadata"]
                metadata["labels"]["kueue.x-k8s.io/job-uid"] = owner["uid"]
                reference = {"apiVersion": RAY_JOB.api_version, "kind": RAY_JOB.kind, "name": step.owner}
                metadata["ownerReferences"] = [{**reference, "uid": owner["uid"], "controller": True}]
                spec = {"podSets": [{"name": "head", "count": 1, "template": {"spec": _pod()}}]}
            case _:
                metadata["finalizers"] = ["afray.dev/played"]  # a pod that has ended would go at once
                gpus = 0 if step.labels[ROLE_LABEL] in WITHOUT_GPU else 1
                spec = {**_pod(gpus), "nodeName": "node1"}
        return {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": metadata, "spec": spec}

    def _present(self, kind: Kind, name: str) -> Raw:
        found = self.get(kind, name)
        assert found is not None, name
        return found

    def _patch(self, kind: Kind, name: str, patch: Mapping[str, Any], part: str = "") -> None:
        self._ask("patch", kind.path(self.namespace, name) + part, body=patch, content_type=MERGE)

    def _wait(self, question: Callable[[], object]) -> None:
        def ask() -> object:
            self.meanwhile()
            return question()

        await_that(ask, PATIENCE_SECONDS)

    def _ask(self, method: str, path: str, **parameters: Any) -> Raw:
        found: Raw = json.loads(self.api.request(method, path, serialize=False, **parameters).data)
        return found


def _pod(gpus: int = 0) -> Raw:
    requests = {"nvidia.com/gpu": str(gpus)} if gpus else {}
    resources = {"requests": requests, "limits": requests}
    return {
        "containers": [{"name": "ray", "image": "afray:0.1.0", "securityContext": _CONFINED, "resources": resources}],
        "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
    }


def _status(kind: Kind, state: Mapping[str, Any], present: Mapping[str, Any]) -> Raw:
    status = {name: value for name, value in state.items() if name not in ("isDeleting", "waiting", "conditions")}
    if kind == POD:
        status["containerStatuses"] = [_container(found, present) for found in _containers(state)]
    return {**status, "conditions": [{**condition, "lastTransitionTime": _now()} for condition in state["conditions"]]}


def _containers(state: Mapping[str, Any]) -> list[Raw]:
    """What the kubelet says of a pod's container: that it waits and why, else as its phase has it."""
    if state["waiting"]:
        return [{"waiting": dict(said)} for said in state["waiting"]]
    return {"Running": [{"running": {}}], "Succeeded": [{"terminated": {}}], "Failed": [{"terminated": {}}]}.get(
        state["phase"], []
    )


def _container(found: Raw, present: Mapping[str, Any]) -> Raw:
    """Its status. It started when it was first seen running, and ended now."""
    (before,) = block(present, "status").get("containerStatuses") or [{}]
    started = next((run["startedAt"] for run in before.get("state", {}).values() if "startedAt" in run), _now())
    if "running" in found:
        found = {"running": {"startedAt": started}}
    if "terminated" in found:
        found = {"terminated": {"startedAt": started, "finishedAt": _now(), "exitCode": 0}}
    fixed = {"name": "ray", "image": "afray:0.1.0", "imageID": "", "ready": "running" in found, "restartCount": 0}
    return {**fixed, "state": found}


def _now() -> str:
    return moment(datetime.now(UTC))
