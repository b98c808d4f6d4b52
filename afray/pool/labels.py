"""Label files: a class for each of some rows, found by the row's id and by nothing else.

Rows are never matched by position or file name: that is how labels end up on the wrong image.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Protocol

from afray.errors import IntegrityError
from afray.pool import label_studio, label_tables
from afray.pool.answers import Answers
from afray.pool.findings import Complain, Finding, name_some, refusing, require_none
from afray.storage.store import locate

log = logging.getLogger(__name__)


class LabelFile(Protocol):
    """What this module needs to know of a labels block."""

    @property
    def uri(self) -> str:
        """Address of the file."""
        ...

    @property
    def format(self) -> str:
        """csv or parquet; label-studio for answers only."""
        ...


def read_labels(file: LabelFile, environment: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return label by id, in the order of the file; whole numbers become text. For labels known beforehand.

    Raises PoolError for a file that cannot be read as what it claims, that lacks a column, is empty, leaves an id or a
    label empty, or gives one id two labels; StorageError if it is not there.
    """
    place, content = fetch(file, environment)
    complain = refusing(place)
    answers = label_tables.read(file.format, place, content, are_answers=False, complain=complain)
    _require_a_label(answers, complain)
    return dict(answers.labels)


def read_answers(
    file: LabelFile, environment: Mapping[str, str] | None = None, *, sha256: str | None = None
) -> Answers:
    """Return what people answered about rows that they were asked to label.

    A csv or parquet file may have a column `status`: labelled (also if empty), skipped or unsure. The label of a row
    that is skipped or unsure does not count, and may be empty. With a column `annotator` several people may have
    answered a row. For label-studio see there.
    Raises as read_labels does, also for another status; IntegrityError if the file's sha256 is another.
    """
    place, content = fetch(file, environment)
    return parse_answers(file, place, content, sha256=sha256)


def parse_answers(
    file: LabelFile, place: str, content: bytes, *, sha256: str | None = None, complain: Complain | None = None
) -> Answers:
    """The same for a file that was fetched: its address and its bytes.

    `complain` hears of every fault that reading can go on after; without it the first one is raised as PoolError.
    """
    complain = complain or refusing(place)
    if sha256 is not None and (found := hashlib.sha256(content).hexdigest()) != sha256.lower():
        raise IntegrityError(
            f"{place}: its sha256 is {found}, and the spec says {sha256}. Restore the file, or correct labels.sha256"
        )
    if file.format == "label-studio":
        answers = label_studio.read(place, content, complain)
    else:
        answers = label_tables.read(file.format, place, content, are_answers=True, complain=complain)
    _require_a_label(answers, complain)
    counts = answers.listed, len(answers.labels), len(answers.skipped), len(answers.unsure)
    log.info("%s: listed=%d labelled=%d skipped=%d unsure=%d", place, *counts)
    if answers.unsure:
        log.info("%s: no label for %s, people are unsure", place, name_some(sorted(answers.unsure)))
    return answers


def check_known(
    labels: Collection[str],
    known_ids: Iterable[str],
    *,
    field: str,
    problem: str = "are unknown",
    remedy: str = "correct the column id of the label file",
) -> None:
    """Raise PoolError if labels are of ids that are not among the known ones.

    `field` is where the spec names the label file; for the others see `find_unknown`.
    """
    require_none(field, find_unknown(labels, known_ids, problem=problem, remedy=remedy))


def find_unknown(labels: Collection[str], known_ids: Iterable[str], *, problem: str, remedy: str) -> Iterator[Finding]:
    """At most one fault: labels of ids that are not among the known ones (any number, in any order).

    `problem` and `remedy` say what not being known means.
    """
    unknown = dict.fromkeys(labels, "")
    example = None
    for known in known_ids:
        example = example or known
        unknown.pop(known, None)
    if unknown:
        yield Finding(
            problem=f"{len(unknown)} of {len(labels)} ids {problem}: {name_some(list(unknown))}",
            remedy=f"An id here looks like {example!r}; {remedy}",
            rows=unknown,
        )


def fetch(file: LabelFile, environment: Mapping[str, str] | None = None) -> tuple[str, bytes]:
    """Address and bytes of a label file. Raises StorageError if it is not there, or not to be read."""
    store, key = locate(file.uri, environment=environment)
    return store.address(key), store.read(key)


def _require_a_label(answers: Answers, complain: Complain) -> None:
    if not answers.labels:
        without = len(answers.skipped) + len(answers.unsure)
        also = f" ({without} rows are skipped or unsure)" if without else ""
        complain(Finding(problem=f"no labels in it{also}", remedy="Add the label of each row that was labelled"))
