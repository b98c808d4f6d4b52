"""What is sent when a manifest is submitted, and how it differs from a job that is there already. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from afray.api.block import alias
from afray.api.job import MUTABLE, JobSpec, SelectionJob
from afray.api.loading import load_object
from afray.api.problems import InvalidManifest
from afray.api.rules import Target
from afray.api.training import PreviousSpec
from afray.client.records import JobRecord, Raw
from afray.contract.names import QUEUE_LABEL
from afray.errors import SpecError


def choose_namespace(job: SelectionJob, wanted: str | None) -> str | None:
    """The namespace of an option, else of the manifest; raises SpecError if they differ."""
    written = job.metadata.namespace
    if wanted and written and wanted != written:
        problem = f"is not {wanted}, which --namespace asks for"
        raise SpecError("metadata.namespace", written, problem, "Leave one of them out.")
    return wanted or written


def to_body(job: SelectionJob, *, namespace: str, queue: str | None) -> Raw:
    """The object to create: what the manifest says and nothing more, so that the cluster fills in its own defaults.

    `queue` replaces the label by which Kueue finds its queue.
    """
    labels = {**job.metadata.labels, **({QUEUE_LABEL: queue} if queue else {})}
    changes = {"namespace": namespace, **({"labels": labels} if labels else {})}
    placed = job.model_copy(update={"metadata": job.metadata.model_copy(update=changes)})
    body: Raw = placed.model_dump(mode="json", by_alias=True, exclude_unset=True)
    return body


def explain_conflict(job: SelectionJob, existing: JobRecord) -> str:
    """Why a job of this name cannot be created, and what to do instead."""
    name, there = existing.name, f"there is a SelectionJob {existing.name!r} in namespace {existing.namespace!r}"
    if existing.deleting:
        return f"{there} that is being deleted. Repeat when it is gone: afray delete {name} --wait"
    differing = _differing(job, existing)
    if not differing:
        return f"{there} already, with the same spec. Follow it: afray watch {name}"
    fields = ", ".join(f"spec.{field}" for field in differing)
    if differing <= MUTABLE:
        return f"{there} already; only {fields} differs, which may be changed: kubectl apply -f the manifest"
    return (
        f"{there} with another spec ({fields}), which cannot be changed. Choose another metadata.name, or remove it "
        f"first: afray delete {name} --wait (stored results stay)"
    )


def _differing(job: SelectionJob, existing: JobRecord) -> frozenset[str]:
    try:
        other = load_object(existing.raw, existing.name, target=Target.cluster)
    except InvalidManifest:  # of another version; then its spec is not ours
        return frozenset(map(alias, type(job.spec).model_fields))
    return frozenset(_compare(job.spec, other.spec))


def _compare(spec: JobSpec, other: JobSpec) -> Iterator[str]:
    """Fields that differ, as users write them; of the round before, whether it is more than its labels."""
    for field in type(spec).model_fields:
        mine, theirs = getattr(spec, field), getattr(other, field)
        if mine == theirs:
            continue
        is_same_round = isinstance(mine, PreviousSpec) and theirs and mine.certificate == theirs.certificate
        yield f"{alias(field)}.labels" if is_same_round else alias(field)
