"""Vectors that the pool brings along: no encoder, but the same table of what is wrong with which row."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from afray.embedding.outcomes import RowOutcome, tabulate
from afray.pool.rows import Reason

F32 = NDArray[np.float32]


def accept_vectors(part: pa.Table, vectors: F32, *, rejects_zero_vectors: bool) -> tuple[F32, pa.Table]:
    """Vectors (n, D) of a part with zeros for bad rows, and EMBEDDED_SCHEMA beside them."""
    is_finite = np.isfinite(vectors).all(axis=1)
    is_zero = is_finite & ~vectors.any(axis=1) & rejects_zero_vectors
    outcomes = [_judge(finite, zero) for finite, zero in zip(is_finite.tolist(), is_zero.tolist(), strict=True)]
    return np.where(is_finite[:, None], vectors, np.float32(0)), tabulate(part, outcomes)


def _judge(is_finite: bool, is_zero: bool) -> RowOutcome:
    if not is_finite:
        return RowOutcome(reason=Reason.non_finite, detail="the stored vector is null or not finite")
    if is_zero:
        return RowOutcome(reason=Reason.zero_vector, detail="the stored vector is zero, so it has no direction")
    return RowOutcome()
