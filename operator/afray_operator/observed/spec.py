"""The job that a spec describes. An accepted job always has one, whatever people, or a stricter operator, make of it.

    as it stands -> with the accepted templates in place of its own -> an outline: what stops it and what limits it

CEL does not see pod templates, so anybody may put into a running job's what nothing can be made of.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, TypeVar

from pydantic import ValidationError

from afray.api.block import Block
from afray.api.job import API_VERSION, KIND, SelectionJob
from afray.api.loading import load_object
from afray.api.problems import InvalidManifest
from afray.api.rules import Target
from afray.api.training import PreviousSpec
from afray_operator.manifests.templates import Templates, templates_digest, with_templates
from afray_operator.observed.json_access import Raw, block, is_deeper

DEEPEST: Final = 64
"""Levels of a spec or a status; what is deeper would end the recursion of whoever reads it."""

AnyBlock = TypeVar("AnyBlock", bound=Block | None)


def read_job(raw: Raw, *, accepted: str = "", kept: Templates | None = None) -> tuple[SelectionJob | None, str]:
    """The job, and what is wrong with it as it stands: the first problem, and how many more there are.

    `accepted` is the digest of the templates that were accepted, "" for a job that was not; `kept` are those that are
    stored.
    """
    job, problem = _load(raw)
    if job is not None or not accepted:
        return job, problem
    return _with_accepted(raw, accepted, kept or {}) or outline(raw), problem


def _load(raw: Raw) -> tuple[SelectionJob | None, str]:
    if is_deeper(block(raw, "spec"), DEEPEST):
        return None, f"spec: is nested more than {DEEPEST} levels deep. No pod template needs that."
    try:
        return load_object(raw, "SelectionJob", target=Target.cluster), ""
    except InvalidManifest as error:
        more = len(error.problems) - 1
        others = f" ({more} more: afray validate --for cluster shows all)" if more else ""
        return None, f"{error.problems[0]}{others}"
    except UnicodeError:
        return None, "spec: holds half a character (a lone surrogate). Write it in UTF-8."


def _with_accepted(raw: Raw, accepted: str, kept: Templates) -> SelectionJob | None:
    """The job with the templates that were accepted; None if they are lost, or are not all that is wrong."""
    if templates_digest(kept) != accepted:
        return None
    job, _ = _load(_without_templates(raw))
    return with_templates(job, kept) if job is not None else None


def _without_templates(raw: Raw) -> Raw:
    spec = block(raw, "spec")
    cluster = block(spec, "cluster")
    groups = cluster.get("workers")
    bare = {
        **cluster,
        "head": _bare(cluster.get("head")),
        "workers": list(map(_bare, groups)) if isinstance(groups, list) else groups,
    }
    return {**raw, "spec": {**spec, "cluster": bare}}


def _bare(group: Any) -> Any:
    return {name: part for name, part in group.items() if name != "template"} if isinstance(group, Mapping) else group


_BLANK: Final = SelectionJob.model_validate(
    {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "metadata": {"name": "outline"},
        "spec": {
            "pool": {"uri": "s3://a/", "format": "images", "labels": {"uri": "s3://b", "format": "csv"}},
            "selection": {"budget": {"count": 1}},
            "previous": {
                "certificate": {"uri": "s3://d/certificate.json"},
                "labels": {"uri": "s3://b", "format": "csv"},
            },
            "labels": {"uri": "s3://b", "format": "csv"},
            "finetune": {},
            "output": {"uri": "s3://c/"},
        },
    }
)
"""Any job without pods: what an outline does not tell is never looked at."""


def outline(raw: Raw) -> SelectionJob:
    """What stops and what limits a job, of a spec that does not load: it has no pods, so nothing starts from it."""
    spec, blank = block(raw, "spec"), _BLANK.spec
    pool = blank.pool.model_copy(update={"labels": _part(block(spec, "pool").get("labels"), blank.pool.labels)})
    told = {
        "suspend": spec.get("suspend") is True,
        "pool": pool,
        "previous": _previous(spec.get("previous")),
        "labels": _part(spec.get("labels"), blank.labels),
        "finetune": _part(spec.get("finetune"), blank.finetune),
        "policy": _part(spec.get("policy"), blank.policy) or blank.policy,
    }
    return _BLANK.model_copy(update={"spec": blank.model_copy(update=told)})


def _previous(raw: object) -> PreviousSpec | None:
    """Whether there is a round before, and whether its labels are named."""
    found, blank = _part(raw, _BLANK.spec.previous), _BLANK.spec.previous
    if found is None or blank is None or not isinstance(raw, Mapping):
        return None
    return found.model_copy(update={"labels": _part(raw.get("labels"), blank.labels)})


def _part(raw: object, blank: AnyBlock) -> AnyBlock | None:
    """The block: a blank one where it makes no sense, None where there is none."""
    if not isinstance(raw, Mapping) or blank is None:
        return None
    try:
        return type(blank).model_validate(dict(raw), by_alias=True, by_name=False)
    except (ValidationError, UnicodeError):
        return blank
