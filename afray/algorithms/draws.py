"""Seeded draws without replacement that any shard can compute for its own rows.

Every row has a key, a bijective hash of its number, so that no two keys are equal; a draw takes the smallest keys. The
result depends on (total, count, seed, stream) alone: not on shards, and not on a library's random generator, whose
stream may change with its version. A smaller draw is part of every larger one of the same stream. Rows that are taken
are left out by counting on over them, so with none taken a draw is what it is without the question.
"""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray

I64 = NDArray[np.int64]
U64 = NDArray[np.uint64]

NO_ROWS: I64 = np.empty(0, np.int64)
SLICE = 1 << 20
"""Rows hashed at once while looking for the smallest keys, so that a draw from 10**9 rows needs no 8 GB."""


def salt(seed: int, stream: str) -> np.uint64:
    """The one number that sets a stream of draws apart from all others."""
    digest = hashlib.blake2b(f"{seed}/{stream}".encode(), digest_size=8).digest()
    return np.uint64(int.from_bytes(digest, "little"))


def keys(rows: I64, salt: np.uint64) -> U64:
    """The key of each row: splitmix64's output function, every step of which is a bijection of 64 bits."""
    mixed = rows.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15) + salt
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))


def largest_key(total: int, count: int, seed: int, stream: str) -> np.uint64:
    """The `count`-th smallest key of rows 0..total-1: a row is drawn if its key is not above it. Needs 1 <= count."""
    return np.uint64(np.max(_smallest(total, count, salt(seed, stream))[1]))


def draw(total: int, count: int, seed: int, stream: str, taken: I64 = NO_ROWS) -> I64:
    """`count` of the rows 0..total-1 that are not `taken` (ascending), each subset equally likely: ascending int64.

    Needs 0 <= count <= total - len(taken).
    """
    return np.sort(order(total, count, seed, stream, taken))


def order(total: int, count: int, seed: int, stream: str, taken: I64 = NO_ROWS) -> I64:
    """The rows of `draw` in the order they are drawn, each order equally likely."""
    places, place_keys = _smallest(total - len(taken), count, salt(seed, stream))
    drawn = places[np.argsort(place_keys)]
    # So many free rows lie below each taken one: a place counts free rows only.
    free_below = taken - np.arange(len(taken))
    return drawn + np.searchsorted(free_below, drawn, side="right")


def _smallest(total: int, count: int, salt: np.uint64) -> tuple[I64, U64]:
    """The `count` rows with the smallest keys, in no order, and their keys."""
    assert 0 <= count <= total, f"cannot draw {count} of {total} rows"
    rows, row_keys = np.empty(0, np.int64), np.empty(0, np.uint64)
    for start in range(0, total, SLICE):
        more = np.arange(start, min(start + SLICE, total), dtype=np.int64)
        rows = np.concatenate([rows, more])
        row_keys = np.concatenate([row_keys, keys(more, salt)])
        if count < len(rows):
            smallest = np.argpartition(row_keys, count)[:count]
            rows, row_keys = rows[smallest], row_keys[smallest]
    return rows, row_keys
