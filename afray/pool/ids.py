"""Ids of parquet rows: whole numbers, which sort by value, or text, which sorts by its UTF-8 bytes."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from afray.errors import PoolError


def is_text(kind: pa.DataType) -> bool:
    """Whether a column of this type holds text, also as categories."""
    if pa.types.is_dictionary(kind):
        return is_text(kind.value_type)
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def id_type(place: str, kind: pa.DataType) -> pa.DataType:
    """Return int64 or large_string; raises PoolError for a column type that cannot be ids."""
    if pa.types.is_integer(kind):
        return pa.int64()
    if is_text(kind):
        return pa.large_string()
    raise PoolError(f"{place}: column id is {kind}; ids are whole numbers or text. Cast the column")


def checked(place: str, column: pa.Array, kind: pa.DataType, start: int) -> pa.Array:
    """Return the ids as `kind`; raises PoolError for a null, empty, oversized or undecodable one.

    `start` is the number of the column's first row, for the message.
    """
    if column.null_count:
        row = start + pc.index(column.is_null(), True).as_py()
        raise PoolError(f"{place}, row {row}: the id is null. Every row needs its own id")
    try:
        ids = column.cast(kind)
        ids.validate(full=True)
    except pa.ArrowInvalid as error:
        raise PoolError(f"{place}: an id is beyond 64 bits or not UTF-8 ({error}). Store such ids as text") from error
    if kind == pa.large_string() and (row := pc.index(ids, pa.scalar("", kind)).as_py()) >= 0:
        raise PoolError(f"{place}, row {start + row}: the id is empty. Every row needs its own id")
    return ids
