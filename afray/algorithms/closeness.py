"""Approximate distances between two sets of vectors by one matrix product, with the error they may have.

Used to leave pairs out: a pair whose approximate distance is too large by more than the error is too far apart; the
rest is for canonical distances to decide.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from afray.algorithms import candidates
from afray.algorithms.gemm import Compute
from afray.algorithms.jit import compiled
from afray.algorithms.numerics import TICKS

F32 = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Closeness:
    """`values` (P, n) are -|a - b|**2 / 2 for vectors a (P, D) and b (n, D), each wrong by at most `error`."""

    values: F32
    error: float


def closeness(a: F32, b: F32, compute: Compute) -> Closeness:
    """Of every vector of `a` to every vector of `b`."""
    values = np.empty((len(a), len(b)), np.float32)
    compute.product(a, b.T, values)
    values -= half_squares(a)[:, None]
    values -= half_squares(b)
    norm = max(candidates.largest_norm(a), candidates.largest_norm(b))
    return Closeness(values, candidates.slack(a.shape[1], norm, norm))


def half_squares(vectors: F32) -> F32:
    """|x|**2 / 2 of each of (n, D): (n,)."""
    squares: NDArray[np.float64] = np.einsum("nd,nd->n", vectors, vectors, dtype=np.float64)
    return (0.5 * squares).astype(np.float32)


@compiled
def lowest_closeness(ticks: int, error: float) -> float:
    """What two vectors are at least as close as, whose canonical distance is below `ticks`."""
    distance = ticks / TICKS
    return -0.5 * distance * distance - error
