"""How well one row stands for another, by their distance: a Gaussian in whole numbers that never rises.

The exponent is rounded to multiples of 2**-24 before it is taken. Neighbouring multiples differ by far more than the
error of our exponential, so a larger distance never has the larger kernel, and one value decides on every machine.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from afray.algorithms import numerics
from afray.algorithms.jit import compiled

I64 = NDArray[np.int64]

WHOLE = 1 << 20
"""The kernel of a row with itself."""
EXPONENT_STEPS = float(1 << 24)
LARGEST_EXPONENT = 15.0
"""e**-15 is less than half a step of the kernel."""


@compiled
def kernel(ticks: int, width: float) -> int:
    """exp(-(ticks / width)**2 / 2) in multiples of 2**-20; `width` > 0 is in ticks too."""
    ratio = ticks / width
    exponent = np.rint(ratio * ratio * (0.5 * EXPONENT_STEPS)) / EXPONENT_STEPS
    if exponent > LARGEST_EXPONENT:
        return 0
    return int(np.rint(numerics.exp(-exponent) * WHOLE))


@compiled
def kernels(ticks: I64, width: float) -> I64:
    """The kernel of each distance (n,)."""
    found = np.empty(len(ticks), np.int64)
    for i in range(len(ticks)):
        found[i] = kernel(ticks[i], width)
    return found
