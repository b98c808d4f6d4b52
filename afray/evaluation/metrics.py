"""The figures of merit, computed from class names alone, so that every evaluator is scored by the same code."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np

from afray.evaluation.labels import Labels


@dataclass(frozen=True, slots=True, kw_only=True)
class Metrics:
    """How well rows that were labelled predict rows that were not. Ratios are 0..1."""

    accuracy: float
    macro_recall: float
    """Mean recall over the classes that occur among the test rows."""
    classes_hit: int
    """Distinct classes among the labelled rows."""
    test_rows: int

    def as_json(self) -> dict[str, float | int]:
        """Field names and values, for reports."""
        return asdict(self)


def measure(*, predicted: Labels, truth: Labels, labelled: Labels) -> Metrics:
    """Score predictions (n,) against the truth (n,); a class that nobody labelled is never predicted, hence wrong."""
    right = predicted == truth
    _, codes = np.unique(truth, return_inverse=True)
    recall = np.bincount(codes, weights=right) / np.bincount(codes)
    return Metrics(
        accuracy=float(right.mean()),
        macro_recall=float(recall.mean()),
        classes_hit=len(np.unique(labelled)),
        test_rows=len(truth),
    )
