"""Pod templates as they were when the job was accepted.

The API server cannot protect them: to CEL they are invisible. So their digest goes into the status, and where there are
any, they go into a ConfigMap of the operator's own; later attempts are built from there, whatever the object says then.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Final

from pydantic import JsonValue

from afray.api.cluster import ClusterSpec
from afray.api.job import SelectionJob
from afray_operator.manifests.merging import Manifest

HEAD: Final = "head"
"""No worker group may be called so."""

KEY: Final = "templates"
"""The key in the ConfigMap's data."""

Templates = Mapping[str, Manifest]
"""Non-empty pod templates by worker group, the head's by `HEAD`."""


def templates_of(job: SelectionJob) -> Templates:
    """What the object says now."""
    cluster = job.spec.cluster
    if cluster is None:
        return {}
    given = {HEAD: cluster.head.template, **{group.name: group.template for group in cluster.workers}}
    return {name: template for name, template in given.items() if template}


def templates_digest(templates: Templates) -> str:
    """sha256 over canonical JSON."""
    canonical = json.dumps(templates, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode(errors="surrogatepass")).hexdigest()


def with_templates(job: SelectionJob, templates: Templates) -> SelectionJob:
    """The job with these templates in place of its own."""
    cluster = job.spec.cluster
    if cluster is None:
        return job
    head = cluster.head.model_copy(update={"template": dict(templates.get(HEAD, {}))})
    workers = tuple(
        group.model_copy(update={"template": dict(templates.get(group.name, {}))}) for group in cluster.workers
    )
    spec = job.spec.model_copy(update={"cluster": ClusterSpec.model_construct(head=head, workers=workers)})
    return job.model_copy(update={"spec": spec})


def write_templates(templates: Templates) -> dict[str, JsonValue]:
    """As data of a ConfigMap; the grammar keeps it below 32 kB."""
    return {KEY: json.dumps(templates, sort_keys=True, ensure_ascii=False)}


def read_templates(data: Mapping[str, object]) -> Templates | None:
    """Read what `write_templates` wrote; None if somebody else wrote it."""
    text = data.get(KEY)
    try:
        found = json.loads(text) if isinstance(text, str) else None
    except (ValueError, RecursionError):
        return None
    if not isinstance(found, dict) or not all(isinstance(template, dict) for template in found.values()):
        return None
    return found
