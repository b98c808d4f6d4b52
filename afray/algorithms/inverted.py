"""Cores looked for in a few groups of cores only: an approximation that a spec may ask for (IVF, by its usual name).

    cores --k-means--> groups;   row --> its nearest groups --> the cores in them --> its nearest LISTED cores

Groups and cores are settled by canonical distances, as everywhere: what comes out does not depend on shards, blocks or
the product. It is not what looking at all cores gives: a row's nearest core may be in a group that was left out.
`recall` says how often, on a sample. A library for such searches would decide by float32 distances of its own order.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from afray.algorithms import assignment, candidates, draws, kmeans, numerics
from afray.algorithms.assignment import Assignment, Members
from afray.algorithms.candidates import Candidates, Scorer
from afray.algorithms.gemm import Compute
from afray.algorithms.jit import compiled
from afray.algorithms.precisions import FLOAT32
from afray.algorithms.shards import LocalShards, Shard, Shards, count_rows
from afray.algorithms.sorted_lists import FAR, insert

F32 = NDArray[np.float32]
I32 = NDArray[np.int32]
I64 = NDArray[np.int64]

LISTED = 24
"""Cores that a row knows: those that may be its own, and its opponents. Part of the result, unlike in exact lists."""
SPARE = 8
"""Scores listed beyond those wanted, so that what lies within their error is at hand."""
BLOCK = 2048
"""Rows looked at together: of those, a few dozen meet in each group."""
SAMPLED_ROWS = 1000


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Groups:
    """K cores in G groups, none empty."""

    centres: F32
    """(G, D)"""
    members: I32
    """Numbers of cores, group by group, ascending in each (K,)."""
    bounds: I64
    """Where each group begins in `members`, and K: (G + 1,)."""


def group(cores: F32, compute: Compute) -> Groups:
    """About sqrt(K) groups of K cores (K, D), by k-means."""
    local = LocalShards(cores)
    centres = kmeans.centres(local, max(1, round(math.sqrt(len(cores)))), 0, compute)
    (labels,) = local.map(assignment.nearest_step, centres, compute)
    filled, labels = np.unique(labels, return_inverse=True)
    bounds = np.concatenate([[0], np.cumsum(np.bincount(labels))])
    return Groups(
        centres=centres[filled],
        members=np.argsort(labels, kind="stable").astype(np.int32),
        bounds=bounds.astype(np.int64),
    )


def assign(shards: Shards, core_rows: I64, *, probes: int, compute: Compute) -> tuple[Assignment, Groups]:
    """Assign every row to the nearest core of its `probes` nearest groups. `core_rows` ascend, without repeats."""
    centres = shards.take(core_rows)
    groups = group(centres, compute)
    held = shards.hold(assign_step, core_rows, centres, groups, probes, compute)
    (sizes,) = shards.each(assignment.count_step, [len(core_rows)], held)
    return Assignment(sizes=sizes, held=held), groups


def assign_step(shard: Shard, core_rows: I64, centres: F32, groups: Groups, probes: int, compute: Compute) -> Members:
    """Label a shard's rows; a core always belongs to itself."""
    labels, found = search(shard.features, centres, groups, probes, compute)
    return assignment.to_members(shard, core_rows, labels, found)


def recall(shards: Shards, core_rows: I64, groups: Groups, probes: int, compute: Compute) -> float:
    """Share of a sample of rows whose nearest core of all is the one that was found."""
    total = count_rows(shards)
    rows = shards.take(draws.draw(total, min(total, SAMPLED_ROWS), 0, "recall"))
    centres = shards.take(core_rows)
    exact, _ = Scorer(centres, _fine(compute)).nearest(rows, assignment.LABEL_LIST)
    found, _ = search(rows, centres, groups, probes, compute)
    return float((exact == found).mean())


def search(rows: F32, centres: F32, groups: Groups, probes: int, compute: Compute) -> tuple[I32, Candidates]:
    """The nearest core of each of `rows` (n, D) in its `probes` nearest groups, and its LISTED nearest there.

    Lists that are longer than what there is end in -1.
    """
    fine, probed = _fine(compute), min(probes, len(groups.centres))
    wanted = min(LISTED, len(centres))
    labels = np.empty(len(rows), np.int32)
    listed, scores = np.empty((len(rows), wanted), np.int32), np.empty((len(rows), wanted), np.float32)
    scorer, half_norms = Scorer(groups.centres, fine), _half_norms(centres)
    numbers, bounds = np.arange(len(groups.centres), dtype=np.int32), np.array([0, len(groups.centres)])
    for start in range(0, len(rows), BLOCK):
        part = slice(start, start + BLOCK)
        block = rows[part]
        _, near = scorer.nearest(block, probed + SPARE)
        chosen = _choose(block, groups.centres, near, probed, np.zeros((len(block), 1), np.int32), numbers, bounds)
        offered = _offer(block, centres, half_norms, groups, chosen.centres, wanted + SPARE, fine)
        found = _choose(block, centres, offered, wanted, chosen.centres, groups.members, groups.bounds)
        listed[part], scores[part] = found.centres, found.scores
        labels[part] = nearest_listed(block, centres, found.centres, found.scores, _margin(block, centres))
    return labels, Candidates(listed, scores)


def _fine(compute: Compute) -> Compute:
    """Products of few rows and few cores gain nothing by coarser scores."""
    return replace(compute, proposals=FLOAT32.name, device="cpu")


def _half_norms(centres: F32) -> F32:
    squares: NDArray[np.float64] = (centres.astype(np.float64) ** 2).sum(axis=1)
    return (0.5 * squares).astype(np.float32)


