"""Vectors that the pool brings along: no encoder, but the same table of what is wrong with which row."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from afray.embedding.outcomes import RowOutcome, judge_vectors, tabulate

F32 = NDArray[np.float32]

NOT_FINITE = "the stored vector is null or holds numbers that are not finite"


def accept_vectors(part: pa.Table, vectors: F32, *, rejects_zero_vectors: bool) -> tuple[F32, pa.Table]:
    """Vectors (n, D) of a part with zeros for bad rows, and EMBEDDED_SCHEMA beside them."""
    accepted = vectors.copy()
    untouched = [RowOutcome()] * len(accepted)
    outcomes = judge_vectors(accepted, untouched, NOT_FINITE, rejects_zero_vectors=rejects_zero_vectors)
    return accepted, tabulate(part, outcomes)
