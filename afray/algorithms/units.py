"""Norms and unit vectors with one value on every machine: sums of squares in written order, not a library's."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from afray.algorithms.jit import compiled

F64 = NDArray[np.float64]


@compiled
def norms(vectors: F64) -> F64:
    """Euclidean norms of the rows of (n, D)."""
    lengths = np.empty(vectors.shape[0])
    for i in range(vectors.shape[0]):
        square = 0.0
        for q in range(vectors.shape[1]):
            square += vectors[i, q] * vectors[i, q]
        lengths[i] = math.sqrt(square)
    return lengths


def units(vectors: F64) -> F64:
    """Each row of (n, D) divided by its norm; zero rows stay zero."""
    lengths = norms(vectors)
    return vectors / np.where(lengths > 0.0, lengths, 1.0)[:, None]
