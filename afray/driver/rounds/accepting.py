"""Are these labels the answers to the rows of that round? Asked before anything is listed or computed."""

from __future__ import annotations

from afray.api.training import AnnotationsSpec
from afray.driver.labelling import check_coverage
from afray.driver.rounds import answers
from afray.driver.rounds.answers import AllAnswers
from afray.driver.rounds.earlier import EarlierRound
from afray.pool.answers import Answers
from afray.pool.labels import check_known, fetch, parse_answers
from afray.reporting.digests import content_digest

FIELD = "spec.previous.labels"


def accept(earlier: EarlierRound, labels: AnnotationsSpec) -> AllAnswers:
    """All that is known once the labels of `earlier` are in.

    Raises PoolError for labels of other rows or too few of them, and what reading the file raises.
    """
    place, content = fetch(labels)
    found = parse_answers(labels, place, content, sha256=labels.sha256)
    check_asked(found, earlier)
    newest = answers.describe(found, certificate=earlier.digest, file=content_digest(content))
    return AllAnswers(rounds=[*earlier.known.rounds, newest])


def check_asked(found: Answers, earlier: EarlierRound) -> None:
    """Raises PoolError unless the answers are of rows that the round selected, and of nearly all of them."""
    known = set(earlier.known.ids) & set(found.ids)
    told = f" ({len(known)} were answered in a round before it, and count already)" if known else ""
    check_known(
        found.ids,
        earlier.selected,
        field=FIELD,
        problem=f"are of no row that the round before selected{told}",
        remedy="leave out what its selection.csv does not list, or name the certificate of the round that they are of",
    )
    check_coverage(found, earlier.selected, field=FIELD)
