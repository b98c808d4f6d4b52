"""From free vectors to rows: every centre takes, in index order, its nearest row that is not taken yet.

Workers propose a short list of nearest rows per centre; the driver merges the lists and hands out rows. Centres that
lie close together (or pools full of copies) exhaust each other's lists: then the remaining centres ask again, with
lists twice as long and without the rows already taken. The length of a list is a matter of speed, never of the result.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from afray.algorithms import numerics
from afray.algorithms.closeness import closeness, lowest_closeness
from afray.algorithms.draws import NO_ROWS
from afray.algorithms.gemm import Compute
from afray.algorithms.jit import compiled
from afray.algorithms.shards import Shard, Shards

F32 = NDArray[np.float32]
I64 = NDArray[np.int64]

FIRST_WIDTH = 8
"""Rows per list at first."""
TILE = 1024
"""Centres per product."""
CHUNK = 64
"""Rows looked at together: most chunks hold no row near enough, and finding that out takes no branch per row."""
NOTHING = np.iinfo(np.int64).max
"""Fills the end of a list that is shorter than its width; sorts behind every distance and every row."""


@dataclass(frozen=True, slots=True, eq=False)
class NearestRows:
    """Per centre its nearest free rows within one shard, ascending by (ticks, row): both are (K, width)."""

    ticks: I64
    rows: I64


def snap(shards: Shards, centres: F32, compute: Compute, taken: I64 = NO_ROWS) -> I64:
    """The row of each of K centres (K, D): the nearest that no centre before it took, ties to the lower row.

    Nearest by canonical distance. Rows in `taken` are not there. Needs K <= rows.
    """
    rows = np.empty(0, np.int64)
    width = FIRST_WIDTH
    while len(rows) < len(centres):
        lists = shards.map(nearest_rows, centres[len(rows) :], width, np.sort(np.concatenate([rows, taken])), compute)
        rows = np.concatenate([rows, _hand_out(lists)])
        width *= 2
    return rows


def nearest_rows(shard: Shard, centres: F32, width: int, taken: I64, compute: Compute) -> NearestRows:
    """The lists of one shard, without the rows in `taken` (ascending)."""
    shape = (len(centres), width)
    found = NearestRows(np.full(shape, NOTHING, np.int64), np.full(shape, NOTHING, np.int64))
    free = np.isin(shard.rows, taken, invert=True)
    for first in range(0, len(shard.features), compute.block):
        block = slice(first, first + compute.block)
        start = shard.start + first
        for tile in (slice(tile, tile + TILE) for tile in range(0, len(centres), TILE)):
            lists = NearestRows(found.ticks[tile], found.rows[tile])
            _merge_block(shard.features[block], free[block], start, centres[tile], lists, compute)
    return found


def _merge_block(
    block: F32, free: NDArray[np.bool_], start: int, centres: F32, found: NearestRows, compute: Compute
) -> None:
    near = closeness(centres, block, compute)
    near.values[:, ~free] = -np.inf
    _insert_near(near.values, near.error, block, start, centres, found.ticks, found.rows)


@compiled
def _insert_near(values: F32, error: float, block: F32, start: int, centres: F32, ticks: I64, rows: I64) -> None:
    """Put into each centre's list every row of the block that is nearer than the last one listed.

    Rows arrive in ascending order, so among equals the one in front stays in front.
    """
    last = ticks.shape[1] - 1
    for k in range(values.shape[0]):
        lowest = lowest_closeness(ticks[k, last], error)
        for first in range(0, values.shape[1], CHUNK):
            end = min(first + CHUNK, values.shape[1])
            count = 0
            for i in range(first, end):
                count += values[k, i] >= lowest
            if count == 0:
                continue
            for i in range(first, end):
                if values[k, i] >= lowest:
                    distance = numerics.distance_ticks(block, i, centres, k)
                    if distance < ticks[k, last]:
                        _insert(ticks[k], rows[k], distance, start + i)
                        lowest = lowest_closeness(ticks[k, last], error)


@compiled
def _insert(ticks: I64, rows: I64, distance: int, row: int) -> None:
    place = len(ticks) - 1
    while place > 0 and ticks[place - 1] > distance:
        ticks[place] = ticks[place - 1]
        rows[place] = rows[place - 1]
        place -= 1
    ticks[place] = distance
    rows[place] = row


def _hand_out(lists: list[NearestRows]) -> I64:
    """Rows of the first centres, up to the centre whose lists may have run out."""
    ticks = np.concatenate([found.ticks for found in lists], axis=1)
    rows = np.concatenate([found.rows for found in lists], axis=1)
    ends = [(found.ticks[:, -1], found.rows[:, -1]) for found in lists]
    given: dict[int, None] = {}
    for centre in range(len(ticks)):
        # A full list hides every row that comes after its last one.
        known = min((int(end_ticks[centre]), int(end_rows[centre])) for end_ticks, end_rows in ends)
        row = _first_free(ticks[centre], rows[centre], known, given)
        if row is None:
            break
        given[row] = None
    return np.array(list(given), np.int64)


def _first_free(ticks: I64, rows: I64, known: tuple[int, int], given: dict[int, None]) -> int | None:
    for position in np.lexsort((rows, ticks)):
        candidate = (int(ticks[position]), int(rows[position]))
        if candidate > known or candidate[0] == NOTHING:
            return None
        if candidate[1] not in given:
            return candidate[1]
    return None
