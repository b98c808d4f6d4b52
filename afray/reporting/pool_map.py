"""The map of the pool: which rows are drawn, and where.

A picture of millions of rows needs thousands of them. The sample is drawn by row number alone, so the map is the same
for any number of shards and workers; the axes are the two directions of largest variance (PCA), signs fixed.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from afray.algorithms import draws
from afray.algorithms.selection import F64, I64, Selection
from afray.reporting.report import MapGroup, PoolMap
from afray.reporting.tables import RowNames

F32 = NDArray[np.float32]
Kind = Literal["pool", "core", "boundary", "removed"]
ROW_LIMIT = 20_000
PICK_LIMIT = 5_000
"""Picks that are drawn in any case; more of them are drawn only as the sample has them."""
_BLOCK = 2048
_DECIMALS = 4


def sample_rows(total: int, selection: Selection) -> I64:
    """Rows to draw: at most ROW_LIMIT of 0..total-1, ascending, all picks among them up to PICK_LIMIT."""
    if total <= ROW_LIMIT:
        return np.arange(total, dtype=np.int64)
    picks = np.unique(selection.rows)
    chosen = picks[draws.draw(len(picks), min(len(picks), PICK_LIMIT), 0, "report/picks")]
    others = draws.draw(total, ROW_LIMIT - len(chosen), 0, "report/map")
    return np.union1d(chosen, others)


def draw_map(rows: I64, vectors: F32, total: int, selection: Selection, names: RowNames) -> PoolMap:
    """The map of `rows` (n,) ascending, whose prepared vectors are (n, D)."""
    points, explained = principal_plane(vectors)
    rounded = np.round(points, _DECIMALS) + 0.0  # no negative zeros
    groups = tuple(
        MapGroup(
            kind=kind,
            x=tuple(rounded[members, 0].tolist()),
            y=tuple(rounded[members, 1].tolist()),
            ids=() if kind == "pool" else tuple(names.ids_of(rows[members]).to_pylist()),
        )
        for kind, members in _classes(rows, selection)
    )
    shares = (round(float(explained[0]), _DECIMALS), round(float(explained[1]), _DECIMALS))
    return PoolMap(drawn=len(rows), rows=total, explained=shares, groups=groups)


def pool_rows(rows: I64, selection: Selection) -> I64:
    """Those of `rows` that the map draws as rows of the pool, in its order."""
    members: I64 = rows[next(members for kind, members in _classes(rows, selection) if kind == "pool")]
    return members


def principal_plane(vectors: F32) -> tuple[F64, F64]:
    """Coordinates (n, 2) of the rows of (n, D) along their two directions of largest variance, and each one's share.

    The largest component of a direction is positive (the first, among equals): a direction has no sign of its own.
    One-dimensional or constant rows give zeros for the axes that do not exist.
    """
    count, dim = vectors.shape
    mean = vectors.mean(axis=0, dtype=np.float64)
    scatter = np.zeros((dim, dim))
    for block in _blocks(vectors):
        scatter += (block - mean).T @ (block - mean)
    _, variances, directions = np.linalg.svd(scatter, hermitian=True)
    directions = directions[:2] * _signs(directions[:2])
    points = np.zeros((count, 2))
    points[:, : len(directions)] = np.concatenate([(block - mean) @ directions.T for block in _blocks(vectors)])
    shares = np.zeros(2)
    if variances.sum() > 0:
        shares[: len(directions)] = variances[:2] / variances.sum()
    return points, shares


def _signs(directions: F64) -> F64:
    # Rounding decides between components that are equal but for noise.
    largest = np.argmax(np.round(np.abs(directions), 9), axis=1)
    return np.where(directions[np.arange(len(directions)), largest] < 0, -1.0, 1.0)[:, None]


def _blocks(vectors: F32) -> Iterator[F64]:
    """The rows in float64, some at a time: 20,000 wide rows would not fit beside their copies."""
    for start in range(0, len(vectors), _BLOCK):
        yield vectors[start : start + _BLOCK].astype(np.float64)


def _classes(rows: I64, selection: Selection) -> Iterator[tuple[Kind, NDArray[np.bool_]]]:
    """Members of each class among `rows`, from what is drawn first to what is drawn on top."""
    core = np.isin(rows, selection.rows[selection.is_core])
    boundary = np.isin(rows, selection.rows[~selection.is_core]) & ~core
    removed = np.isin(rows, selection.excluded_rows) & ~core & ~boundary
    yield "pool", ~(core | boundary | removed)
    yield "removed", removed
    yield "core", core
    yield "boundary", boundary
