"""The linear probe and its companion, 1-nearest-neighbour: what frozen features make of the labelled rows.

Both see the rows that the selection saw (standardised and scaled by the pool's statistics). The regularisation was
fixed before any method was compared, and is the same for all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

from afray.evaluation.labels import F32, I64, LabelledRows, Labels, require_two_classes
from afray.evaluation.metrics import Metrics, measure

INVERSE_PENALTY = 10.0
"""C of the logistic regression."""
ITERATIONS = 10_000
"""Far above what L-BFGS needs on unit rows (tens to hundreds), so that it always ends by its tolerance."""
BLOCK = 2048
"""Test rows per matrix product of the nearest neighbour."""
Evaluator = Callable[[LabelledRows, F32], Labels]
"""evaluator(labelled rows, test vectors (n, D)) -> predicted class names (n,)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """What one set of labelled rows is worth."""

    linear: Metrics
    nearest: Metrics

    def as_json(self) -> dict[str, dict[str, float | int]]:
        """Metrics per evaluator, for reports."""
        return {"linear": self.linear.as_json(), "nearest": self.nearest.as_json()}


@dataclass(frozen=True, slots=True, kw_only=True)
class RandomComparison:
    """Linear probe of the selected rows beside random label sets of the same size."""

    selected: Metrics
    random: tuple[Metrics, ...]
    """One per random set, by seed."""

    @property
    def random_mean(self) -> float | None:
        """Mean accuracy; None without random sets."""
        return _mean([found.accuracy for found in self.random])

    @property
    def random_sd(self) -> float | None:
        """Sample standard deviation of the accuracy; None for fewer than two random sets."""
        return float(np.std([found.accuracy for found in self.random], ddof=1)) if len(self.random) > 1 else None

    @property
    def random_macro_recall(self) -> float | None:
        """Mean over the random sets; None without any."""
        return _mean([found.macro_recall for found in self.random])

    @property
    def random_classes_hit(self) -> float | None:
        """Mean over the random sets; None without any."""
        return _mean([found.classes_hit for found in self.random])


def predict_linear(labelled: LabelledRows, test: F32) -> Labels:
    """Multinomial logistic regression; a single labelled class is predicted everywhere."""
    if len(set(labelled.labels.tolist())) == 1:
        return np.repeat(labelled.labels[:1], len(test))
    model = LogisticRegression(C=INVERSE_PENALTY, solver="lbfgs", max_iter=ITERATIONS)
    # One thread: products this small gain nothing from two, and their rounding would depend on the machine.
    with threadpool_limits(1):
        model.fit(labelled.vectors.astype(np.float64), labelled.labels)
        predicted: Labels = model.predict(test.astype(np.float64))
    return predicted


def predict_nearest(labelled: LabelledRows, test: F32) -> Labels:
    """The class of the labelled row with the largest cosine; ties go to the lower pool id."""
    lengths = np.linalg.norm(labelled.vectors, axis=1, keepdims=True)
    directions = (labelled.vectors / np.where(lengths > 0, lengths, 1)).T
    with threadpool_limits(1):
        nearest = [np.argmax(test[at : at + BLOCK] @ directions, axis=1) for at in range(0, len(test), BLOCK)]
    found: Labels = labelled.labels[np.concatenate(nearest)]
    return found


def evaluate(labelled: LabelledRows, test: LabelledRows) -> Probe:
    """Score both evaluators on the test rows, whatever the labelled rows are (also all of one class)."""
    return Probe(
        linear=_score(predict_linear, labelled, test),
        nearest=_score(predict_nearest, labelled, test),
    )


def probe(labelled: LabelledRows, test: LabelledRows) -> Probe:
    """What a user's labels are worth on the test rows. Raises OneClass."""
    require_two_classes(labelled.labels)
    return evaluate(labelled, test)


def compare_with_random(
    pool: LabelledRows, test: LabelledRows, *, selected: I64, random: Mapping[int, I64]
) -> RandomComparison:
    """Linear probe of rows `selected` of the pool beside random rows of it, one set of rows per seed.

    Raises OneClass if the selected rows are of one class; a random set of one class is scored all the same.
    """
    require_two_classes(pool.labels[selected])
    return RandomComparison(
        selected=_score(predict_linear, pool.take(selected), test),
        random=tuple(_score(predict_linear, pool.take(random[seed]), test) for seed in sorted(random)),
    )


def _mean(values: Sequence[float]) -> float | None:
    return float(np.mean(values)) if values else None


def _score(evaluator: Evaluator, labelled: LabelledRows, test: LabelledRows) -> Metrics:
    return measure(predicted=evaluator(labelled, test.vectors), truth=test.labels, labelled=labelled.labels)
