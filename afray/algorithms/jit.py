"""The one place that names numba, so that compiled kernels keep their Python types for the reader and for mypy.

No reassociation and no fused multiply-add: the exactness rule needs each operation rounded alone, in written order.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec, TypeVar, cast

import numba

P = ParamSpec("P")
R = TypeVar("R")

# Lanes written out as eight variables become one vector register (twice the speed); no operation moves or merges.
numba.config.SLP_VECTORIZE = 1


def compiled(function: Callable[P, R]) -> Callable[P, R]:
    """Compile on first use, release the GIL, keep the machine code on disk."""
    return cast("Callable[P, R]", numba.njit(nogil=True, cache=True)(function))


def compiled_scan(function: Callable[P, R]) -> Callable[P, R]:
    """Like `compiled`, for kernels that only compare floats and meet no NaN: maxima vectorise, no value changes."""
    return cast("Callable[P, R]", numba.njit(nogil=True, cache=True, fastmath={"nnan", "nsz"})(function))
