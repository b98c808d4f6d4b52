"""Label files: a class for each of some rows, found by the row's id and by nothing else.

Rows are never matched by position or file name: that is how labels end up on the wrong image.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Protocol

from afray.errors import IntegrityError, PoolError
from afray.pool import label_studio, label_tables
from afray.pool.answers import Answers
from afray.storage.store import locate

log = logging.getLogger(__name__)

_NAMED = 5


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
    answers = label_tables.read(file.format, place, content, with_status=False)
    _require_a_label(place, answers)
    return dict(answers.labels)


def read_answers(
    file: LabelFile, environment: Mapping[str, str] | None = None, *, sha256: str | None = None
) -> Answers:
    """Return what people answered about rows that they were asked to label.

    A csv or parquet file may have a column `status`: labelled (also if empty), skipped or unsure. The label of a row
    that is skipped or unsure does not count, and may be empty. For label-studio see there.
    Raises as read_labels does, also for another status; IntegrityError if the file's sha256 is another.
    """
    place, content = fetch(file, environment)
    return parse_answers(file, place, content, sha256=sha256)


def parse_answers(file: LabelFile, place: str, content: bytes, *, sha256: str | None = None) -> Answers:
    """The same for a file that was fetched: its address and its bytes."""
    if sha256 is not None and (found := hashlib.sha256(content).hexdigest()) != sha256.lower():
        raise IntegrityError(
            f"{place}: its sha256 is {found}, and the spec says {sha256}. Restore the file, or correct labels.sha256"
        )
    if file.format == "label-studio":
        answers = label_studio.read(place, content)
    else:
        answers = label_tables.read(file.format, place, content, with_status=True)
    _require_a_label(place, answers)
    counts = answers.listed, len(answers.labels), len(answers.skipped), len(answers.unsure)
    log.info("%s: listed=%d labelled=%d skipped=%d unsure=%d", place, *counts)
    if answers.unsure:
        log.info("%s: no label for %s, people are unsure", place, _name_some(sorted(answers.unsure)))
    return answers


def check_known(
    labels: Collection[str],
    known_ids: Iterable[str],
    *,
    field: str,
    problem: str = "are unknown",
    remedy: str = "correct the column id of the label file",
) -> None:
    """Raise PoolError if labels are of ids that are not among the known ones (any number, in any order).

    `field` is where the spec names the label file; `problem` and `remedy` say what not being known means there.
    """
    unknown = dict.fromkeys(labels)
    example = None
    for known in known_ids:
        example = example or known
        unknown.pop(known, None)
    if unknown:
        raise PoolError(
            f"{field}: {len(unknown)} of {len(labels)} ids {problem}: {_name_some(list(unknown))}. "
            f"An id here looks like {example!r}; {remedy}"
        )


def _name_some(row_ids: Sequence[str]) -> str:
    more = f" and {len(row_ids) - _NAMED} more" if len(row_ids) > _NAMED else ""
    return ", ".join(map(repr, row_ids[:_NAMED])) + more


def fetch(file: LabelFile, environment: Mapping[str, str] | None = None) -> tuple[str, bytes]:
    """Address and bytes of a label file. Raises StorageError if it is not there, or not to be read."""
    store, key = locate(file.uri, environment=environment)
    return store.address(key), store.read(key)


def _require_a_label(place: str, answers: Answers) -> None:
    if not answers.labels:
        without = len(answers.skipped) + len(answers.unsure)
        also = f" ({without} rows are skipped or unsure)" if without else ""
        raise PoolError(f"{place}: no labels in it{also}. Add the label of each row that was labelled")
