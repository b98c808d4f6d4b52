"""Labels in tables: csv or parquet files with columns `id` and `label`.

Further columns are read on request only, for in a table of labels known beforehand they may mean anything:

    status         which rows people looked at without giving them a label
    annotator      who said it; a row may then have several lines. A column that nobody has filled in says nothing
    labelled_at    when; of what one person said about a row the newest counts, else what stands last in the file
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from afray.errors import PoolError
from afray.pool import ids
from afray.pool.answers import Answer, Answers, Status, Vote, gather, settle
from afray.pool.findings import Complain, Finding

REQUIRED: Final = ("id", "label")
OPTIONAL: Final = ("status", "annotator", "labelled_at")
_LONG_AGO = datetime.min.replace(tzinfo=UTC)


class Line(NamedTuple):
    """One row of a label file, and where in the file it is."""

    where: str
    id: str
    label: str
    status: str = ""
    annotator: str = ""
    labelled_at: str = ""


def read(kind: str, place: str, content: bytes, *, are_answers: bool, complain: Complain) -> Answers:
    """The answer to every row of a csv or parquet file; a line without a status is labelled.

    Complains, naming the line, of an empty id or label, another status, no time, and two things that are said about one
    id by nobody knows whom. Raises PoolError for a file that is not of its kind or lacks a column.
    """
    votes: dict[str, list[Vote]] = {}
    listed = 0
    lines = list(_READERS[kind](place, content, are_answers))
    tells_who = any(isinstance(line, Line) and line.annotator for line in lines)
    for line in lines:
        if isinstance(line, Finding):
            complain(line)
            continue
        listed += 1
        vote = _vote(line)
        if isinstance(vote, Finding):
            complain(vote)
            continue
        cast = votes.setdefault(line.id, [])
        if tells_who or not cast:
            cast.append(vote)
        elif (answer := settle([vote])) != (known := settle(cast)):
            complain(_contradiction(line, answer, known, are_answers))
    return gather({row_id: settle(cast) for row_id, cast in votes.items()}, listed=listed)


def _vote(line: Line) -> Vote | Finding:
    if not line.id:
        return Finding(where=line.where, problem="the id is empty", remedy="Give every label the id of its row")
    try:
        status, given = Status(line.status or Status.labelled), _moment(line.labelled_at)
    except ValueError:
        return _unreadable(line)
    is_labelled = status is Status.labelled
    if is_labelled and not line.label.strip():
        problem, remedy = f"the label of {line.id!r} is empty", "Fill it in, or remove the row"
        return Finding(where=line.where, rows={line.id: ""}, problem=problem, remedy=remedy)
    return Vote(
        label=line.label if is_labelled else None,
        annotator=line.annotator or None,
        given=given,
        is_unsure=status is Status.unsure,
    )


def _moment(text: str) -> datetime:
    if not text:
        return _LONG_AGO
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _unreadable(line: Line) -> Finding:
    """The line whose status or time is none."""
    if line.status in ("", *Status):
        problem = f"labelled_at of {line.id!r} is {line.labelled_at!r}"
        remedy = "Write a time such as 2026-11-24T09:00:00Z, or leave the column out"
    else:
        problem = f"the status of {line.id!r} is {line.status!r}"
        remedy = f"Use {', '.join(Status)} or nothing"
    return Finding(where=line.where, rows={line.id: ""}, problem=problem, remedy=remedy)


def _contradiction(line: Line, answer: Answer, known: Answer, are_answers: bool) -> Finding:
    return Finding(
        where=line.where,
        rows={line.id: ""},
        problem=f"id {line.id!r} has {answer}, and {known} further up",
        remedy="Keep one" + (", or name in a column annotator whose each of them is" if are_answers else ""),
    )


def _names(header: list[str], are_answers: bool) -> tuple[str, ...]:
    return (*REQUIRED, *(name for name in OPTIONAL if are_answers and name in header))


def _read_csv(place: str, content: bytes, are_answers: bool) -> Iterator[Line | Finding]:
    lines = csv.reader(io.StringIO(_decode(place, content), newline=""), strict=True)
    try:
        header = next(lines, [])
        columns = {name: _column(place, header, name) for name in _names(header, are_answers)}
        for row in lines:
            where = f"line {lines.line_num}"
            if row and len(row) != len(header):
                problem = f"{len(row)} fields, the header has {len(header)}"
                remedy = 'Put text with commas, quotes or line breaks in "double quotes"'
                yield Finding(where=where, problem=problem, remedy=remedy)
            elif row:
                yield Line(where=where, **{name: row[column] for name, column in columns.items()})
    except csv.Error as error:
        raise PoolError(f"{place}, line {lines.line_num}: not CSV ({error}). Check the quotes around there") from error


def _decode(place: str, content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise PoolError(
            f"{place}, line {line}: byte {content[error.start]:#04x} is not UTF-8. Save the file as CSV in UTF-8"
        ) from error


def _column(place: str, header: list[str], name: str) -> int:
    if header.count(name) == 1:
        return header.index(name)
    problem = "is there twice" if name in header else "is missing"
    found = ", ".join(map(repr, header)) or "nothing"
    raise PoolError(
        f"{place}: column {name} {problem}; found: {found}. The first line names the columns, with commas between them"
    )


def _read_parquet(place: str, content: bytes, are_answers: bool) -> Iterator[Line | Finding]:
    try:
        table = pq.read_table(pa.BufferReader(content), use_threads=False)
    except (pa.ArrowException, OSError) as error:
        problem = str(error).partition("\n")[0]
        raise PoolError(f"{place}: cannot be read as parquet ({problem}). Write the file again") from error
    columns = {name: _texts(place, table, name) for name in _names(table.schema.names, are_answers)}
    for number, texts in enumerate(zip(*columns.values(), strict=True)):
        yield Line(where=f"row {number}", **{name: text or "" for name, text in zip(columns, texts, strict=True)})


def _texts(place: str, table: pa.Table, name: str) -> list[str | None]:
    _column(place, table.schema.names, name)
    kind = table.schema.field(name).type
    is_time = name == "labelled_at" and pa.types.is_timestamp(kind)
    if not (is_time or pa.types.is_integer(kind) or pa.types.is_boolean(kind) or ids.is_text(kind)):
        raise PoolError(f"{place}: column {name} is {kind}. Store it as text or whole numbers")
    texts: list[str | None] = table[name].cast(pa.large_string()).to_pylist()
    return texts


_READERS = {"csv": _read_csv, "parquet": _read_parquet}
