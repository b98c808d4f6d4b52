"""How uncertain a row is to a linear classifier: one minus the margin between its two likeliest classes, as an integer.

Scores come from one matrix product. Where its error could move the rounded value, the row is scored again one operation
after the other; so a row's uncertainty is a function of the row and the model alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from afray.algorithms import candidates, numerics
from afray.algorithms.gemm import Compute
from afray.algorithms.jit import compiled

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
I64 = NDArray[np.int64]

CERTAIN, UNCERTAIN = 0, 1 << 30
"""A row of a class beyond doubt, and one between two equally likely classes. Where classes are easy to tell apart all
rows are nearly certain, and it takes fine steps to say which of them are less so."""
UNDECIDED = -1
SMALLEST_EXPONENT = -700.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LinearModel:
    """Calibrated scores of C >= 2 classes: x . weights[c] + offsets[c], temperature included."""

    weights: F64
    """(C, D)"""
    offsets: F64
    """(C,)"""


def uncertainties(features: F32, model: LinearModel, compute: Compute) -> I64:
    """Of each row (n, D) an integer from CERTAIN to UNCERTAIN: (n,)."""
    scores = np.empty((len(features), len(model.weights)))
    compute.product(features.astype(np.float64), model.weights.T, scores)
    scores += model.offsets
    found = np.empty(len(features), np.int64)
    _round_margins(scores, _margin_error(features, model) if compute.certify else 0.0, found)
    for row in np.flatnonzero(found == UNDECIDED):
        exact = _exact_scores(features, int(row), model.weights, model.offsets)
        _round_margins(exact, 0.0, found[row : row + 1])
    return found


def _margin_error(features: F32, model: LinearModel) -> float:
    """How far the margin may be off, in steps of the uncertainty.

    Two sums of D products each err by at most D roundings, and one more for the offset; probabilities move by half as
    much as the scores do. The rest covers the exponentials and their sum.
    """
    weight = float(np.sqrt((model.weights**2).sum(axis=1).max()))
    size = 1.02 * candidates.largest_norm(features) * weight + float(np.abs(model.offsets).max())
    score_error = 2.0 * (features.shape[1] + 4) * numerics.U64 * size
    steps: float = 2.0 * (score_error + (len(model.weights) + 16) * 4 * numerics.U64) * UNCERTAIN
    return steps


@compiled
def _exact_scores(features: F32, row: int, weights: F64, offsets: F64) -> F64:
    """Scores of one row in written order: (1, C)."""
    scores = np.empty((1, len(weights)))
    for c in range(len(weights)):
        scores[0, c] = numerics.dot(features, row, weights, c) + offsets[c]
    return scores


@compiled
def _round_margins(scores: F64, error: float, found: I64) -> None:
    """One minus the margin of each row of scores (n, C); UNDECIDED within `error` of a half step."""
    for i in range(scores.shape[0]):
        best, second = -np.inf, -np.inf
        for c in range(scores.shape[1]):
            if scores[i, c] > best:
                best, second = scores[i, c], best
            elif scores[i, c] > second:
                second = scores[i, c]
        total = 0.0
        for c in range(scores.shape[1]):
            total += numerics.exp(max(scores[i, c] - best, SMALLEST_EXPONENT))
        margin = (1.0 - numerics.exp(max(second - best, SMALLEST_EXPONENT))) / total
        exact = (1.0 - margin) * UNCERTAIN
        nearest = np.rint(exact)
        found[i] = UNDECIDED if 0.5 - abs(exact - nearest) < error else np.int64(nearest)
