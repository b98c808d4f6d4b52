"""What the kernels see of one cluster: its rows, their distances, and the foreign cores that come near."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
I32 = NDArray[np.int32]
I64 = NDArray[np.int64]


class Cluster(NamedTuple):
    """One cluster of n rows among K. Rows are named by their position in it (ascending pool id)."""

    rows: F32
    """(n, D)"""
    squared_norms: F64
    """(n,)"""
    table: I64
    """Distances in ticks (n, n), or (0, 0) for a giant cluster."""
    core: int
    """Position of the core."""
    own: int
    """Number of this cluster, which is also the number of its centre."""
    centres: F32
    """Features of all cores (K, D), read-only."""
    listed: I32
    """Candidate centres per row (n, m), from the assignment."""
    scores: F32
    """Their float32 scores, best first (n, m); an unlisted centre scores at most the last one."""
    slack: float
    """Error bound of these scores."""
    is_closed: bool
    """No unlisted centre plays a part: lists are what an approximate search found, and end in -1 where it found less.
    """
