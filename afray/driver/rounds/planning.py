"""The manifest of the round after a finished one: that job as it ran, less what belonged to its own round."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from pydantic import JsonValue

from afray.api.checks.pods import GPU, gpu_groups
from afray.api.job import SelectionJob
from afray.api.loading import load_object
from afray.api.selection import Method
from afray.api.texts import JOB_NAME
from afray.api.training import AnnotationsSpec
from afray.driver.rounds.accepting import accept
from afray.driver.rounds.answers import AllAnswers
from afray.driver.rounds.classes import find_poor_of
from afray.driver.rounds.earlier import EarlierRound, open_round
from afray.reporting import certificate as certificates

FEW_LABELS: Final = 100
"""Measured: with fewer in all, more than two rounds hit fewer classes than one does."""
Manifest = dict[str, JsonValue]


class Judge(StrEnum):
    """What will make use of the labels."""

    trained = "trained"
    """A classifier that is trained on them."""
    nearest = "nearest"
    """Whatever looks for the nearest labelled row."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is asked for."""

    labels: AnnotationsSpec | None
    """Full location of the answers to the finished round's rows; None for a job on a cluster that waits for them."""
    budget: int
    method: Method
    judge: Judge
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
    known = accept(earlier, plan.labels) if plan.labels else earlier.known
    number = len(earlier.known.rounds) + 2
    manifest = _manifest(earlier, uri, plan, known, number)
    load_object(manifest, "the next round")
    labels = len(known.labels) + (0 if plan.labels else len(earlier.selected)) + plan.budget
    poor = find_poor_of(known.labels, earlier.job) if plan.labels else ()
    advice = (*_advise(labels, plan, number), *_spare_gpus(earlier.job, plan), *map(str, poor))
    return NextRound(manifest=manifest, number=number, answered=len(known.ids), advice=advice)


def _manifest(earlier: EarlierRound, uri: str, plan: Plan, known: AllAnswers, number: int) -> Manifest:
    manifest: Manifest = earlier.job.model_dump(mode="json", by_alias=True, exclude_none=True, exclude_defaults=True)
    metadata, spec = manifest["metadata"], manifest["spec"]
    assert isinstance(metadata, dict)
    assert isinstance(spec, dict)
    name = next_name(earlier.job.metadata.name, number)
    metadata["name"] = name if len(name) <= JOB_NAME.longest else next_name(name[: JOB_NAME.longest - 4], number)
    for field in ("suspend", "labels") if plan.finetune else ("suspend", "labels", "finetune"):
        spec.pop(field, None)
    spec["selection"] = _selection(earlier.job, plan)
    previous: Manifest = {"certificate": {"uri": uri}}
    if plan.labels is not None:
        previous["labels"] = {"uri": plan.labels.uri, "format": plan.labels.format, "sha256": known.rounds[-1].file}
    spec["previous"] = previous
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


def _advise(total: int, plan: Plan, number: int) -> Iterator[str]:
    if number > 2 and total < FEW_LABELS:
        yield (
            f"round {number} makes {total} labels in all: below {FEW_LABELS}, more than two rounds were measured to "
            "hit fewer classes, for a class that nobody has labelled is not uncertain. Fewer and larger rounds are "
            "safer"
        )
    if plan.judge is Judge.nearest and plan.method == "uherding":
        yield (
            "a nearest neighbour was measured to gain nothing from rounds, and to lose up to 2 points from 500 labels "
            "on: it is a trained classifier that gains. Train one, or choose by --method kmeans"
        )


def _spare_gpus(job: SelectionJob, plan: Plan) -> Iterator[str]:
    finetunes = job.spec.finetune is not None and plan.finetune
    if (named := gpu_groups(job)) and not finetunes:
        yield (
            f"the workers {', '.join(named)} ask for {GPU}: a round embeds only rows that are new, so where there are "
            "none take it out of spec.cluster.workers[].resources"
        )
