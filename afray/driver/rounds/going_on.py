"""What a round goes on from: asked for before anything is listed, so that labels that do not fit cost nothing."""

from __future__ import annotations

from dataclasses import dataclass

from afray.driver.rounds.accepting import accept
from afray.driver.rounds.answers import AllAnswers
from afray.driver.rounds.earlier import open_round
from afray.driver.rounds.vectors import EarlierVectors, open_vectors
from afray.driver.workspace import Workspace
from afray.errors import SpecError


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class GoingOn:
    """The round before, and the answers to all rows asked about so far."""

    known: AllAnswers
    vectors: EarlierVectors


def go_on(workspace: Workspace) -> GoingOn | None:
    """What spec.previous names, None in a first round.

    Raises SpecError for missing labels, a certificate that is none, another normalization; and what `open_round` and
    `accept` raise.
    """
    spec = workspace.job.spec
    if spec.previous is None:
        return None
    if spec.previous.labels is None:
        raise SpecError("spec.previous.labels", None, "is missing", "Name the answers to the rows of the round before.")
    earlier = open_round(spec.previous.certificate.uri)
    then, now = earlier.job.spec.embedding.normalize, spec.embedding.normalize
    if now != then:
        problem, remedy = f"the round before has {then}", "Take that: labels were learned from rows prepared so."
        raise SpecError("spec.embedding.normalize", now, problem, remedy)
    return GoingOn(known=accept(earlier, spec.previous.labels), vectors=open_vectors(earlier))
