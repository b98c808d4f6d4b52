"""Rows that people answered in earlier rounds, as row numbers: they are neither chosen nor removed again."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from afray.driver.embedding import EmbeddedPool
from afray.errors import SpecError

I64 = NDArray[np.int64]


def find_rows(pool: EmbeddedPool, ids: Sequence[str]) -> I64:
    """Row numbers of answered ids, in their order; a copy is found as the row that stands for it.

    A row that was new in a pool that grew may come before an answered one with the same bytes, and then stands for it.
    Raises SpecError for an id that takes no part any more.
    """
    rows = pool.find(list(ids), through_copies=True)
    if missing := [row_id for row_id, row in zip(ids, rows.tolist(), strict=True) if row < 0]:
        raise SpecError(
            "spec.pool.uri",
            missing[0],
            f"{len(missing)} rows with labels of earlier rounds are no readable rows of this pool, this one first",
            "Restore them, or start anew without spec.previous.",
        )
    return rows
