"""The probe learns what is there, says so when nothing is, and depends on no order."""

from __future__ import annotations

import numpy as np
import pytest
from helpers.labelled import blobs, first_rows

from afray.algorithms import draws
from afray.errors import AfrayError
from afray.evaluation import probe
from afray.evaluation.labels import LabelledRows, OneClass


def test_labels_of_separated_classes_predict_the_rest() -> None:
    result = probe.probe(blobs(60, noise=0.2), blobs(300, noise=0.2, seed=1))
    assert result.linear.accuracy > 0.95
    assert result.nearest.accuracy > 0.95
    assert result.linear.classes_hit == 4


def test_shuffled_labels_predict_no_better_than_chance() -> None:
    train = blobs(200)
    shuffled = LabelledRows(vectors=train.vectors, labels=np.random.default_rng(0).permutation(train.labels))
    assert probe.probe(shuffled, blobs(400, seed=1)).linear.accuracy < 0.4


def test_the_linear_probe_solves_the_penalised_problem() -> None:
    """The gradient of sum of losses * C + |w|^2 / 2 vanishes; written out here, without scikit-learn."""
    train, test = blobs(40, noise=1.0), blobs(50, seed=1)
    classes, numbers = np.unique(train.labels, return_inverse=True)
    x, onehot = train.vectors.astype(np.float64), np.eye(len(classes))[numbers]
    weights, bias = np.zeros((x.shape[1], len(classes))), np.zeros(len(classes))
    for _ in range(20_000):
        scores = x @ weights + bias
        share = np.exp(scores - scores.max(1, keepdims=True))
        error = share / share.sum(1, keepdims=True) - onehot
        weights -= 0.005 * (10 * x.T @ error + weights)
        bias -= 0.005 * 10 * error.sum(0)
    expected = classes[(test.vectors @ weights + bias).argmax(1)]
    assert (probe.predict_linear(train, test.vectors) == expected).mean() >= 0.98


def test_the_nearest_row_is_that_of_the_smallest_angle_and_the_lower_row_wins_a_tie() -> None:
    train = LabelledRows(
        vectors=np.array([[0.1, 0], [0, 1], [1, 0]], np.float32), labels=np.array(["first", "up", "second"])
    )
    predicted = probe.predict_nearest(train, np.array([[1, 0.1], [0.1, 1]], np.float32))
    assert predicted.tolist() == ["first", "up"]


def test_a_single_class_is_an_error_that_names_it() -> None:
    train = LabelledRows(vectors=blobs(3).vectors, labels=np.array(["crack"] * 3))
    with pytest.raises(OneClass, match=r"all 3 labelled rows are of class 'crack'") as caught:
        probe.probe(train, blobs(10))
    assert isinstance(caught.value, AfrayError)
    assert caught.value.exit_code == 65


def test_a_comparison_scores_a_set_of_one_class_instead_of_stopping() -> None:
    pool, test = blobs(100), blobs(100, seed=1)
    rows = np.flatnonzero(pool.labels == "c1")[:5]
    assert probe.evaluate(pool.take(rows), test).linear.accuracy == (test.labels == "c1").mean()


def test_a_class_that_nobody_labelled_counts_as_wrong() -> None:
    pool, test = blobs(200, noise=0.1), blobs(400, noise=0.1, seed=1)
    known = pool.take(np.flatnonzero(pool.labels != "c2"))
    result = probe.probe(known, test).linear
    assert result.accuracy == pytest.approx((test.labels != "c2").mean(), abs=0.01)
    assert result.macro_recall == pytest.approx(0.75, abs=0.01)
    assert result.classes_hit == 3


def test_the_order_of_a_selection_changes_nothing() -> None:
    pool, test = blobs(100, noise=1.0), blobs(100, noise=1.0, seed=1)
    rows = first_rows(30)
    assert probe.evaluate(pool.take(rows[::-1]), test) == probe.evaluate(pool.take(rows), test)


def test_selected_rows_are_compared_with_random_ones_seed_by_seed() -> None:
    pool, test = blobs(300, classes=8, noise=0.7), blobs(300, classes=8, noise=0.7, seed=1)
    random = {seed: draws.draw(300, 20, seed, "random") for seed in (1, 0, 2)}
    comparison = probe.compare_with_random(pool, test, selected=first_rows(20), random=random)
    expected = [probe.evaluate(pool.take(random[seed]), test).linear for seed in range(3)]
    assert comparison.random == tuple(expected)
    accuracies = [found.accuracy for found in expected]
    assert comparison.random_mean == pytest.approx(np.mean(accuracies))
    assert comparison.random_sd == pytest.approx(np.std(accuracies, ddof=1))
    assert comparison.random_macro_recall == pytest.approx(np.mean([found.macro_recall for found in expected]))
    assert comparison.random_classes_hit == pytest.approx(np.mean([found.classes_hit for found in expected]))
    assert comparison.selected == probe.evaluate(pool.take(first_rows(20)), test).linear


def test_without_random_sets_there_is_no_mean_and_no_spread() -> None:
    comparison = probe.compare_with_random(blobs(50), blobs(50, seed=1), selected=first_rows(20), random={})
    assert (comparison.random_mean, comparison.random_sd) == (None, None)
    assert (comparison.random_macro_recall, comparison.random_classes_hit) == (None, None)


def test_selected_rows_of_one_class_are_refused_beside_random_ones_too() -> None:
    pool = blobs(50)
    with pytest.raises(OneClass):
        probe.compare_with_random(pool, pool, selected=np.flatnonzero(pool.labels == "c1"), random={})
