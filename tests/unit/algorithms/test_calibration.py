from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from afray.algorithms import calibration
from afray.algorithms.calibration import INVERSE_PENALTY, TEMPERATURES

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]


def make_rows(seed: int, count: int, classes: int, spread: float = 0.5) -> tuple[NDArray[np.float32], I64]:
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % classes
    points = rng.normal(0.0, 1.0, (classes, 6))[labels] + spread * rng.normal(0.0, 1.0, (count, 6))
    return (points / np.linalg.norm(points, axis=1, keepdims=True)).astype(np.float32), labels


def log_loss(scores: F64, labels: I64) -> float:
    shifted = scores - scores.max(axis=1, keepdims=True)
    return float((np.log(np.exp(shifted).sum(axis=1)) - shifted[np.arange(len(labels)), labels]).sum())


def fit_plainly(features: F64, labels: I64, classes: int) -> tuple[F64, F64]:
    """The objective in the words of its definition: sum of log losses + |W|**2 / (2 C), offsets free."""
    dim = features.shape[1]

    def objective(vector: F64) -> float:
        weights, offsets = vector[: classes * dim].reshape(classes, dim), vector[classes * dim :]
        return log_loss(features @ weights.T + offsets, labels) + float((weights**2).sum()) / (2 * INVERSE_PENALTY)

    best = minimize(objective, np.zeros(classes * (dim + 1)), options={"gtol": 1e-6}).x
    return best[: classes * dim].reshape(classes, dim), best[classes * dim :]


def differences(weights: F64) -> F64:
    return np.asarray(weights - weights[0])


def test_two_and_more_classes_are_one_objective() -> None:
    for classes in (2, 3):
        features, labels = make_rows(classes, 40, classes)
        wide = features.astype(np.float64)
        weights, offsets = calibration._fit(wide, labels)
        expected_weights, expected_offsets = fit_plainly(wide, labels, classes)
        np.testing.assert_allclose(differences(weights), differences(expected_weights), atol=0.02)
        np.testing.assert_allclose(differences(offsets), differences(expected_offsets), atol=0.02)


def test_the_temperature_is_the_one_of_the_smallest_loss_on_rows_not_seen() -> None:
    features, labels = make_rows(5, 60, 3, spread=1.2)
    model = calibration.calibrate(features, labels)
    assert model is not None
    fold = np.empty(60, np.int64)
    for label in range(3):  # each class is dealt out in turn
        fold[labels == label] = (np.arange(20) + 20 * label) % 4
    losses = dict.fromkeys(TEMPERATURES, 0.0)
    for number in range(4):
        weights, offsets = fit_plainly(features[fold != number].astype(np.float64), labels[fold != number], 3)
        scores = features[fold == number].astype(np.float64) @ weights.T + offsets
        for temperature in TEMPERATURES:
            losses[temperature] += log_loss(scores / temperature, labels[fold == number])
    best = min(TEMPERATURES, key=lambda temperature: losses[temperature])
    weights, _ = fit_plainly(features.astype(np.float64), labels, 3)
    np.testing.assert_allclose(differences(model.weights), differences(weights) / best, atol=0.05)
    assert best != 1.0


def test_one_class_has_no_model_and_single_rows_of_classes_have_one() -> None:
    features, labels = make_rows(1, 8, 8)
    assert calibration.calibrate(features, np.zeros(8, np.int64)) is None
    model = calibration.calibrate(features, labels)
    assert model is not None
    assert model.weights.shape == (8, 6)


def test_coefficients_lie_on_the_grid() -> None:
    features, labels = make_rows(2, 30, 3)
    model = calibration.calibrate(features, labels)
    assert model is not None
    ticks = model.weights * calibration.GRID
    np.testing.assert_array_equal(ticks, np.rint(ticks))
