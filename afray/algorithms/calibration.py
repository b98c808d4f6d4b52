"""A classifier of the labelled rows that knows how unsure it is: logistic regression, its temperature cross-validated.

Runs once a round, on labelled rows alone. The coefficients are rounded to a grid and kept with the selection: a library
on another machine may end in other bits, and everything later follows from what was kept.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

from afray.algorithms.margins import LinearModel

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
I64 = NDArray[np.int64]

INVERSE_PENALTY = 10.0
"""Fixed before any rule was compared, and that of the linear probe."""
ITERATIONS, TOLERANCE = 10_000, 1e-6
"""The library stops at a gradient of 1e-4 otherwise, where coefficients are good to one in a hundred."""
FOLDS = 4
TEMPERATURES: Final = (0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.7, 1.0, 1.4, 2.0)
GRID = float(1 << 24)
"""Steps per unit of a coefficient."""
LEAST_PROBABILITY = 1e-9
"""What a class beyond all doubt costs that was the right one: without it a single row would decide."""


def calibrate(features: F32, classes: I64) -> LinearModel | None:
    """The model of labelled rows (n, D) of classes 0..C-1 (n,), rows ascending; None if all are of one class."""
    if len(np.unique(classes)) < 2:
        return None
    wide = features.astype(np.float64)
    weights, offsets = _fit(wide, classes)
    temperature = _choose_temperature(wide, classes)
    return LinearModel(
        weights=np.rint(weights / temperature * GRID) / GRID, offsets=np.rint(offsets / temperature * GRID) / GRID
    )


def _fit(features: F64, classes: I64) -> tuple[F64, F64]:
    """Weights (C, D) and offsets (C,) of multinomial logistic regression, classes in ascending order."""
    is_binary = len(np.unique(classes)) == 2
    # The library keeps one vector for two classes, the difference: the same objective at half the penalty.
    penalty = INVERSE_PENALTY * (2 if is_binary else 1)
    model = LogisticRegression(C=penalty, solver="lbfgs", max_iter=ITERATIONS, tol=TOLERANCE)
    # One thread: products this small gain nothing from two, and their rounding would depend on the machine.
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(features, classes)
    if not is_binary:
        return model.coef_, model.intercept_
    return np.concatenate([-model.coef_, model.coef_]) / 2, np.concatenate([-model.intercept_, model.intercept_]) / 2


def _choose_temperature(features: F64, classes: I64) -> float:
    """That of the smallest log loss on rows that the classifier did not see; 1 if there are none to tell by."""
    held_out = list(_held_out(features, classes))
    if not held_out:
        return 1.0
    losses = [sum(_log_loss(scores / t, truth) for scores, truth in held_out) for t in TEMPERATURES]
    return TEMPERATURES[int(np.argmin(losses))]


def _held_out(features: F64, classes: I64) -> Iterator[tuple[F64, I64]]:
    """Scores and true columns of the rows of each fold, by a model of the other folds that knows their class."""
    fold = np.empty(len(classes), np.int64)
    fold[np.argsort(classes, kind="stable")] = np.arange(len(classes)) % FOLDS
    for number in range(FOLDS):
        seen = fold != number
        known = np.unique(classes[seen])
        judged = ~seen & np.isin(classes, known)
        if len(known) >= 2 and judged.any():
            weights, offsets = _fit(features[seen], classes[seen])
            yield features[judged] @ weights.T + offsets, np.searchsorted(known, classes[judged])


def _log_loss(scores: F64, truth: I64) -> float:
    shifted = np.exp(scores - scores.max(axis=1, keepdims=True))
    probabilities = shifted[np.arange(len(truth)), truth] / shifted.sum(axis=1)
    return float(-np.log(probabilities + LEAST_PROBABILITY).sum())
