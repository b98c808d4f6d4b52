"""The pod templates of head, workers and submitter: what they share, what a user lays over it, what stays ours."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from pydantic import JsonValue

from afray.api.runtime import RuntimeSpec
from afray.contract import names
from afray_operator.manifests import containers
from afray_operator.manifests.merging import Manifest, merge
from afray_operator.manifests.templates import HEAD

ROLE_LABEL: Final = f"{names.GROUP}/role"
"""On pods: head, submitter, or the worker group."""
SUBMITTER_ROLE: Final = "submitter"

LOST_NODE_SECONDS: Final = 30
"""How long pods stay bound to a node that does not answer: Ray gives it up sooner, Kubernetes only after 300 s."""
_LOST_NODE_TAINTS: Final = ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable")
_SAFE_TO_EVICT: Final = {"cluster-autoscaler.kubernetes.io/safe-to-evict": "false"}
_FOLLOWED: Final = frozenset({"image", "imagePullPolicy", "securityContext", "volumeDevices", "volumeMounts"})
"""What the submitter takes from the head's container: it runs the same image. Never variables, devices or probes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PodPlan:
    """What the pods of one attempt share."""

    runtime: RuntimeSpec
    account: str
    labels: Mapping[str, str]
    """Job, stage, attempt."""
    variables: Mapping[str, str]
    """The driver's environment."""


def head_pod(plan: PodPlan, resources: Mapping[str, str], template: Manifest) -> Manifest:
    """The head: it runs the driver, alone may speak to the API server, and is never restarted in place.

    A head that comes back is an empty one, which would run the driver again behind the attempt's back.
    """
    variables = containers.literals(plan.variables)
    container = containers.ray_container(plan.runtime, resources, variables, is_head=True)
    spec = _pod_spec(plan, [container], reads_api=True) | {
        "restartPolicy": "Never",
        "volumes": [containers.shared_memory(resources)],
    }
    pod = merge({"metadata": {"annotations": dict(_SAFE_TO_EVICT)}, "spec": spec}, template)
    return _finished(pod, plan, HEAD, variables)


def worker_pod(plan: PodPlan, group: str, resources: Mapping[str, str], template: Manifest) -> Manifest:
    """A worker of one group."""
    container = containers.ray_container(plan.runtime, resources, {}, is_head=False)
    spec = _pod_spec(plan, [container], reads_api=False) | {"volumes": [containers.shared_memory(resources)]}
    return _finished(merge({"spec": spec}, template), plan, group, {})


def submitter_pod(plan: PodPlan, head_template: Manifest) -> Manifest:
    """The pod that submits the Ray job: placed as the head is, with its volumes, without its credentials."""
    container = containers.submitter_container(plan.runtime)
    spec = _pod_spec(plan, [container], reads_api=False) | {"restartPolicy": "Never"}
    pod = merge({"metadata": {"annotations": dict(_SAFE_TO_EVICT)}, "spec": spec}, _followed(head_template))
    return _finished(pod, plan, SUBMITTER_ROLE, {})


def _pod_spec(plan: PodPlan, pod_containers: list[JsonValue], *, reads_api: bool) -> Manifest:
    secrets: list[JsonValue] = [{"name": secret.name} for secret in plan.runtime.image_pull_secrets]
    return {
        "serviceAccountName": plan.account,
        "automountServiceAccountToken": reads_api,
        **({"imagePullSecrets": secrets} if secrets else {}),
        "securityContext": {"runAsNonRoot": True, "runAsUser": 1000, "seccompProfile": {"type": "RuntimeDefault"}},
        "terminationGracePeriodSeconds": 30,
        "containers": pod_containers,
    }


def _followed(head_template: Manifest) -> Manifest:
    """The part of the head's template that holds for the submitter: all of the pod, little of the container."""
    spec = head_template.get("spec")
    if not isinstance(spec, dict):
        return head_template
    given = spec.get("containers")
    followed: list[JsonValue] = [
        {name: value for name, value in container.items() if name in _FOLLOWED} | {"name": containers.SUBMITTER}
        for container in (given if isinstance(given, list) else ())
        if isinstance(container, dict) and container.get("name") == containers.RAY
    ]
    kept = {name: value for name, value in spec.items() if name not in ("containers", "initContainers")}
    return {**head_template, "spec": {**kept, "containers": followed}}


def _finished(pod: Manifest, plan: PodPlan, role: str, variables: Mapping[str, str]) -> Manifest:
    """Lay over the user's template what must hold whatever it says: our labels, our variables, short tolerations."""
    labels: Manifest = {**plan.labels, ROLE_LABEL: role}
    pod = merge(pod, {"metadata": {"labels": labels}})
    spec = pod["spec"]
    if not isinstance(spec, dict):  # a template with `spec: text`, which the dry-run refuses
        return pod
    spec = {**spec, "tolerations": _with_lost_nodes(spec.get("tolerations"))}
    if variables and isinstance(given := spec.get("containers"), list):
        spec["containers"] = [_with_variables(container, variables) for container in given]
    return {**pod, "spec": spec}


def _with_variables(container: JsonValue, variables: Mapping[str, str]) -> JsonValue:
    if isinstance(container, dict) and container.get("name") == containers.RAY:
        return containers.with_variables(container, variables)
    return container


def _with_lost_nodes(tolerations: JsonValue) -> JsonValue:
    """Short tolerations for nodes that are lost, unless the template has its own for them."""
    given = tolerations if isinstance(tolerations, list) else []
    said = {toleration.get("key") for toleration in given if isinstance(toleration, dict)}
    ours: list[JsonValue] = [
        {"key": taint, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": LOST_NODE_SECONDS}
        for taint in _LOST_NODE_TAINTS
        if taint not in said
    ]
    return [*given, *ours]
