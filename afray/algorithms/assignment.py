"""Which centre every row belongs to, and which others come near: the pass over the pool that all clusters rest on.

rows of a shard x centres  ->  label, m candidates per row     (stays with the worker)
sizes of all clusters      ->  barrier 1: budgets follow from them alone
rows of one cluster        ->  gathered from all shards, ascending, by `gather`
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from afray.algorithms import candidates, gemm
from afray.algorithms.shards import RowSource, Shard, Shards

F32 = NDArray[np.float32]
I32 = NDArray[np.int32]
I64 = NDArray[np.int64]

LABEL_LIST = 4
"""Candidates kept per row when only the nearest centre is asked for; more than four within the error bound are rare."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Members:
    """Rows with their nearest centre and candidate centres, grouped by label, ascending within a label."""

    rows: I64
    """Row numbers (n,)."""
    labels: I32
    """Position of each row's centre, ascending (n,)."""
    centres: I32
    """Candidate centres, best float32 score first (n, m). Any other centre scores at most the last one."""
    scores: F32
    """Scores of the candidates (n, m)."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Assignment:
    """All rows assigned. `sizes` (K,) counts rows per centre; `held` has one handle of a shard's `Members` each."""

    sizes: I64
    held: list[Any]


def nearest_step(shard: Shard, centres: F32, compute: gemm.Compute) -> I32:
    """Position of the nearest of `centres` (K, D) for each row of a shard, ties to the lower position: (n,)."""
    labels, _ = candidates.Scorer(centres, compute).nearest(shard.features, LABEL_LIST)
    return labels


def assign_step(shard: Shard, core_rows: I64, centres: F32, lists: int, compute: gemm.Compute) -> Members:
    """Label a shard's rows by their nearest core; a core always belongs to itself, even beside an identical one."""
    labels, found = candidates.Scorer(centres, compute).nearest(shard.features, lists)
    return to_members(shard, core_rows, labels, found)


def to_members(shard: Shard, core_rows: I64, labels: I32, found: candidates.Candidates) -> Members:
    """A shard's rows by their labels, but for cores, which belong to themselves."""
    first, last = np.searchsorted(core_rows, [shard.start, shard.start + len(labels)])
    labels[core_rows[first:last] - shard.start] = np.arange(first, last)
    order = np.argsort(labels, kind="stable")
    return Members(
        rows=order + shard.start,
        labels=labels[order],
        centres=found.centres[order],
        scores=found.scores[order],
    )


def count_step(_rows: RowSource, core_count: int, held: Sequence[Members]) -> I64:
    """Rows per core over all shards: (K,)."""
    sizes = np.zeros(core_count, np.int64)
    for members in held:
        sizes += np.bincount(members.labels, minlength=core_count)
    return sizes


def assign(shards: Shards, core_rows: I64, *, lists: int, compute: gemm.Compute) -> Assignment:
    """Assign every row to its nearest core (algorithm of BiLAF, step 1). `core_rows` ascend, without repeats.

    `lists` candidates are kept per row; their number is a matter of speed, never of the result.
    """
    centres = shards.take(core_rows)
    held = shards.hold(assign_step, core_rows, centres, lists, compute)
    (sizes,) = shards.each(count_step, [len(core_rows)], held)
    return Assignment(sizes=sizes, held=held)


def gather(held: Sequence[Members], clusters: I64) -> list[Members]:
    """The members of each of `clusters` over all shards, rows ascending."""
    labels = clusters.astype(np.int32)
    bounds = [
        np.stack([np.searchsorted(m.labels, labels), np.searchsorted(m.labels, labels, side="right")], axis=1)
        for m in held
    ]
    return [
        _join([(members, edges[i]) for members, edges in zip(held, bounds, strict=True)]) for i in range(len(clusters))
    ]


def _join(pieces: list[tuple[Members, I64]]) -> Members:
    filled = [(members, slice(first, last)) for members, (first, last) in pieces if first < last]
    return Members(
        rows=np.concatenate([members.rows[part] for members, part in filled]),
        labels=np.concatenate([members.labels[part] for members, part in filled]),
        centres=np.concatenate([members.centres[part] for members, part in filled]),
        scores=np.concatenate([members.scores[part] for members, part in filled]),
    )
