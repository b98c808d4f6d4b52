"""Are these labels the answers to the rows of that round? Asked before anything is listed or computed."""

from __future__ import annotations

from collections.abc import Iterator

from afray.api.training import AnnotationsSpec
from afray.driver.labelling import find_open
from afray.driver.rounds import answers
from afray.driver.rounds.answers import AllAnswers
from afray.driver.rounds.earlier import EarlierRound
from afray.pool.answers import Answers
from afray.pool.findings import Finding, require_none
from afray.pool.labels import fetch, find_unknown, parse_answers
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
    """Raises PoolError unless spec.previous.labels names rows of the round only, and answers enough of them."""
    require_none(FIELD, find_unasked(found, earlier))


def find_unasked(found: Answers, earlier: EarlierRound) -> Iterator[Finding]:
    """Why these are not the answers to the rows that a round selected: they are of other rows, or too few."""
    known = set(earlier.known.ids) & set(found.ids)
    told = f" ({len(known)} were answered in a round before it, and count already)" if known else ""
    yield from find_unknown(
        found.ids,
        earlier.selected,
        problem=f"are of no row that the round before selected{told}",
        remedy="leave out what its selection.csv does not list, or name the certificate of the round that they are of",
    )
    yield from find_open(found, earlier.selected)
