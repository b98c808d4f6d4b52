"""Whether a job is taken on: its spec makes sense, Ray is there, and the API server would take its pods.

Nothing of this is final: a corrected template, an installed KubeRay, a granted right are seen when they come.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from afray.api.conditions import Reason
from afray.api.job import SelectionJob
from afray.api.stages import Stage
from afray.api.status import JobStatus
from afray_operator.decide.actions import Action, AskDryRun, EnsureConfigMap
from afray_operator.decide.context import is_outline
from afray_operator.decide.label_files import label_file, pin_labels
from afray_operator.decide.messages import Judgement, fails, holds, unknown
from afray_operator.manifests.label_files import FIELDS
from afray_operator.manifests.merging import Manifest
from afray_operator.manifests.rayjobs import Attempt, ray_job
from afray_operator.manifests.supporting import templates_config_map, templates_name
from afray_operator.manifests.templates import Templates, templates_digest, templates_of, with_templates
from afray_operator.observed.facts import Observed
from afray_operator.observed.refusals import SOON, DryRun, Hindrance, Refusal

_INSTALL_KUBERAY: Final = "Install KubeRay 1.5 or newer; the job is taken on within minutes then."
RAY_API_MISSING: Final = fails(Reason.ray_api_missing, f"The API server has no RayJob (ray.io/v1). {_INSTALL_KUBERAY}")
"""Stands against any work on a job, accepted or not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Admission:
    """What is known of a job that is not taken on yet: at most one of the three."""

    judgement: Judgement | None = None
    """Why not, or that it is."""
    actions: tuple[Action, ...] = ()
    """What to ask or to write first."""
    ask_again: datetime | None = None


def was_accepted(status: JobStatus) -> bool:
    """Whether the job was taken on, whatever became of it."""
    return status.spec_hash != ""


def invalid(seen: Observed) -> Judgement:
    """What stands against taking on a job whose spec does not load."""
    return fails(Reason.invalid_spec, f"{seen.problem} Or delete the job, and apply a corrected one.")


def admit(seen: Observed, job: SelectionJob, now: datetime) -> Admission:
    """Ask, then judge. The accepted templates are stored before it is said that they are accepted."""
    manifest = trial(seen, job)
    digest = hashlib.sha256(json.dumps(manifest, sort_keys=True).encode()).hexdigest()
    answer = seen.dry_run
    if answer is None or answer.digest != digest or (answer.hindrance is not None and now >= answer.ask_again):
        return Admission(actions=(AskDryRun(manifest=manifest, digest=digest),))
    if answer.hindrance is not None:
        return Admission(judgement=_refused(seen, answer, answer.hindrance), ask_again=answer.ask_again)
    templates = templates_of(job)
    if (seen.templates or {}) != templates:
        return _keep(seen, templates, now)
    return Admission(judgement=holds(Reason.valid))


def _keep(seen: Observed, templates: Templates, now: datetime) -> Admission:
    """Store the templates; where that is refused, say so and try again later."""
    manifest = templates_config_map(seen.owner, templates)
    refusal = seen.refusal
    if refusal is None or refusal.name != templates_name(seen.owner.name) or not refusal.is_fresh(now):
        return Admission(actions=(EnsureConfigMap(manifest=manifest),))
    return Admission(judgement=_not_kept(refusal), ask_again=refusal.try_again)


def _not_kept(refusal: Refusal) -> Judgement:
    name = f"ConfigMap {refusal.name}"
    match refusal.hindrance:
        case Hindrance.rights:
            return fails(Reason.not_permitted, f"The operator may not write {name}: {refusal.message}")
        case Hindrance.rules:
            return fails(Reason.dry_run_rejected, f"The API server refuses {name}: {refusal.message}")
        case Hindrance.taken | Hindrance.leaving:
            return fails(Reason.name_taken, f"{name} {refusal.message}")
        case Hindrance.trouble:
            return _unanswered(f"create {name}", refusal.message)


def _unanswered(what: str, message: str) -> Judgement:
    again = f"it is tried again every {SOON.seconds} s"
    return unknown(Reason.not_answered, f"The API server can not {what} now; {again}: {message}")


def trial(seen: Observed, job: SelectionJob) -> Manifest:
    """The RayJob to ask about: attempt 0, a name that no attempt has."""
    return ray_job(Attempt(owner=seen.owner, job=job, labels=seen.labels, stage=Stage.select, number=0))


def _refused(seen: Observed, answer: DryRun, hindrance: Hindrance) -> Judgement:
    if hindrance is Hindrance.trouble:
        return _unanswered("judge the RayJob", answer.message)
    if hindrance is Hindrance.rights:
        said = f"The operator may not create RayJobs in namespace {seen.owner.namespace}: {answer.message}"
        return fails(Reason.not_permitted, said)
    if 'unknown field "spec.' in answer.message and "emplate" not in answer.message:
        return fails(Reason.ray_api_missing, f"KubeRay is too old: {answer.message}. {_INSTALL_KUBERAY}")
    return fails(Reason.dry_run_rejected, f"The API server refuses the RayJob: {answer.message}")


def accepted_job(seen: Observed, status: JobStatus, job: SelectionJob) -> SelectionJob:
    """The job with the templates that were accepted, and with the very labels that were.

    Where the kept templates are lost and the object's differ, the object's are all there is.
    """
    if templates_digest(templates_of(job)) != status.spec_hash:
        kept = seen.templates or {}
        job = with_templates(job, kept) if templates_digest(kept) == status.spec_hash else job
    return pin_labels(job, status)


def standing(seen: Observed, status: JobStatus, job: SelectionJob) -> Judgement:
    """The condition Accepted of a job that is: with what the user should know all the same."""
    if is_outline(job):
        return fails(Reason.invalid_spec, f"{_ONLY_AN_OUTLINE} {seen.problem}")
    notes = [*_kept_templates(seen), *_ignored_changes(status, job), *_shared_output(seen)]
    return holds(Reason.valid, " ".join(notes))


_ONLY_AN_OUTLINE: Final = "What runs goes on, and no other attempt starts until the spec is corrected:"
TEMPLATES_KEPT: Final = "The pod templates stay as they were accepted"
TEMPLATES_IGNORED: Final = "A pod template was changed after acceptance"
LABELS_IGNORED: Final = "labels was changed"
OUTPUT_SHARED: Final = "spec.output.uri is also that of"


def _kept_templates(seen: Observed) -> list[str]:
    """A spec that does not load, and has a job that is no outline, is mended by the accepted templates alone."""
    return [f"{TEMPLATES_KEPT}; the spec's are ignored: {seen.problem}"] if seen.problem else []


def _ignored_changes(status: JobStatus, job: SelectionJob) -> list[str]:
    """`job` is the object as it stands."""
    notes = []
    current = templates_digest(templates_of(job))
    if current != status.spec_hash:
        notes.append(f"{TEMPLATES_IGNORED} ({current[:8]}); it is ignored: to use it, create another job.")
    for stage, field in FIELDS.items():
        if label_file(job, status, stage).was_changed:
            notes.append(f"{field.removesuffix('labels')}{LABELS_IGNORED} after its file was accepted; it is ignored.")
    if status.labels is None and status.stage is Stage.finetune and job.spec.labels is not None:
        notes.append(f"spec.{LABELS_IGNORED} after the finetune began on pool.labels; it is ignored.")
    return notes


def _shared_output(seen: Observed) -> list[str]:
    if not seen.same_output:
        return []
    others = ", ".join(sorted(seen.same_output)[:3])
    return [f"{OUTPUT_SHARED} {others}: only one of them can own it, the other will fail. Give each its own."]
