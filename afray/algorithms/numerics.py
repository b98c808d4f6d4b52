"""The only values that may decide: fixed-order float64 arithmetic, rounded to integers where it matters.

A fast matrix product (any library, precision or blocking) only proposes candidates. What decides is computed here,
one operation after the other in eight lanes, so it has one value on every machine, shard and thread. Distances become
integers (multiples of 2**-36), hence sums of them do not depend on their order.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from afray.algorithms.jit import compiled

DISTANCE_BITS = 36
TICKS = float(1 << DISTANCE_BITS)
"""Ticks per unit of distance. Rows are scaled to norm <= 1, so a distance is at most 2**37 ticks."""

U32 = 2.0**-24
U64 = 2.0**-53
"""Unit round-offs of float32 and float64."""


@compiled
def squared_distance(x: NDArray[np.float32], i: int, y: NDArray[np.float32], j: int) -> float:
    """|x[i] - y[j]|**2 in float64, eight lanes, fixed order. x and y are (n, D), float32 or float64."""
    d = x.shape[1]
    whole = d - d % 8
    a0 = a1 = a2 = a3 = a4 = a5 = a6 = a7 = 0.0
    for p in range(0, whole, 8):
        v = np.float64(x[i, p]) - np.float64(y[j, p])
        a0 += v * v
        v = np.float64(x[i, p + 1]) - np.float64(y[j, p + 1])
        a1 += v * v
        v = np.float64(x[i, p + 2]) - np.float64(y[j, p + 2])
        a2 += v * v
        v = np.float64(x[i, p + 3]) - np.float64(y[j, p + 3])
        a3 += v * v
        v = np.float64(x[i, p + 4]) - np.float64(y[j, p + 4])
        a4 += v * v
        v = np.float64(x[i, p + 5]) - np.float64(y[j, p + 5])
        a5 += v * v
        v = np.float64(x[i, p + 6]) - np.float64(y[j, p + 6])
        a6 += v * v
        v = np.float64(x[i, p + 7]) - np.float64(y[j, p + 7])
        a7 += v * v
    for p in range(whole, d):
        v = np.float64(x[i, p]) - np.float64(y[j, p])
        a0 += v * v
    return ((a0 + a1) + (a2 + a3)) + ((a4 + a5) + (a6 + a7))


@compiled
def distance_ticks(x: NDArray[np.float32], i: int, y: NDArray[np.float32], j: int) -> int:
    """The canonical distance of two rows: Euclidean, rounded to an integer number of 2**-36."""
    return int(np.rint(math.sqrt(squared_distance(x, i, y, j)) * TICKS))


@compiled
def dot(x: NDArray[np.float32], i: int, y: NDArray[np.floating[Any]], j: int) -> float:
    """x[i] . y[j] in float64, eight lanes, fixed order. y is float32 or float64."""
    d = x.shape[1]
    whole = d - d % 8
    a0 = a1 = a2 = a3 = a4 = a5 = a6 = a7 = 0.0
    for p in range(0, whole, 8):
        a0 += np.float64(x[i, p]) * np.float64(y[j, p])
        a1 += np.float64(x[i, p + 1]) * np.float64(y[j, p + 1])
        a2 += np.float64(x[i, p + 2]) * np.float64(y[j, p + 2])
        a3 += np.float64(x[i, p + 3]) * np.float64(y[j, p + 3])
        a4 += np.float64(x[i, p + 4]) * np.float64(y[j, p + 4])
        a5 += np.float64(x[i, p + 5]) * np.float64(y[j, p + 5])
        a6 += np.float64(x[i, p + 6]) * np.float64(y[j, p + 6])
        a7 += np.float64(x[i, p + 7]) * np.float64(y[j, p + 7])
    for p in range(whole, d):
        a0 += np.float64(x[i, p]) * np.float64(y[j, p])
    return ((a0 + a1) + (a2 + a3)) + ((a4 + a5) + (a6 + a7))


LOG2_E = 1.4426950408889634
LN2_HIGH = 0.6931471803691238
LN2_LOW = 1.9082149292705877e-10
TAYLOR = tuple(1.0 / math.factorial(n) for n in range(14))


@compiled
def exp(x: float) -> float:
    """e**x for |x| <= 700 within 2 ulp. Our own, because libm and SIMD libraries differ in the last bit.

    No division and no call in it, so that the compiler runs a loop over it in vector lanes (17 times as fast).
    """
    k = np.rint(x * LOG2_E)
    r = (x - k * LN2_HIGH) - k * LN2_LOW
    total = TAYLOR[13]
    total = total * r + TAYLOR[12]
    total = total * r + TAYLOR[11]
    total = total * r + TAYLOR[10]
    total = total * r + TAYLOR[9]
    total = total * r + TAYLOR[8]
    total = total * r + TAYLOR[7]
    total = total * r + TAYLOR[6]
    total = total * r + TAYLOR[5]
    total = total * r + TAYLOR[4]
    total = total * r + TAYLOR[3]
    total = total * r + TAYLOR[2]
    total = total * r + 1.0
    total = total * r + 1.0
    power_of_two: np.float64 = np.int64((np.int64(k) + 1023) << 52).view(np.float64)
    return float(total * power_of_two)
