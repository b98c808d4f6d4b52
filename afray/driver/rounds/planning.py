"""The manifest of the round after a finished one: that job as it ran, less what belonged to its own round."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from pydantic import JsonValue

from afray.api.job import SelectionJob
from afray.api.loading import load_object
from afray.api.selection import Method
from afray.api.texts import JOB_NAME
from afray.api.training import AnnotationsSpec
from afray.driver.rounds.accepting import accept
from afray.driver.rounds.answers import AllAnswers
from afray.driver.rounds.earlier import EarlierRound, open_round
from afray.reporting import certificate as certificates

FEW_LABELS: Final = 100
"""Measured: with fewer in all, more than two rounds hit fewer classes than one does."""
Manifest = dict[str, JsonValue]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is asked for."""

    labels: AnnotationsSpec
    """Full location of the answers to the finished round's rows."""
    budget: int
    method: Method
    output: str | None
    """None: beside the finished round's."""
    finetune: bool = True
    """False: leave out the finetune that the finished round had."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NextRound:
    """A manifest that `afray run` and `afray submit` take, and what its user should know."""

    manifest: Manifest
    number: int
    answered: int
    """Rows with an answer so far."""
    advice: tuple[str, ...]


def plan_round(output: str, plan: Plan) -> NextRound:
    """The round after the one whose output is at `output` (a full location).

    Raises what opening a round and accepting its labels raise, and InvalidManifest if the plan breaks a rule.
    """
    uri = f"{output.rstrip('/')}/{certificates.NAME}"
    earlier = open_round(uri)
    known = accept(earlier, plan.labels)
    number = len(known.rounds) + 1
    manifest = _manifest(earlier, uri, plan, known, number)
    load_object(manifest, "the next round")
    return NextRound(
        manifest=manifest, number=number, answered=len(known.ids), advice=tuple(_advise(known, plan.budget, number))
    )


def _manifest(earlier: EarlierRound, uri: str, plan: Plan, known: AllAnswers, number: int) -> Manifest:
    manifest: Manifest = earlier.job.model_dump(mode="json", by_alias=True, exclude_none=True, exclude_defaults=True)
    metadata, spec = manifest["metadata"], manifest["spec"]
    assert isinstance(metadata, dict)
    assert isinstance(spec, dict)
    name = next_name(earlier.job.metadata.name, number)
    metadata["name"] = name if len(name) <= JOB_NAME.longest else next_name(name[: JOB_NAME.longest - 4], number)
    labels: Manifest = {"uri": plan.labels.uri, "format": plan.labels.format, "sha256": known.rounds[-1].file}
    for field in ("suspend", "labels") if plan.finetune else ("suspend", "labels", "finetune"):
        spec.pop(field, None)
    spec["selection"] = _selection(earlier.job, plan)
    spec["previous"] = {"certificate": {"uri": uri}, "labels": labels}
    spec["output"] = {"uri": plan.output or next_name(earlier.job.spec.output.uri.rstrip("/"), number)}
    return manifest


def _selection(job: SelectionJob, plan: Plan) -> Manifest:
    """Settings of a method go on only where the method does."""
    before = job.spec.selection
    kept: Manifest = before.model_dump(mode="json", by_alias=True, exclude_none=True, exclude_defaults=True)
    if before.method != plan.method:
        kept = {"seed": before.seed} if before.seed else {}
    return {**kept, "method": plan.method, "budget": {"count": plan.budget}}


def next_name(name: str, number: int) -> str:
    """The name of round `number` after that of the round before: weld, weld-2, weld-3."""
    return f"{re.sub(rf'-{number - 1}$', '', name)}-{number}"


def _advise(known: AllAnswers, budget: int, number: int) -> list[str]:
    total = len(known.labels) + budget
    if number <= 2 or total >= FEW_LABELS:
        return []
    told = (
        f"round {number} makes {total} labels in all: below {FEW_LABELS}, more than two rounds were measured to hit "
        "fewer classes, for a class that nobody has labelled is not uncertain. Fewer and larger rounds are safer"
    )
    return [told]
