"""A classifier of the labelled rows that knows how unsure it is: logistic regression, its temperature cross-validated.

Runs once a round, on labelled rows alone. The coefficients are rounded to a grid and kept with the selection: a library
on another machine may end in other bits, and everything later follows from what was kept.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Fold:
    """Rows that a model did not see, of classes that it knows, and what it says of them."""

    rows: I64
    """(m,) positions among the labelled rows."""
    scores: F64
    """(m, C) of the classes that it knows."""
    truth: I64
    """(m,) column of the true class."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Judgement:
    """What models that did not see a labelled row say of it, row by row."""

    temperature: float
    is_right: NDArray[np.bool_]
    """(n,)"""
    raw: F64
    """(n,) probability of the predicted class, before calibration; NaN where no model tells the row's from another."""
    calibrated: F64
    """(n,) the same after it."""


def judge(features: F32, classes: I64) -> Judgement:
    """Cross-validated predictions of labelled rows (n, D) of classes 0..C-1 (n,), rows ascending.

    The folds are those that choose the temperature. A row whose class no other fold has is wrong; where the others
    have one class only, they predict that.
    """
    folds = list(_held_out(features.astype(np.float64), classes))
    temperature = _choose_temperature(folds)
    is_right = np.zeros(len(classes), np.bool_)
    raw, calibrated = np.full(len(classes), np.nan), np.full(len(classes), np.nan)
    for seen in _folds(classes):
        if len(known := np.unique(classes[seen])) == 1:
            is_right |= ~seen & (classes == known[0])
    for fold in folds:
        is_right[fold.rows] = fold.scores.argmax(axis=1) == fold.truth
        raw[fold.rows] = _softmax(fold.scores).max(axis=1)
        calibrated[fold.rows] = _softmax(fold.scores / temperature).max(axis=1)
    return Judgement(temperature=temperature, is_right=is_right, raw=raw, calibrated=calibrated)


def calibrate(features: F32, classes: I64) -> LinearModel | None:
    """The model of labelled rows (n, D) of classes 0..C-1 (n,), rows ascending; None if all are of one class."""
    if len(np.unique(classes)) < 2:
        return None
    wide = features.astype(np.float64)
    weights, offsets = _fit(wide, classes)
    temperature = _choose_temperature(list(_held_out(wide, classes)))
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


def _choose_temperature(folds: Sequence[Fold]) -> float:
    """That of the smallest log loss on rows that the classifier did not see; 1 if there are none to tell by."""
    if not folds:
        return 1.0
    losses = [sum(_log_loss(fold.scores / t, fold.truth) for fold in folds) for t in TEMPERATURES]
    return TEMPERATURES[int(np.argmin(losses))]


def _held_out(features: F64, classes: I64) -> Iterator[Fold]:
    """The rows of each fold, by a model of the other folds that knows their class."""
    for seen in _folds(classes):
        known = np.unique(classes[seen])
        judged = ~seen & np.isin(classes, known)
        if len(known) >= 2 and judged.any():
            weights, offsets = _fit(features[seen], classes[seen])
            yield Fold(
                rows=np.flatnonzero(judged),
                scores=features[judged] @ weights.T + offsets,
                truth=np.searchsorted(known, classes[judged]),
            )


def _folds(classes: I64) -> Iterator[NDArray[np.bool_]]:
    """Of each fold, which rows the others have: every class is dealt out in order."""
    fold = np.empty(len(classes), np.int64)
    fold[np.argsort(classes, kind="stable")] = np.arange(len(classes)) % FOLDS
    return (fold != number for number in range(FOLDS))


def _log_loss(scores: F64, truth: I64) -> float:
    probabilities = _softmax(scores)[np.arange(len(truth)), truth]
    return float(-np.log(probabilities + LEAST_PROBABILITY).sum())


def _softmax(scores: F64) -> F64:
    shifted = np.exp(scores - scores.max(axis=1, keepdims=True))
    found: F64 = shifted / shifted.sum(axis=1, keepdims=True)
    return found
