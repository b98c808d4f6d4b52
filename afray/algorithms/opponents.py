"""Foreign centres of a row, by canonical distance: the nearest one, and as many more as a decision asks for.

The assignment left a list of candidates per row. Distances are measured when needed: most rows need one in their life.
A list proves itself: centres nearer than the bound for unlisted ones are certain; where that is not enough, all are
measured for that one row.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from afray.algorithms import numerics
from afray.algorithms.cluster import Cluster
from afray.algorithms.jit import compiled
from afray.algorithms.sorted_lists import FAR, insert

F64 = NDArray[np.float64]
I32 = NDArray[np.int32]
I64 = NDArray[np.int64]
Mask = NDArray[np.bool_]


class Opponents(NamedTuple):
    """Foreign centres of each row, nearest first, ties to the lower centre; filled row by row on demand."""

    ticks: I64
    """Distances (n, w), FAR beyond the end of a list."""
    centres: I32
    """(n, w)"""
    floor: I64
    """Each centre that is not in the list is at least this far (n,); -1 while the list has not been made."""


@compiled
def nearest_opponents(cluster: Cluster, kept: Mask, ticks: I64, centres: I64) -> None:
    """Fill in each kept row's nearest foreign centre and its distance; ties go to the lower centre. K >= 2."""
    for row in range(len(kept)):
        if kept[row]:
            best, best_ticks, is_certain = nearest_listed(cluster, row)
            if not is_certain:
                best, best_ticks = nearest_of_all(cluster, row)
            centres[row] = best
            ticks[row] = best_ticks


@compiled
def nearest_listed(cluster: Cluster, row: int) -> tuple[int, int, bool]:
    """The nearest of the listed foreign centres, its ticks, and whether an unlisted one is out of the question."""
    best, best_ticks = -1, FAR
    limit = -np.inf
    length = cluster.listed.shape[1]
    for p in range(length):
        centre = cluster.listed[row, p]
        if centre == cluster.own or centre < 0:
            continue
        score = np.float64(cluster.scores[row, p])
        if best < 0:
            limit = score - 2.0 * cluster.slack
        if score < limit:
            return best, best_ticks, True
        ticks = numerics.distance_ticks(cluster.rows, row, cluster.centres, centre)
        if ticks < best_ticks or (ticks == best_ticks and centre < best):
            best, best_ticks = int(centre), ticks
    return best, best_ticks, cluster.is_closed or length == len(cluster.centres)


@compiled
def all_opponents(cluster: Cluster, row: int) -> I64:
    """Numbers of the foreign centres that play a part for a row, ascending: all, or those of a closed list."""
    numbers: I64 = np.arange(len(cluster.centres))
    if cluster.is_closed:
        numbers = np.sort(cluster.listed[row].astype(np.int64))
    others: I64 = numbers[(numbers >= 0) & (numbers != cluster.own)]
    return others


@compiled
def nearest_of_all(cluster: Cluster, row: int) -> tuple[int, int]:
    """The nearest foreign centre and its ticks, measuring every one."""
    best, best_ticks = -1, FAR
    for centre in all_opponents(cluster, row):
        ticks = numerics.distance_ticks(cluster.rows, row, cluster.centres, centre)
        if ticks < best_ticks:
            best, best_ticks = centre, ticks
    return best, best_ticks


@compiled
def list_candidates(cluster: Cluster, row: int, opponents: Opponents) -> None:
    """Make a row's list from its candidates. Those at or beyond the bound of unlisted centres prove nothing: cut."""
    floor = unlisted_floor(cluster, row)
    clear_list(opponents, row, floor)
    offered = 0
    for p in range(cluster.listed.shape[1]):
        centre = cluster.listed[row, p]
        if centre != cluster.own and centre >= 0:
            ticks = numerics.distance_ticks(cluster.rows, row, cluster.centres, centre)
            if ticks < floor:
                insert(opponents.ticks, opponents.centres, row, ticks, centre)
                offered += 1
    lower_floor(opponents, row, offered)


@compiled
def list_all(cluster: Cluster, row: int, opponents: Opponents) -> None:
    """Make a row's list from all foreign centres, as far as it goes."""
    clear_list(opponents, row, FAR)
    others = all_opponents(cluster, row)
    for centre in others:
        ticks = numerics.distance_ticks(cluster.rows, row, cluster.centres, centre)
        insert(opponents.ticks, opponents.centres, row, ticks, centre)
    lower_floor(opponents, row, len(others))


@compiled
def lower_floor(opponents: Opponents, row: int, offered: int) -> None:
    """Centres that fell out of a full list are at least as far as its last one."""
    last = opponents.ticks.shape[1] - 1
    if offered > last + 1:
        opponents.floor[row] = opponents.ticks[row, last]


@compiled
def clear_list(opponents: Opponents, row: int, floor: int) -> None:
    """Start a row's list. (Not for all rows at once: few are ever asked, and untouched memory costs nothing.)"""
    opponents.floor[row] = floor
    for p in range(opponents.ticks.shape[1]):
        opponents.ticks[row, p] = FAR


@compiled
def unlisted_floor(cluster: Cluster, row: int) -> int:
    """Ticks that a centre outside the row's candidates is away at least; FAR if all that count are candidates."""
    last = cluster.listed.shape[1] - 1
    if cluster.is_closed or last + 1 == len(cluster.centres):
        return FAR
    dim = cluster.rows.shape[1]
    norm = cluster.squared_norms[row] * (1.0 - (dim + 8) * numerics.U64)
    square = norm - 2.0 * (np.float64(cluster.scores[row, last]) + cluster.slack)
    return int(math.sqrt(max(square, 0.0)) * numerics.TICKS) - 1
