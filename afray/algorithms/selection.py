"""What a selection method returns, whichever method it was."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]
SCORE_BINS = 80
"""Bins of the histograms of the boundary score over [-1, 1]."""


def _no_rows() -> I64:
    return np.empty(0, np.int64)


def _no_values() -> F64:
    return np.empty(0, np.float64)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Selection:
    """Rows to label, in rank order, and the rows that were removed as outliers. Row numbers as in `shards`.

    Per selected row (length B): `cluster` is the row of its core; `distance` to that core; for boundary rows also
    `score` (BiLAF eq. 4-7 as picked, penalty included) and `opponent`, the row of the core that attained it.
    Missing values are NaN and -1.
    """

    rows: I64
    is_core: NDArray[np.bool_]
    cluster: I64
    distance: F64
    score: F64
    opponent: I64

    excluded_rows: I64 = field(default_factory=_no_rows)
    """Outliers, ascending."""
    excluded_cluster: I64 = field(default_factory=_no_rows)
    """Row of the core of the cluster that dropped them."""
    excluded_density: F64 = field(default_factory=_no_values)
    """Mean distance to the nearest clustered members when last ranked, larger = more isolated; NaN if never ranked."""
    excluded_limit: F64 = field(default_factory=_no_values)
    """The same figure of the last row that the cluster kept; NaN where that row joined unranked, beside the core."""

    kept: int = 0
    """Rows left after outlier removal."""
    cluster_sizes: I64 = field(default_factory=_no_rows)
    """Rows per cluster before removal, clusters by the row of their core."""
    score_counts: I64 = field(default_factory=_no_rows)
    """Histogram (SCORE_BINS over [-1, 1]) of the unpenalised boundary score of all kept rows, cores left out."""
    recall: float = math.nan
    """Share of a sample of rows whose own core is the nearest of all; NaN where none can be missed."""
    changed_picks: float = math.nan
    """Share of a sample of boundary rows that exact mean distances would not have picked; NaN where they are exact."""


def plain(rows: I64, kept: int) -> Selection:
    """A selection of core rows without clusters or scores, in the given order."""
    count = len(rows)
    missing = np.full(count, np.nan)
    return Selection(
        rows=rows.astype(np.int64),
        is_core=np.ones(count, np.bool_),
        cluster=rows.astype(np.int64),
        distance=missing,
        score=missing,
        opponent=np.full(count, -1, np.int64),
        kept=kept,
    )


def without(selection: Selection, rows: I64) -> Selection:
    """The selection less some of its rows (ascending); ranks close up, clusters keep their cores."""
    left = ~np.isin(selection.rows, rows)
    return replace(
        selection,
        rows=selection.rows[left],
        is_core=selection.is_core[left],
        cluster=selection.cluster[left],
        distance=selection.distance[left],
        score=selection.score[left],
        opponent=selection.opponent[left],
    )
