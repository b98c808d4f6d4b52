"""The containers of a Ray pod and of the submitter: restricted, requests equal to limits, probes of their own.

The probes ask Ray's node agent by HTTP, so an image needs no wget. They are slow to kill: a worker that decodes images
on every core may answer late, and a stalled one is found by the driver and by the operator. On a head the agent is up
last: when it answers, the job server takes the one try that the submitter has.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from pydantic import JsonValue

from afray.api.runtime import RuntimeSpec
from afray_operator.manifests.merging import MERGE_KEYS, Manifest, merge

RAY: Final = "ray"
"""Name of the container in head and workers; a template that changes it says this name."""
SUBMITTER: Final = "ray-job-submitter"
"""KubeRay's own name for it."""
SHARED_MEMORY: Final = "shared-mem"
"""KubeRay's own name for the volume at /dev/shm."""

_AGENT_PORT = 52365
_PORTS: Final = {"gcs-server": 6379, "client": 10001, "dashboard": 8265}
_METRICS: Final = {"metrics": 8080}
_DEFAULTS: Final = {"HOME": "/tmp", "USER": "afray", "RAY_USAGE_STATS_ENABLED": "0"}  # noqa: S108 (of the container)
"""The user of the pods has no entry in the image's passwd, nor a home; and nothing is sent to Ray's makers."""

_LAST_WORDS: Final = "FallbackToLogsOnError"
"""The end of a failed container's log stays in the pod's status, where the operator may read: it may read no logs."""
_RESTRICTED: Final[Manifest] = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}


def ray_container(
    runtime: RuntimeSpec, resources: Mapping[str, str], variables: Mapping[str, str], *, is_head: bool
) -> Manifest:
    """The container that runs Ray; `variables` win over those of the spec."""
    return {
        "name": RAY,
        "image": runtime.image,
        "env": _environment(runtime, variables),
        **_sources(runtime),
        "resources": {"requests": dict(resources), "limits": dict(resources)},
        "ports": _ports({**_PORTS, **_METRICS} if is_head else _METRICS),
        "livenessProbe": _probe(initialDelaySeconds=30, periodSeconds=10, timeoutSeconds=10, failureThreshold=30),
        "readinessProbe": _probe(initialDelaySeconds=5, periodSeconds=5, timeoutSeconds=5, failureThreshold=12),
        "securityContext": _RESTRICTED,
        "terminationMessagePolicy": _LAST_WORDS,
        "volumeMounts": [{"name": SHARED_MEMORY, "mountPath": "/dev/shm"}],  # noqa: S108 (where Ray's store is)
    }


def submitter_container(runtime: RuntimeSpec) -> Manifest:
    """The container that submits the Ray job and follows it, without credentials; KubeRay adds the command."""
    return {
        "name": SUBMITTER,
        "image": runtime.image,
        "env": _variables(_DEFAULTS),
        "resources": {
            "requests": {"cpu": "500m", "memory": "200Mi"},
            "limits": {"cpu": "1", "memory": "1Gi"},
        },
        "securityContext": _RESTRICTED,
        "terminationMessagePolicy": _LAST_WORDS,
    }


def shared_memory(resources: Mapping[str, str]) -> Manifest:
    """The volume of Ray's object store; what lies in it counts towards the container's memory."""
    return {"name": SHARED_MEMORY, "emptyDir": {"medium": "Memory", "sizeLimit": resources["memory"]}}


def with_variables(container: Manifest, variables: Mapping[str, str]) -> Manifest:
    """The container with these variables, whatever it says of them itself."""
    return merge(container, {"env": _variables(variables)})


def _sources(runtime: RuntimeSpec) -> Manifest:
    sources: list[JsonValue] = [
        source.model_dump(mode="json", by_alias=True, exclude_defaults=True) for source in runtime.env_from
    ]
    return {"envFrom": sources} if sources else {}


def _environment(runtime: RuntimeSpec, variables: Mapping[str, str]) -> list[JsonValue]:
    given: list[JsonValue] = [
        variable.model_dump(mode="json", by_alias=True, exclude_defaults=True) for variable in runtime.env
    ]
    defaults = merge({"env": _variables(_DEFAULTS)}, {"env": given})
    found = merge(defaults, {"env": _variables(variables)})["env"]
    assert isinstance(found, list)
    return found


def _variables(variables: Mapping[str, str]) -> list[JsonValue]:
    return [{MERGE_KEYS["env"]: name, "value": value} for name, value in variables.items()]


def _ports(ports: Mapping[str, int]) -> list[JsonValue]:
    return [{"name": name, "containerPort": port} for name, port in ports.items()]


def _probe(**times: int) -> Manifest:
    return {"httpGet": {"path": "/api/healthz", "port": _AGENT_PORT}, **times}


def literal(text: str) -> str:
    """The text as a variable's value: a kubelet would take `$(NAME)` for a reference, and `$$` for `$`."""
    return text.replace("$", "$$")


def literals(variables: Mapping[str, str]) -> dict[str, str]:
    """The same for every value."""
    return {name: literal(value) for name, value in variables.items()}
