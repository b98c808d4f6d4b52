"""Labels in tables: csv or parquet files with columns `id` and `label`.

A third column, `status`, says which rows people looked at without giving them a label. It is read on request only: in a
table of labels known beforehand, a column of that name may mean anything.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from afray.errors import PoolError
from afray.pool import ids
from afray.pool.answers import Answer, Answers, Status, gather


class Line(NamedTuple):
    """One row of a label file, and where in the file it is."""

    where: str
    id: str
    label: str
    status: str = ""


def read(kind: str, place: str, content: bytes, *, with_status: bool) -> Answers:
    """The answer in every line of a csv or parquet file; a line without a status is labelled.

    Raises PoolError, naming the line, for a file that is not of its kind, lacks a column, leaves an id or a label
    empty, has another status, or says two things about one id.
    """
    answers: dict[str, Answer] = {}
    listed = 0
    for line in _READERS[kind](place, content, with_status):
        listed += 1
        if not line.id:
            raise PoolError(f"{place}, {line.where}: the id is empty. Give every label the id of its row")
        answer = _answer(place, line)
        if (known := answers.setdefault(line.id, answer)) != answer:
            raise PoolError(f"{place}, {line.where}: id {line.id!r} has {answer}, and {known} further up. Keep one")
    return gather(answers, listed=listed)


def _answer(place: str, line: Line) -> Answer:
    try:
        status = Status(line.status or Status.labelled)
    except ValueError:
        raise PoolError(
            f"{place}, {line.where}: the status of {line.id!r} is {line.status!r}. Use {', '.join(Status)} or nothing"
        ) from None
    if status is not Status.labelled:
        return Answer(status)
    if not line.label.strip():
        raise PoolError(f"{place}, {line.where}: the label of {line.id!r} is empty. Fill it in, or remove the row")
    return Answer(status, line.label)


def _names(header: list[str], with_status: bool) -> tuple[str, ...]:
    return ("id", "label", "status") if with_status and "status" in header else ("id", "label")


def _read_csv(place: str, content: bytes, with_status: bool) -> Iterator[Line]:
    lines = csv.reader(io.StringIO(_decode(place, content), newline=""), strict=True)
    try:
        header = next(lines, [])
        columns = [_column(place, header, name) for name in _names(header, with_status)]
        for row in lines:
            if row and len(row) != len(header):
                raise PoolError(
                    f"{place}, line {lines.line_num}: {len(row)} fields, the header has {len(header)}. "
                    'Put text with commas, quotes or line breaks in "double quotes"'
                )
            if row:
                yield Line(f"line {lines.line_num}", *(row[column] for column in columns))
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


def _read_parquet(place: str, content: bytes, with_status: bool) -> Iterator[Line]:
    try:
        table = pq.read_table(pa.BufferReader(content), use_threads=False)
    except (pa.ArrowException, OSError) as error:
        problem = str(error).partition("\n")[0]
        raise PoolError(f"{place}: cannot be read as parquet ({problem}). Write the file again") from error
    columns = [_texts(place, table, name) for name in _names(table.schema.names, with_status)]
    for number, texts in enumerate(zip(*columns, strict=True)):
        yield Line(f"row {number}", *(text or "" for text in texts))


def _texts(place: str, table: pa.Table, name: str) -> list[str | None]:
    _column(place, table.schema.names, name)
    kind = table.schema.field(name).type
    if not (pa.types.is_integer(kind) or pa.types.is_boolean(kind) or ids.is_text(kind)):
        raise PoolError(f"{place}: column {name} is {kind}. Store it as text or whole numbers")
    texts: list[str | None] = table[name].cast(pa.large_string()).to_pylist()
    return texts


_READERS = {"csv": _read_csv, "parquet": _read_parquet}
