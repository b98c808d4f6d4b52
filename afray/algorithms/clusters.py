"""The task between the two barriers: everything BiLAF does within single clusters, for a few clusters at a time.

rows gathered -> distances -> outliers removed -> survey of the boundary -> picks
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from afray.algorithms import boundary, candidates, denoise, numerics, pairs, released
from afray.algorithms.assignment import Members, gather
from afray.algorithms.boundary import Picks, Survey
from afray.algorithms.cluster import Cluster
from afray.algorithms.denoise import Denoised
from afray.algorithms.gemm import Compute
from afray.algorithms.pairs import PairDistances
from afray.algorithms.selection import SCORE_BINS
from afray.algorithms.shards import RowSource

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
I64 = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class BilafOptions:
    """What BiLAF chooses; defaults are the paper's."""

    mode: Literal["paper", "released"] = "paper"
    removal_ratio: float = 0.1
    neighbours: int = 10
    opponent_penalty: float = 1.1
    probes: int | None = None
    """Groups of cores in which a row looks for its own; None: in all (see `inverted`)."""
    intra: Literal["mean", "rms"] = "mean"
    """How distances to a row's own cluster are averaged; the root of the mean square takes no pairs."""

    def __post_init__(self) -> None:
        # The spec's bounds. Below 1 a penalty would be a reward, and short lists of opponents no longer exact.
        assert 0.0 <= self.removal_ratio < 1.0
        assert self.neighbours >= 1
        assert self.opponent_penalty >= 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Tuning:
    """How fast and in how much memory; never what."""

    lists: int | None = None
    """Candidate centres kept per row; None: about one more than labels per core."""
    table_rows: int = 8192
    """Largest cluster with a table of its distances (8 bytes a pair: 512 MB); above, they are measured when needed."""
    opponents: int = 64
    """Foreign cores remembered per row (12 bytes each, for rows that are looked at); beyond, all are measured anew."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What all tasks of one selection share, apart from arrays."""

    options: BilafOptions
    tuning: Tuning
    compute: Compute


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ClusterTask:
    """Clusters by number, and how many rows each picks."""

    clusters: I64
    budgets: I64


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Outcome:
    """Result of one cluster or, joined in the task's order, of several. Rows are row numbers, cores their numbers."""

    rows: I64
    distance: F64
    score: F64
    opponent: I64
    excluded_rows: I64
    excluded_cluster: I64
    excluded_density: F64
    excluded_limit: F64
    score_counts: I64


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Cores:
    """All cores: row numbers (K,), features (K, D) read-only, and the largest norm among them."""

    rows: I64
    features: F32
    norm: float


def cluster_step(
    source: RowSource, task: ClusterTask, held: Sequence[Members], core_rows: I64, centres: F32, setting: Setting
) -> Outcome:
    """Denoise, survey and pick in each cluster of a task."""
    members = gather(held, task.clusters)
    sizes = [len(each.rows) for each in members]
    features = source.take(np.concatenate([each.rows for each in members]))
    table_rows = min(setting.tuning.table_rows, math.isqrt(setting.compute.rows_within(0.5, 8)))
    workspace = pairs.Workspace(max(sizes), features.shape[1], table_rows=table_rows)
    cores = Cores(rows=core_rows, features=candidates.frozen(centres), norm=candidates.largest_norm(centres))
    outcomes = []
    for each, start, number, budget in zip(
        members, np.cumsum([0, *sizes]), task.clusters.tolist(), task.budgets.tolist(), strict=False
    ):
        measured = pairs.measure(features[start : start + len(each.rows)], workspace, setting.compute)
        outcomes.append(_select(each, measured, number, budget, cores, setting))
    return join(outcomes)


def _select(
    members: Members, measured: PairDistances, number: int, budget: int, cores: Cores, setting: Setting
) -> Outcome:
    options = setting.options
    cluster = _view(members, measured, number, cores, is_closed=options.probes is not None)
    cleaned = denoise.remove_outliers(
        measured,
        cluster.core,
        removal_ratio=options.removal_ratio,
        neighbours=options.neighbours,
        as_released=options.mode == "released",
    )
    seen = boundary.survey(cluster, measured, cleaned.kept, as_rms=options.intra == "rms")
    if options.mode == "released":
        core_row = int(cores.rows[number])
        picks = released.pick(cluster, seen, cleaned.kept, budget, options.opponent_penalty, core_row)
    else:
        picks = boundary.pick(cluster, seen, budget, options.opponent_penalty, setting.tuning.opponents)
    return _outcome(members, measured, cluster, cleaned, seen, picks)


def _view(members: Members, measured: PairDistances, number: int, cores: Cores, *, is_closed: bool) -> Cluster:
    row_norm = float(np.sqrt(measured.squared_norms.max()))
    return Cluster(
        rows=measured.rows,
        squared_norms=measured.squared_norms,
        table=measured.table,
        core=int(np.searchsorted(members.rows, cores.rows[number])),
        own=number,
        centres=cores.features,
        listed=members.centres,
        scores=members.scores,
        slack=candidates.slack(measured.rows.shape[1], row_norm, cores.norm),
        is_closed=is_closed,
    )


def _outcome(
    members: Members, measured: PairDistances, cluster: Cluster, cleaned: Denoised, seen: Survey, picks: Picks
) -> Outcome:
    return Outcome(
        rows=members.rows[picks.positions],
        distance=measured.of_row(cluster.core)[picks.positions] / numerics.TICKS,
        score=picks.scores,
        opponent=picks.opponents,
        excluded_rows=members.rows[cleaned.removed],
        excluded_cluster=np.full(len(cleaned.removed), cluster.own),
        excluded_density=cleaned.removed_density,
        excluded_limit=np.full(len(cleaned.removed), cleaned.limit),
        score_counts=_histogram(seen, cluster.core),
    )


def _histogram(seen: Survey, core: int) -> I64:
    is_scored = ~np.isnan(seen.plain)
    is_scored[core] = False
    bins = ((seen.plain[is_scored] + 1.0) * (SCORE_BINS / 2)).astype(np.int64)
    return np.bincount(np.minimum(bins, SCORE_BINS - 1), minlength=SCORE_BINS)


def join(outcomes: Sequence[Outcome]) -> Outcome:
    """One outcome of several, in their order."""
    return Outcome(
        rows=np.concatenate([each.rows for each in outcomes]),
        distance=np.concatenate([each.distance for each in outcomes]),
        score=np.concatenate([each.score for each in outcomes]),
        opponent=np.concatenate([each.opponent for each in outcomes]),
        excluded_rows=np.concatenate([each.excluded_rows for each in outcomes]),
        excluded_cluster=np.concatenate([each.excluded_cluster for each in outcomes]),
        excluded_density=np.concatenate([each.excluded_density for each in outcomes]),
        excluded_limit=np.concatenate([each.excluded_limit for each in outcomes]),
        score_counts=np.sum([each.score_counts for each in outcomes], axis=0),
    )
