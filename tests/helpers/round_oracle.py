"""Uncertainty herding as its rule words it: float64, whole tables, nothing shared with the product.

Ties go to the lower row and the lower labelled row.
"""

from __future__ import annotations

import numpy as np
from helpers.core_oracles import ticks
from numpy.typing import NDArray

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
I64 = NDArray[np.int64]


def median(distances: I64) -> int:
    """The lower one; of the distances above zero where it would be zero."""
    ordered: list[int] = sorted(distances.tolist())
    apart: list[int] = [distance for distance in ordered if distance > 0]
    middle: int = ordered[(len(ordered) - 1) // 2]
    if middle > 0:
        return middle
    return apart[(len(apart) - 1) // 2] if apart else 1


def kernel(distances: I64, width: float) -> I64:
    """A Gaussian in 2**-20, its exponent in 2**-24."""
    exponents = np.rint((distances / width) ** 2 / 2 * 2.0**24) / 2.0**24
    return np.where(exponents <= 15, np.rint(np.exp(-exponents) * 2.0**20), 0).astype(np.int64)


def margin(scores: F64) -> int:
    """One minus the difference of the two largest probabilities, in 2**-30."""
    powers = np.exp(scores - scores.max())
    first, second = np.sort(powers / powers.sum())[::-1][:2].tolist()
    rounded: int = round((1 - (first - second)) * 2**30)
    return rounded


def uherding(
    features: F32, labelled: I64, uncertainty: I64, budget: int, scale: float = 0.7, neighbours: int = 16
) -> list[int]:
    """Again and again the row with the largest sum of u_i max(0, k(x, i) - cover_i) over the rows near it."""
    to_labelled = ticks(features, features[labelled])
    near = [np.lexsort((range(len(labelled)), distances))[:neighbours] for distances in to_labelled]
    width = scale * median(to_labelled.min(axis=1))
    cover = kernel(to_labelled.min(axis=1), width)
    own = np.array([numbers[0] for numbers in near])
    local = np.stack([np.isin(own, numbers) for numbers in near])
    between = np.where(local, kernel(ticks(features, features), width), 0)
    picks: list[int] = []
    while len(picks) < budget:
        gains = (uncertainty * np.maximum(between - cover, 0)).sum(axis=1)
        left = [row for row in range(len(features)) if row not in picks and row not in labelled]
        picks.append(max(left, key=lambda row: (gains[row], -row)))
        cover = np.maximum(cover, between[picks[-1]])
    return picks
