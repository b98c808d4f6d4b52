"""From raw objects to one `Observed`: total, so that no object, however odd, stops the operator."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from afray.api.status import JobStatus
from afray_operator.manifests.ownership import Owner
from afray_operator.observed.facts import Observed, Offers
from afray_operator.observed.json_access import Raw, block, count, is_deeper, text, texts
from afray_operator.observed.pods import read_pod
from afray_operator.observed.progress import read_progress_map, read_templates_map
from afray_operator.observed.ray import read_ray_cluster, read_ray_job, read_workload
from afray_operator.observed.refusals import DryRun, Refusal
from afray_operator.observed.spec import DEEPEST, read_job


@dataclass(frozen=True, slots=True, kw_only=True)
class RawObjects:
    """A SelectionJob and what belongs to it, as the API server gave it."""

    job: Raw
    ray_jobs: Iterable[Raw] = ()
    ray_clusters: Iterable[Raw] = ()
    pods: Iterable[Raw] = ()
    departed: Iterable[Raw] = ()
    config_maps: Iterable[Raw] = ()
    workloads: Iterable[Raw] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """What this process has learned about a job besides: nothing of it must survive a restart."""

    uid: str = ""
    """Of the job that it was learned about: another of the same name begins anew."""
    dry_run: DryRun | None = None
    missing: frozenset[str] = field(default_factory=frozenset)
    refusal: Refusal | None = None
    same_output: tuple[str, ...] = ()


def observe(raw: RawObjects, offers: Offers, memory: Memory) -> Observed:
    """Everything that `decide` judges by, times in whole seconds as it counts them. Never raises."""
    metadata = block(raw.job, "metadata")
    name, uid = text(metadata, "name"), text(metadata, "uid")
    config_maps = tuple(raw.config_maps)
    status, templates = read_status(raw.job), read_templates_map(config_maps, name, uid)
    job, problem = read_job(raw.job, accepted=status.spec_hash, kept=templates)
    return Observed(
        owner=Owner(namespace=text(metadata, "namespace"), name=name, uid=uid),
        generation=count(metadata, "generation"),
        resource_version=text(metadata, "resourceVersion"),
        is_deleting=bool(metadata.get("deletionTimestamp")),
        labels=texts(metadata, "labels"),
        job=job,
        problem=problem,
        status=status,
        ray_jobs=tuple(map(read_ray_job, raw.ray_jobs)),
        ray_clusters=tuple(map(read_ray_cluster, raw.ray_clusters)),
        pods=tuple(map(read_pod, raw.pods)),
        departed=tuple(map(read_pod, raw.departed)),
        workloads=tuple(map(read_workload, raw.workloads)),
        progress=read_progress_map(config_maps, name, uid),
        templates=templates,
        offers=offers,
        dry_run=memory.dry_run and replace(memory.dry_run, at=memory.dry_run.at.replace(microsecond=0)),
        missing=memory.missing,
        refusal=memory.refusal and replace(memory.refusal, at=memory.refusal.at.replace(microsecond=0)),
        same_output=memory.same_output,
    )


def read_status(raw: Raw) -> JobStatus:
    """The status as it was last written."""
    found = block(raw, "status")
    return JobStatus() if is_deeper(found, DEEPEST) else JobStatus.read(dict(found))
