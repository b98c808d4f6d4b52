"""Parquet files of a pool: their columns checked, their ids read without the images or vectors beside them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from afray.errors import PoolError
from afray.pool import ids
from afray.pool.naming import Ignored
from afray.pool.ranges import RangeFile
from afray.pool.rows import StoredFile
from afray.pool.scans import Scan
from afray.storage.addresses import SCHEMES
from afray.storage.store import Store

WINDOW = 64 * 1024
_ID_BATCH = 65_536
_COLUMN_BUFFER = 8 * 1024 * 1024
_ABSOLUTE = "^[A-Za-z][A-Za-z0-9+.-]*://"
_KNOWN_SCHEME = f"^({'|'.join(SCHEMES)})://"


@contextmanager
def opened(source: Store, file: StoredFile) -> Iterator[pq.ParquetFile]:
    """Give the open parquet file; errors of the format become a PoolError that names it."""
    try:
        # Buffered columns: a row group is streamed, however large it is, never held as a whole.
        ranges = RangeFile(source, file, window=WINDOW)
        with pq.ParquetFile(ranges, buffer_size=_COLUMN_BUFFER, pre_buffer=False) as parquet:
            yield parquet
    except (pa.ArrowException, OSError) as error:
        problem = str(error).partition("\n")[0]
        raise PoolError(
            f"{source.address(file.key)}: cannot be read as parquet ({problem}). "
            "Write the file again, or move it out of the pool"
        ) from error


def scan_images(source: Store, file: StoredFile, *, limit: int | None = None) -> Scan:
    """List the rows of a `parquet` pool's file: id, row_group, row, and uri where there is no image column.

    `limit` ends the look early, here and in `scan_vectors`.
    """
    with opened(source, file) as parquet:
        place = source.address(file.key)
        schema = parquet.schema_arrow
        column = image_column(place, schema)
        rows = _read_ids(place, parquet, limit, extra=column if column == "uri" else None)
    if column == "image":
        return Scan(rows.append_column("uri", pa.nulls(len(rows), pa.large_string())), Ignored())
    _require_known_schemes(place, rows)
    return Scan(rows, Ignored())


def scan_vectors(source: Store, file: StoredFile, *, limit: int | None = None) -> Scan:
    """List the rows of an `embeddings` pool's file: id, row_group, row; dimension of its vectors, bits per number."""
    with opened(source, file) as parquet:
        place = source.address(file.key)
        _require_columns(place, parquet.schema_arrow, "id", "embedding")
        dimension = vector_dimension(place, parquet)
        bits = parquet.schema_arrow.field("embedding").type.value_type.bit_width
        rows = _read_ids(place, parquet, limit)
    rows = rows.append_column("dimension", pa.array([dimension] * len(rows), pa.int32()))
    return Scan(rows.append_column("bits", pa.array(np.full(len(rows), bits, np.int8))), Ignored())


def image_column(place: str, schema: pa.Schema) -> str:
    """Name of the column that holds the images: `image` (bytes), else `uri`; raises PoolError if neither fits."""
    _require_columns(place, schema, "id")
    if "image" in schema.names:
        kind = schema.field("image").type
        if pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
            return "image"
        raise PoolError(f"{place}: column image is {kind}, not binary. Store the bytes of an image file in each row")
    if "uri" not in schema.names:
        raise _missing(place, schema, "image (binary) or uri (text)")
    if not ids.is_text(schema.field("uri").type):
        raise PoolError(f"{place}: column uri is {schema.field('uri').type}, not text. Store addresses as strings")
    return "uri"


def vector_dimension(place: str, parquet: pq.ParquetFile) -> int | None:
    """Numbers per vector: from the type, else from the first vector; None if there is none."""
    kind = parquet.schema_arrow.field("embedding").type
    is_fixed = pa.types.is_fixed_size_list(kind)
    is_list = is_fixed or pa.types.is_list(kind) or pa.types.is_large_list(kind)
    if not is_list or not pa.types.is_floating(kind.value_type):
        raise PoolError(f"{place}: column embedding is {kind}, not a list of floats. Store list<float32>")
    if is_fixed:
        return int(kind.list_size)
    for batch in parquet.iter_batches(batch_size=16, columns=["embedding"], use_threads=False):
        lengths = pc.list_value_length(batch.column(0)).drop_null()
        if len(lengths):
            return int(lengths[0].as_py())
    return None


def _read_ids(place: str, parquet: pq.ParquetFile, limit: int | None, *, extra: str | None = None) -> pa.Table:
    """Table of id (int64 or text), row_group, row, and the extra column as text."""
    kind = ids.id_type(place, parquet.schema_arrow.field("id").type)
    schema = pa.schema([("id", kind), ("row_group", pa.int32()), ("row", pa.int32())])
    schema = schema.append(pa.field(extra, pa.large_string())) if extra else schema
    batches: list[pa.RecordBatch] = []
    for group, start, batch in _batches(parquet, ["id", extra] if extra else ["id"], limit):
        count = len(batch)
        arrays = [
            ids.checked(f"{place}, row group {group}", batch.column("id"), kind, start),
            pa.array(np.full(count, group, np.int32)),
            pa.array(np.arange(start, start + count, dtype=np.int32)),
        ]
        # A row without an address is a missing image, not a broken pool.
        arrays += [pc.fill_null(batch.column(extra).cast(pa.large_string()), "")] if extra else []
        batches.append(pa.RecordBatch.from_arrays(arrays, schema=schema))
    return pa.Table.from_batches(batches, schema)


def _batches(
    parquet: pq.ParquetFile, columns: list[str], limit: int | None
) -> Iterator[tuple[int, int, pa.RecordBatch]]:
    """Yield (row group, number of its first row, rows) until `limit` rows were read."""
    left = parquet.metadata.num_rows if limit is None else limit
    for group in range(parquet.num_row_groups):
        start = 0
        size = min(_ID_BATCH, max(left, 1))
        for batch in parquet.iter_batches(size, row_groups=[group], columns=columns, use_threads=False):
            if left <= 0:
                return
            yield group, start, batch.slice(0, left)
            start += len(batch)
            left -= len(batch)


def _require_known_schemes(place: str, rows: pa.Table) -> None:
    uris = rows["uri"]
    is_absolute = pc.match_substring_regex(uris, _ABSOLUTE)
    unknown = rows.filter(pc.and_not(is_absolute, pc.match_substring_regex(uris, _KNOWN_SCHEME)))
    if len(unknown):
        raise PoolError(
            f"{place}: row {unknown['id'][0].as_py()!r} has uri {unknown['uri'][0].as_py()!r}, and {len(unknown)} rows "
            f"name a store of no known kind. Use {', '.join(SCHEMES)}://, or keys relative to the pool"
        )


def _require_columns(place: str, schema: pa.Schema, *names: str) -> None:
    for name in names:
        if name not in schema.names:
            raise _missing(place, schema, name)


def _missing(place: str, schema: pa.Schema, wanted: str) -> PoolError:
    found = ", ".join(schema.names) or "none"
    return PoolError(f"{place}: column {wanted} is missing; found: {found}. Rename or add the column")
