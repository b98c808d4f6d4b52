"""Vectors that are stored in the pool itself."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from afray.errors import PoolError
from afray.pool import parquet
from afray.pool.rows import DIMENSION, Pool, StoredFile
from afray.storage.store import Store

F32 = NDArray[np.float32]
I64 = NDArray[np.int64]

_BATCH_ROWS = 4_096


def read_vectors(pool: Pool, source: Store, part: pa.Table) -> F32:
    """Vectors of a part of an `embeddings` pool, in its order: (n, D). A null vector or number becomes NaN.

    Raises PoolError for a vector of another length than the first one's, ObjectChanged for a file that was replaced.
    """
    assert pool.format == "embeddings", f"a pool of {pool.format} stores no vectors"
    dimension = int(part.schema.metadata[DIMENSION.encode()])
    vectors = np.full((len(part), dimension), np.nan, np.float32)
    ids = part["id"]
    for file, groups in _rows_by_group(part).items():
        with parquet.opened(source, file) as opened:
            for number, members in groups.items():
                rows, positions = np.array(sorted(members), np.int64).T
                for here, column in _stream(opened, number, rows):
                    vectors[positions[here]] = _to_array(column, dimension, ids.take(pa.array(positions[here])))
    return vectors


def _rows_by_group(part: pa.Table) -> dict[StoredFile, dict[int, list[tuple[int, int]]]]:
    """Pairs of row and position of a part, by file and row group."""
    found: dict[StoredFile, dict[int, list[tuple[int, int]]]] = defaultdict(lambda: defaultdict(list))
    for position, row in enumerate(part.select(["key", "size", "etag", "row_group", "row"]).to_pylist()):
        file = StoredFile(row["key"], row["size"], row["etag"])
        found[file][row["row_group"]].append((row["row"], position))
    return found


def _stream(opened: pq.ParquetFile, group: int, rows: I64) -> Iterator[tuple[slice, pa.Array]]:
    """Yield the vectors of `rows` of a row group, batch by batch: which of the rows, and their lists.

    Nothing is read behind the last of them.
    """
    start = 0
    for batch in opened.iter_batches(_BATCH_ROWS, row_groups=[group], columns=["embedding"], use_threads=False):
        first, last = np.searchsorted(rows, [start, start + len(batch)])
        if first < last:
            yield slice(first, last), batch.column(0).take(pa.array(rows[first:last] - start))
        if last == len(rows):
            return
        start += len(batch)


def _to_array(column: pa.Array, dimension: int, ids: pa.ChunkedArray) -> F32:
    """Lists as (n, dimension) float32, NaN where a list is null."""
    lengths = pc.list_value_length(column)
    is_wrong = pc.fill_null(pc.not_equal(lengths, dimension), False)
    if (wrong := pc.index(is_wrong, True).as_py()) >= 0:
        raise PoolError(
            f"row {ids[wrong].as_py()!r} has a vector of {lengths[wrong].as_py()} numbers, others have {dimension}. "
            "Store vectors of one model in one pool"
        )
    is_given = column.is_valid().to_numpy(zero_copy_only=False)
    vectors = np.full((len(column), dimension), np.nan, np.float32)
    numbers = pc.list_flatten(column.drop_null()).cast(pa.float32())
    vectors[is_given] = numbers.to_numpy(zero_copy_only=False).reshape(-1, dimension)
    return vectors
