"""Vectors of an earlier round, taken over row by row: only rows that were not there are embedded."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from afray.runtime.embedding import EmbedPlan, compute_part, read_rows, store_part
from afray.runtime.vectors import VECTORS, read_vectors
from afray.runtime.worker import WorkerContext
from afray.storage.commits import Commit, Fence
from afray.storage.store import Store

F32 = NDArray[np.float32]
I64 = NDArray[np.int64]
NEW = -1
"""Stands for the pool id of a row that the earlier round did not have."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StoredVectors:
    """Everything that an earlier round embedded, part by part."""

    output: Store
    parts: tuple[Commit, ...]
    shard_size: int


def match_all(rows: int, shard_size: int) -> Iterator[I64]:
    """Of each part of a pool that is the same as in the earlier round, the pool ids there: those of its rows here."""
    starts = range(0, rows, shard_size)
    return (np.arange(start, min(start + shard_size, rows), dtype=np.int64) for start in starts)


def take_over_part(
    context: WorkerContext,
    plan: EmbedPlan,
    number: int,
    name: str,
    output: Store,
    fence: Fence,
    stored: StoredVectors,
    earlier_ids: I64,
) -> Commit:
    """Task: commit one part of the index as `name`; `earlier_ids` (n,) are its rows' pool ids in the earlier round."""
    part = plan.index.read_part(number)
    known, new = np.flatnonzero(earlier_ids != NEW), np.flatnonzero(earlier_ids == NEW)
    pieces = [_take(stored, earlier_ids[known])] if len(known) else []
    if len(new):
        pieces.append(compute_part(context, plan, part.take(pa.array(new))))
    order = np.argsort(np.concatenate([known, new]))
    table = pa.concat_tables([piece[1] for piece in pieces]).take(pa.array(order))
    table = table.set_column(0, table.schema.field("pool_id"), part["pool_id"])
    vectors = np.concatenate([piece[0] for piece in pieces])[order]
    devices = sorted({device for piece in pieces for device in piece[2].split(" + ")})
    return store_part(context, plan, name, (vectors, table, " + ".join(devices)), output, fence, reused=len(known))


def _take(stored: StoredVectors, pool_ids: I64) -> tuple[F32, pa.Table, str]:
    """Vectors, facts and device classes of rows of the earlier round (ascending)."""
    numbers = pool_ids // stored.shard_size
    vectors, tables, devices = [], [], set()
    for number in np.unique(numbers).tolist():
        part = stored.parts[number]
        places = pool_ids[numbers == number] - number * stored.shard_size
        vectors.append(read_vectors(stored.output, part.blobs[VECTORS])[places])
        tables.append(read_rows(stored.output, part).take(pa.array(places)))
        devices |= set(str(part.facts["device"]).split(" + "))
    return np.concatenate(vectors), pa.concat_tables(tables), " + ".join(sorted(devices))
