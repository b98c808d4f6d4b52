"""Which rows of an embedded pool take part: readable ones, and of exact copies the one with the lowest pool id."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from afray.errors import PoolError

I64 = NDArray[np.int64]
QUARANTINED = ["pool_id", "id", "reason", "detail"]
ANEW = "Then set another output.uri: this one keeps what was read."


@dataclass(frozen=True, kw_only=True, eq=False)
class KeptRows:
    """The rows of a pool by what became of them. Pool ids are contiguous, shard by shard."""

    listed: int
    quarantine: pa.Table
    """pool_id, id, reason, detail of the unreadable rows."""
    copies: I64
    """Pool ids of exact copies."""
    copy_of: I64
    """For each copy the pool id of the row that stands for it."""
    positions: tuple[I64, ...]
    """Per shard the positions of the rows that take part."""
    shard_starts: I64
    """Pool id of each shard's first row."""

    @property
    def readable(self) -> int:
        return self.listed - int(self.quarantine.num_rows)

    @property
    def unique(self) -> int:
        """N, the rows that the selection sees."""
        return self.readable - len(self.copies)

    @cached_property
    def row_starts(self) -> I64:
        """Row number of each shard's first kept row, and N at the end."""
        return np.cumsum([0, *map(len, self.positions)]).astype(np.int64)

    def pool_ids(self, rows: I64) -> I64:
        """Pool ids of row numbers."""
        shards = np.searchsorted(self.row_starts, rows, side="right") - 1
        found = np.empty(len(rows), np.int64)
        for shard in np.unique(shards):
            here = shards == shard
            found[here] = self.positions[shard][rows[here] - self.row_starts[shard]] + self.shard_starts[shard]
        return found

    def originals(self, pool_ids: I64) -> I64:
        """Pool ids with those of the rows that stand for them in place of copies."""
        place = np.searchsorted(self.copies, pool_ids)
        is_copy = np.isin(pool_ids, self.copies)
        found = pool_ids.copy()
        found[is_copy] = self.copy_of[place[is_copy]]
        return found

    def row_numbers(self, pool_ids: I64) -> I64:
        """Row numbers of pool ids; -1 for rows that do not take part."""
        shards = np.searchsorted(self.shard_starts, pool_ids, side="right") - 1
        found = np.full(len(pool_ids), -1, np.int64)
        for shard in np.unique(shards):
            here = np.flatnonzero(shards == shard)
            wanted = pool_ids[here] - self.shard_starts[shard]
            kept = self.positions[shard]
            place = np.searchsorted(kept, wanted)
            hit = (place < len(kept)) & (kept[np.minimum(place, len(kept) - 1)] == wanted) if len(kept) else place < 0
            found[here[hit]] = place[hit] + self.row_starts[shard]
        return found


def settle(shards: Iterable[pa.Table], *, collapse_copies: bool) -> KeptRows:
    """Sort the rows of a pool, given the row facts of its shards in order (pool_id, id, sha256, reason, detail).

    One shard's facts are in memory at a time; of all rows only what is asked for stays.
    """
    good_rows: list[NDArray[np.bool_]] = []
    quarantine: list[pa.Table] = []
    digests: list[pa.ChunkedArray] = []
    for shard in shards:
        good_rows.append(pc.is_null(shard["reason"]).to_numpy())
        quarantine.append(shard.select(QUARANTINED).filter(pa.array(~good_rows[-1])))
        if collapse_copies:
            digests.append(shard["sha256"])
    sizes = [len(rows) for rows in good_rows]
    shard_starts = np.cumsum([0, *sizes[:-1]]).astype(np.int64)
    good = np.concatenate(good_rows)
    copies, copy_of = find_copies(_chain(digests), good) if collapse_copies else (_none(), _none())
    kept = good.copy()
    kept[copies] = False
    positions = tuple(
        np.flatnonzero(kept[start : start + size]) for start, size in zip(shard_starts, sizes, strict=True)
    )
    return KeptRows(
        listed=len(good),
        quarantine=pa.concat_tables(quarantine),
        copies=copies,
        copy_of=copy_of,
        positions=positions,
        shard_starts=shard_starts,
    )


def _chain(columns: list[pa.ChunkedArray]) -> pa.ChunkedArray:
    return pa.chunked_array([chunk for column in columns for chunk in column.chunks], pa.string())


def find_copies(sha256: pa.ChunkedArray, good: NDArray[np.bool_]) -> tuple[I64, I64]:
    """Rows whose bytes occurred before, and the first row with those bytes; ascending."""
    readable = np.flatnonzero(good)
    codes = sha256.take(pa.array(readable)).combine_chunks().dictionary_encode().indices.to_numpy()
    # Codes count up in order of first occurrence, so each code's first row is where the running maximum grows.
    first = np.full(int(codes.max(initial=-1)) + 1, -1, np.int64)
    first[codes[::-1]] = readable[::-1]
    stands_for = first[codes]
    copy = stands_for != readable
    return readable[copy].astype(np.int64), stands_for[copy]


def check_quarantine(rows: KeptRows, ceiling: float, *, field: str, file: str) -> None:
    """Raises PoolError when more rows are unreadable than the spec allows, or when none is left; `file` lists them."""
    bad = rows.quarantine.num_rows
    common = Counter(rows.quarantine["reason"].to_pylist()).most_common(3)
    reasons = ", ".join(f"{count} {reason}" for reason, count in common)
    if bad == rows.listed:
        raise PoolError(
            f"{field}: all {bad} rows are unreadable ({reasons}). See {file} in the output for each; check "
            f"{field}.uri and {field}.format, and how rows are decoded (spec.pool.decode). {ANEW}"
        )
    if bad > ceiling * rows.listed:
        raise PoolError(
            f"{field}: {bad} of {rows.listed} rows are unreadable ({reasons}): {bad / rows.listed:.2%}, and "
            f"spec.pool.maxBadFraction allows {ceiling:.2%}. See {file} in the output for each; mend the "
            f"rows, or raise spec.pool.maxBadFraction if they may be left out. {ANEW}"
        )


def _none() -> I64:
    return np.empty(0, np.int64)
