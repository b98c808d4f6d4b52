"""The block that says which pods a job gets. `afray run` does not use it."""

from __future__ import annotations

import json
from typing import Annotated, Final

from pydantic import AfterValidator, Field, JsonValue, WithJsonSchema

from afray.api.block import Block
from afray.api.cel import SCHEMALESS
from afray.api.problems import broken
from afray.api.quantities import Resources
from afray.api.texts import GroupName

LARGEST_TEMPLATE: Final = 8192
"""Bytes of JSON. The whole spec travels in one environment variable."""


def check_template(template: dict[str, JsonValue]) -> dict[str, JsonValue]:
    """Return the pod template; raises a broken rule."""
    for key in sorted(template.keys() - {"metadata", "spec"}):
        raise broken(key, template[key], "is not a field of a pod template", "Put it into template.spec.")
    for key, part in template.items():
        if not isinstance(part, dict):
            raise broken(key, part, "is not a mapping", "Write its fields below it.")
    size = len(json.dumps(template, ensure_ascii=False).encode())
    if size > LARGEST_TEMPLATE:
        remedy = "Keep what differs from the default only: node selector, tolerations, volumes."
        raise broken("", f"{size} bytes", f"is larger than {LARGEST_TEMPLATE} bytes", remedy)
    return template


_PART: Final[dict[str, JsonValue]] = {"type": "object", SCHEMALESS: True}
PodTemplate = Annotated[
    dict[str, JsonValue],
    AfterValidator(check_template),
    WithJsonSchema({"type": "object", "maxProperties": 2, "properties": {"metadata": _PART, "spec": _PART}}),
]


class HeadSpec(Block):
    """The head pod: it runs the driver and no work on rows."""

    resources: Resources
    """Requests and limits, equal: cpu, memory, others by name."""
    template: PodTemplate = Field(default_factory=dict)
    """Merged into the pod: metadata, and spec with node selector, tolerations, volumes and the like."""


class WorkerGroupSpec(Block):
    """Workers of one kind."""

    name: GroupName
    """The group's name; neither head nor submitter."""
    replicas: int = Field(1, ge=1, le=1000)
    """Number of pods; it is fixed while the job runs."""
    resources: Resources
    """Requests and limits of each pod, equal: cpu, memory, nvidia.com/gpu and others by name."""
    template: PodTemplate = Field(default_factory=dict)
    """Merged into each pod: metadata, and spec with node selector, tolerations, volumes and the like."""


class ClusterSpec(Block):
    """The pods of each stage."""

    head: HeadSpec
    """The head pod."""
    workers: Annotated[tuple[WorkerGroupSpec, ...], Field(strict=False, min_length=1, max_length=16)]
    """Worker groups: at most 16, which is what Kueue admits besides head and submitter."""
