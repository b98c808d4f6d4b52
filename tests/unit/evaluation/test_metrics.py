"""Figures of merit on label lists small enough to score by hand."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, recall_score

from afray.evaluation.metrics import measure


def test_accuracy_recall_and_classes_hit_of_a_hand_scored_case() -> None:
    metrics = measure(
        predicted=np.array(["a", "a", "b", "b", "a"]),
        truth=np.array(["a", "a", "a", "b", "c"]),
        labelled=np.array(["a", "b", "b"]),
    )
    assert metrics.accuracy == 3 / 5
    assert metrics.macro_recall == pytest.approx((2 / 3 + 1 + 0) / 3)
    assert metrics.classes_hit == 2
    assert metrics.as_json()["test_rows"] == 5


def test_a_class_that_only_the_labelled_rows_know_does_not_lower_the_recall() -> None:
    truth = np.array(["a", "b"])
    assert measure(predicted=truth, truth=truth, labelled=np.array(["a", "b", "z"])).macro_recall == 1.0


def test_agrees_with_scikit_learn_on_many_classes() -> None:
    rng = np.random.default_rng(3)
    truth = rng.integers(0, 7, 500).astype(str)
    predicted = np.where(rng.random(500) < 0.6, truth, rng.integers(0, 7, 500).astype(str))
    metrics = measure(predicted=predicted, truth=truth, labelled=truth)
    assert metrics.accuracy == pytest.approx(accuracy_score(truth, predicted))
    assert metrics.macro_recall == pytest.approx(recall_score(truth, predicted, average="macro"))


def test_class_names_are_compared_whole_whatever_their_lengths() -> None:
    metrics = measure(predicted=np.array(["cat"]), truth=np.array(["caterpillar"]), labelled=np.array(["cat", "dog"]))
    assert metrics.accuracy == 0.0
