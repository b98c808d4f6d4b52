"""What a two-level selection needs of its cores and budget; each refusal names the numbers and the way out."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from afray.errors import SpecError

F32 = NDArray[np.float32]
I64 = NDArray[np.int64]

BUDGET = "spec.selection.budget"
CORE = "spec.selection.core"


def check_cores(core_rows: I64, row_count: int) -> None:
    """Refuse no cores, unsorted or repeated ones, and rows that the pool does not have."""
    if len(core_rows) == 0:
        raise SpecError(CORE, 0, "there are no core rows", "Give at least one.")
    if core_rows[0] < 0 or core_rows[-1] >= row_count:
        outside = core_rows[(core_rows < 0) | (core_rows >= row_count)][0]
        raise SpecError(
            CORE, int(outside), f"core row outside the pool of {row_count} rows", "Choose rows of the pool."
        )
    repeats = np.flatnonzero(np.diff(core_rows) <= 0)
    if len(repeats):
        row = int(core_rows[repeats[0] + 1])
        raise SpecError(CORE, row, "core rows are not strictly ascending", "Name each core once, in pool order.")


def check_budget(budget: int, core_count: int, row_count: int) -> None:
    """Refuse a budget that cannot hold the cores or that the pool cannot fill."""
    if budget > row_count:
        raise SpecError(BUDGET, budget, f"the pool has {row_count} rows", f"Ask for at most {row_count} labels.")
    if core_count > budget:
        raise SpecError(
            BUDGET, budget, f"{core_count} core rows are part of the budget", "Raise the budget or lower core.size."
        )


def check_kept(budget: int, kept_count: int, row_count: int) -> None:
    """Refuse a budget above what outlier removal leaves."""
    if budget > kept_count:
        raise SpecError(
            BUDGET,
            budget,
            f"outlier removal leaves {kept_count} of {row_count} rows",
            f"Ask for at most {kept_count} labels or lower spec.selection.denoise.removalRatio.",
        )


def find_identical(centres: F32) -> tuple[int, int] | None:
    """Numbers of two cores with equal features (lower first), if there are any. `centres` is (K, D)."""
    _, first, group = np.unique(centres, axis=0, return_index=True, return_inverse=True)
    lowest = first[group.ravel()]
    repeated = np.flatnonzero(lowest != np.arange(len(centres)))
    return (int(lowest[repeated[0]]), int(repeated[0])) if len(repeated) else None
