"""Label files: a class for each of some rows, found by the row's id and by nothing else.

Rows are never matched by position or file name: that is how labels end up on the wrong image.
"""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Iterable, Iterator, Mapping
from typing import Protocol

import pyarrow as pa
import pyarrow.parquet as pq

from afray.errors import IntegrityError, PoolError
from afray.pool import ids
from afray.storage.store import locate

_NAMED = 5


class LabelFile(Protocol):
    """What this module needs to know of a labels block."""

    @property
    def uri(self) -> str:
        """Address of the file."""
        ...

    @property
    def format(self) -> str:
        """csv or parquet."""
        ...


def read_labels(
    file: LabelFile, environment: Mapping[str, str] | None = None, *, sha256: str | None = None
) -> dict[str, str]:
    """Return label by id, in the order of the file; whole numbers become text.

    Raises PoolError for a file that cannot be read as what it claims, that lacks a column, is empty, leaves an id or a
    label empty, or gives one id two labels; IntegrityError if its sha256 is another; StorageError if it is not there.
    """
    store, key = locate(file.uri, environment=environment)
    place, content = store.address(key), store.read(key)
    if sha256 is not None and (found := hashlib.sha256(content).hexdigest()) != sha256.lower():
        raise IntegrityError(
            f"{place}: its sha256 is {found}, and the spec says {sha256}. Restore the file, or correct labels.sha256"
        )
    read = {"csv": _read_csv, "parquet": _read_parquet}[file.format]
    return _collect(place, read(place, content))


def check_known(labels: Mapping[str, str], known_ids: Iterable[str]) -> None:
    """Raise PoolError if labels name ids that are not among the known ones (any number, in any order)."""
    unknown = dict.fromkeys(labels)
    example = None
    for known in known_ids:
        example = example or known
        unknown.pop(known, None)
    if unknown:
        named = ", ".join(map(repr, list(unknown)[:_NAMED]))
        more = f" and {len(unknown) - _NAMED} more" if len(unknown) > _NAMED else ""
        raise PoolError(
            f"labels: {len(unknown)} of {len(labels)} ids are unknown: {named}{more}. "
            f"An id of this pool looks like {example!r}; correct the column id of the label file"
        )


def _collect(place: str, rows: Iterable[tuple[str, str, str]]) -> dict[str, str]:
    """Gather (where, id, label), each checked."""
    labels: dict[str, str] = {}
    for where, row_id, label in rows:
        if not row_id:
            raise PoolError(f"{place}, {where}: the id is empty. Give every label the id of its row")
        if not label.strip():
            raise PoolError(f"{place}, {where}: the label of {row_id!r} is empty. Fill it in, or remove the row")
        if labels.setdefault(row_id, label) != label:
            raise PoolError(
                f"{place}, {where}: id {row_id!r} has label {label!r}, and {labels[row_id]!r} further up. Keep one"
            )
    if not labels:
        raise PoolError(f"{place}: no labels in it. Add a row for each labelled id")
    return labels


def _read_csv(place: str, content: bytes) -> Iterator[tuple[str, str, str]]:
    lines = csv.reader(io.StringIO(_decode(place, content), newline=""), strict=True)
    try:
        header = next(lines, [])
        id_column, label_column = (_column(place, header, name) for name in ("id", "label"))
        for row in lines:
            if row and len(row) != len(header):
                raise PoolError(
                    f"{place}, line {lines.line_num}: {len(row)} fields, the header has {len(header)}. "
                    'Put text with commas, quotes or line breaks in "double quotes"'
                )
            if row:
                yield f"line {lines.line_num}", row[id_column], row[label_column]
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


def _read_parquet(place: str, content: bytes) -> Iterator[tuple[str, str, str]]:
    try:
        table = pq.read_table(pa.BufferReader(content), use_threads=False)
    except (pa.ArrowException, OSError) as error:
        problem = str(error).partition("\n")[0]
        raise PoolError(f"{place}: cannot be read as parquet ({problem}). Write the file again") from error
    columns = [_texts(place, table, name) for name in ("id", "label")]
    for number, (row_id, label) in enumerate(zip(*columns, strict=True)):
        yield f"row {number}", row_id or "", label or ""


def _texts(place: str, table: pa.Table, name: str) -> list[str | None]:
    _column(place, table.schema.names, name)
    kind = table.schema.field(name).type
    if not (pa.types.is_integer(kind) or pa.types.is_boolean(kind) or ids.is_text(kind)):
        raise PoolError(f"{place}: column {name} is {kind}. Store it as text or whole numbers")
    texts: list[str | None] = table[name].cast(pa.large_string()).to_pylist()
    return texts
