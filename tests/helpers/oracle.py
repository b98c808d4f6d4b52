"""The method as the paper words it, in plain float64 and plain loops: slow, and nothing shared with the product.

Ties go to the lower row and the lower centre. Means are sums by math.fsum, so that the order of terms plays no part.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
I64 = NDArray[np.int64]

NEIGHBOURS, ROUND_RATIO, REMOVAL_RATIO, PENALTY = 10, 0.1, 0.1, 1.1


def distances(a: F32, b: F32) -> F64:
    """Euclidean distances by differences in float64: (len(a), len(b))."""
    wide_a, wide_b = a.astype(np.float64), b.astype(np.float64)
    rows = [np.sqrt(((row - wide_b) ** 2).sum(axis=1)) for row in wide_a]
    return np.stack(rows)


def assign(features: F32, core_rows: I64) -> tuple[F64, I64]:
    """Distances to all cores and each row's nearest core; a core belongs to itself."""
    to_cores = distances(features, features[core_rows])
    labels = to_cores.argmin(axis=1)
    labels[core_rows] = np.arange(len(core_rows))
    return to_cores, labels