def _offer(
    block: F32, centres: F32, half_norms: F32, groups: Groups, probed: I32, length: int, compute: Compute
) -> Candidates:
    """The cores of largest score in the groups that each row looks at: lists of `length`, best first, -1 at the end."""
    shape = (len(block), length)
    found = Candidates(np.full(shape, -1, np.int32), np.full(shape, -np.inf, np.float32))
    order = np.argsort(probed, axis=None, kind="stable")
    edges = np.searchsorted(probed.ravel()[order], np.arange(len(groups.centres) + 1))
    for number in np.flatnonzero(np.diff(edges)).tolist():
        rows = order[edges[number] : edges[number + 1]] // probed.shape[1]
        for first in range(int(groups.bounds[number]), int(groups.bounds[number + 1]), candidates.TILE):
            last = min(first + candidates.TILE, int(groups.bounds[number + 1]))
            members = groups.members[first:last]
            product = np.empty((len(rows), last - first), np.float32)
            compute.product(block[rows], np.ascontiguousarray(centres[members].T), product)
            lists = Candidates(found.centres[rows], found.scores[rows])
            candidates.merge_tile(product, half_norms[members], first, lists.centres, lists.scores)
            found.centres[rows], found.scores[rows] = lists.centres, lists.scores
    places = found.centres
    return Candidates(np.where(places < 0, -1, groups.members[places]).astype(np.int32), found.scores)


def _choose(
    block: F32, centres: F32, offered: Candidates, count: int, worlds: I32, members: I32, bounds: I64
) -> Candidates:
    chosen = Candidates(np.full((len(block), count), -1, np.int32), np.full((len(block), count), -np.inf, np.float32))
    choose(
        np.ascontiguousarray(block), centres, offered.centres, offered.scores, _margin(block, centres),
        worlds, members, bounds, chosen.centres, chosen.scores,
    )  # fmt: skip
    return chosen


def _margin(block: F32, centres: F32) -> float:
    norms = candidates.largest_norm(block), candidates.largest_norm(centres)
    return 2.0 * candidates.slack(block.shape[1], *norms)


@compiled
def choose(
    rows: F32, centres: F32, listed: I32, scores: F32, margin: float,
    worlds: I32, members: I32, bounds: I64, chosen: I32, chosen_scores: F32,
) -> None:  # fmt: skip
    """Of each row's world the canonically nearest centres, as many as `chosen` has room for; ties to the lower one.

    A world is the members of some groups, by their numbers in `worlds`. What is listed with a score above the last
    place by more than the margin is in, what is below it by more is out; between, distances are measured. A list that
    is full and ends within the margin leaves all of the world to be measured.
    """
    wanted, length = chosen.shape[1], listed.shape[1]
    for i in range(len(rows)):
        count, size = 0, 0
        while count < length and listed[i, count] >= 0:
            count += 1
        for w in range(worlds.shape[1]):
            size += bounds[worlds[i, w] + 1] - bounds[worlds[i, w]]
        threshold = np.float64(scores[i, wanted - 1]) if count >= wanted else -np.inf
        taken = 0
        if count < size and scores[i, count - 1] >= threshold - margin:
            rest = world_of(worlds[i], members, bounds, size)
        else:
            while taken < min(count, wanted) and scores[i, taken] > threshold + margin:
                chosen[i, taken], chosen_scores[i, taken] = listed[i, taken], scores[i, taken]
                taken += 1
            last = taken
            while last < count and scores[i, last] >= threshold - margin:
                last += 1
            rest = listed[i, taken:last].astype(np.int64)
        add_nearest(rows, i, centres, rest, chosen, chosen_scores, taken)


@compiled
def world_of(groups: I32, members: I32, bounds: I64, size: int) -> I64:
    """The members of some groups."""
    world, place = np.empty(size, np.int64), 0
    for group in groups:
        for m in range(bounds[group], bounds[group + 1]):
            world[place] = members[m]
            place += 1
    return world


@compiled
def add_nearest(rows: F32, i: int, centres: F32, numbers: I64, chosen: I32, chosen_scores: F32, taken: int) -> None:
    """Fill what is left of a row's list with the nearest of some centres, and with the scores of their distances."""
    room = min(chosen.shape[1] - taken, len(numbers))
    ticks, nearest = np.full((1, room), FAR), np.empty((1, room), np.int64)
    for number in numbers:
        insert(ticks, nearest, 0, numerics.distance_ticks(rows, i, centres, number), number)
    square = numerics.dot(rows, i, rows, i)
    for p in range(room):
        distance = ticks[0, p] / numerics.TICKS
        chosen[i, taken + p] = nearest[0, p]
        chosen_scores[i, taken + p] = 0.5 * (square - distance * distance)


@compiled
def nearest_listed(rows: F32, centres: F32, listed: I32, scores: F32, margin: float) -> I32:
    """Of each row's list the canonically nearest centre, ties to the lower one: (n,)."""
    nearest = np.empty(len(rows), np.int32)
    for i in range(len(rows)):
        best, best_ticks = listed[i, 0], FAR
        limit = np.float64(scores[i, 0]) - margin
        is_alone = listed.shape[1] == 1 or scores[i, 1] < limit
        for p in range(0 if is_alone else listed.shape[1]):
            if listed[i, p] < 0 or scores[i, p] < limit:
                break
            ticks = numerics.distance_ticks(rows, i, centres, listed[i, p])
            if ticks < best_ticks or (ticks == best_ticks and listed[i, p] < best):
                best, best_ticks = listed[i, p], ticks
        nearest[i] = best
    return nearest
