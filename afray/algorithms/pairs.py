"""Canonical distances of all pairs of rows in a cluster, at about the price of one float64 product.

|x|**2 + |y|**2 - 2 x.y is wrong by a bounded amount. Where that bound could move the rounded distance (near a half
tick, near copies: about one pair in seventy) the pair is measured canonically; everywhere else the integers agree.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from afray.algorithms import gemm, numerics
from afray.algorithms.jit import compiled

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
I64 = NDArray[np.int64]

STRIP_COLUMNS = 8192
"""Columns of such a product: so many rows are held in float64 at a time, never a whole giant cluster."""
UNDECIDED = -1
TRANSPOSE_TILE = 32


class Workspace:
    """Memory for the clusters of one task, one after the other: fresh pages would cost more than the arithmetic."""

    def __init__(self, rows: int, dim: int, *, table_rows: int) -> None:
        """For clusters of up to `rows` rows; those above `table_rows` do without a table."""
        self.table_rows = table_rows
        self._wide = np.empty((min(rows, table_rows), dim))
        self._table = np.empty(min(rows, table_rows) ** 2)

    def wide(self, rows: F32) -> F64:
        """`rows` in float64, valid until the next call."""
        wide = self._wide[: len(rows)]
        wide[:] = rows
        return wide

    def table(self, rows: int) -> F64:
        """An uninitialised (rows, rows) table, valid until the next call."""
        return self._table[: rows * rows].reshape(rows, rows)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PairDistances:
    """Distances in ticks between the rows of one cluster, as a table if that is affordable, else computed when asked.

    `rows` (n, D) float32 are writable and contiguous (kernels are compiled for that kind of array).
    """

    rows: F32
    squared_norms: F64
    table: I64
    """(n, n), or (0, 0) for a giant cluster."""
    compute: gemm.Compute

    @property
    def is_giant(self) -> bool:
        return len(self.table) == 0

    def of_row(self, position: int) -> I64:
        """Distances of one row to all: (n,)."""
        if self.is_giant:
            return measure_row(self.rows, position)
        ticks: I64 = self.table[position].copy()
        return ticks

    def block(self, rows: I64, columns: I64) -> I64:
        """Distances of some rows to some others: (len(rows), len(columns))."""
        return self._block(rows, columns, self._widen(columns))

    def strips(self, rows: I64, columns: I64, pairs: int | None = None) -> Iterator[tuple[slice, slice, I64]]:
        """Blocks of about `pairs` distances that cover rows x columns, each with its slices of `rows` and `columns`."""
        pairs = pairs or self.compute.rows_within(1 / 16, 16)
        width = min(STRIP_COLUMNS, pairs)
        for left in range(0, len(columns), width):
            across = slice(left, left + width)
            height = max(1, pairs // len(columns[across]))
            wide_columns = self._widen(columns[across])
            for top in range(0, len(rows), height):
                down = slice(top, top + height)
                yield down, across, self._block(rows[down], columns[across], wide_columns)

    def _widen(self, rows: I64) -> F64:
        return self.rows[rows].astype(np.float64)

    def _block(self, rows: I64, columns: I64, wide_columns: F64) -> I64:
        product = np.empty((len(rows), len(columns)))
        self.compute.product(self._widen(rows), wide_columns.T, product)
        ticks = np.empty(product.shape, np.int64)
        factor = error_factor(self.rows.shape[1], self.compute)
        round_block(product, self.rows, rows, columns, self.squared_norms, factor, ticks)
        return ticks


def measure(rows: F32, workspace: Workspace, compute: gemm.Compute) -> PairDistances:
    """The distances of a cluster; they live in `workspace` until the next cluster is measured."""
    if len(rows) > workspace.table_rows:
        empty = np.empty((0, 0), np.int64)
        return PairDistances(rows=rows, squared_norms=_square_norms(rows), table=empty, compute=compute)
    wide = workspace.wide(rows)
    squared_norms = np.vecdot(wide, wide)
    product = workspace.table(len(rows))
    compute.product(wide, wide.T, product)
    table = product.view(np.int64)
    round_table(product, rows, squared_norms, error_factor(rows.shape[1], compute), table)
    return PairDistances(rows=rows, squared_norms=squared_norms, table=table, compute=compute)


def _square_norms(rows: F32) -> F64:
    parts = (rows[first : first + STRIP_COLUMNS].astype(np.float64) for first in range(0, len(rows), STRIP_COLUMNS))
    return np.concatenate([np.vecdot(part, part) for part in parts])


def error_factor(dim: int, compute: gemm.Compute) -> float:
    """Bound of the difference between product form and canonical sum of squares, per unit of |x|**2 + |y|**2.

    Any order of summation: D roundings in the norms, D in the product, D/8 + 4 canonically, twice; the rest covers
    the roundings of the root and of the few sums around it.
    """
    return (2.5 * dim + 64) * numerics.U64 if compute.certify else 0.0


@compiled
def measure_row(rows: F32, position: int) -> I64:
    """Canonical distances of one row to all: (n,)."""
    ticks = np.empty(len(rows), np.int64)
    for other in range(len(rows)):
        ticks[other] = numerics.distance_ticks(rows, position, rows, other)
    return ticks


@compiled
def round_table(product: F64, rows: F32, squared_norms: F64, factor: float, table: I64) -> None:
    """Turn products x.y (n, n) into ticks; `table` may share the memory of `product`."""
    n = len(rows)
    ticks = np.empty(n, np.int64)
    for i in range(n):
        round_row(product[i, i:], squared_norms[i], squared_norms[i:], factor, ticks[i:])
        for j in range(i + 1, n):
            if ticks[j] == UNDECIDED:
                ticks[j] = numerics.distance_ticks(rows, i, rows, j)
        ticks[i] = 0
        for j in range(i, n):
            table[i, j] = ticks[j]
    mirror(table)


@compiled
def round_block(product: F64, rows: F32, some: I64, others: I64, squared_norms: F64, factor: float, ticks: I64) -> None:
    """Turn products of rows[some] and rows[others] into ticks."""
    other_norms = squared_norms[others]
    for a in range(len(some)):
        round_row(product[a], squared_norms[some[a]], other_norms, factor, ticks[a])
        for b in range(len(others)):
            if ticks[a, b] == UNDECIDED:
                ticks[a, b] = numerics.distance_ticks(rows, some[a], rows, others[b])


@compiled
def round_row(products: F64, squared_norm: float, other_norms: F64, factor: float, ticks: I64) -> None:
    """Ticks of one row to others, UNDECIDED where the error bound reaches a half tick. Free of branches: vectorises.

    An error e in the square moves the root by at most e / (1.99 root) once the square exceeds 64 e.
    """
    for j in range(len(products)):
        total = squared_norm + other_norms[j]
        error = factor * total
        square = max(total - 2.0 * products[j], 0.0)
        root = math.sqrt(square)
        exact = root * numerics.TICKS
        nearest = np.rint(exact)
        to_half = 0.5 - abs(exact - nearest)
        undecided = (square <= 64.0 * error) | (to_half * root <= 0.51 * error * numerics.TICKS)
        ticks[j] = UNDECIDED if undecided else np.int64(nearest)


@compiled
def mirror(table: I64) -> None:
    """Copy the upper triangle to the lower one, tile by tile for the cache."""
    n = len(table)
    for top in range(0, n, TRANSPOSE_TILE):
        for left in range(top, n, TRANSPOSE_TILE):
            for i in range(top, min(top + TRANSPOSE_TILE, n)):
                for j in range(max(left, i + 1), min(left + TRANSPOSE_TILE, n)):
                    table[j, i] = table[i, j]
