"""What the labels so far say about rows: the model of uherding, and the file that it is kept in with the selection."""

from __future__ import annotations

import io
import logging

import numpy as np

from afray.algorithms.margins import LinearModel
from afray.driver.features import PreparedPool
from afray.driver.rounds.answers import AllAnswers
from afray.driver.rounds.frozen import find_rows

log = logging.getLogger(__name__)

ROLE = "model.npz"
"""Of the kept file, in the commit of the selection."""


def learn(prepared: PreparedPool, known: AllAnswers) -> LinearModel | None:
    """The calibrated model of all labelled rows, None if their labels tell nothing apart."""
    # Takes a second to import, and only rounds need it.
    from afray.algorithms import calibration

    labels = known.labels
    rows = find_rows(prepared.pool, list(labels))
    names, classes = np.unique(list(labels.values()), return_inverse=True)
    order = np.argsort(rows)
    model = calibration.calibrate(prepared.shards.take(rows[order]), classes[order].astype(np.int64))
    if model is None:
        log.warning(
            "all %d labels are of one class (%s): no row is more uncertain than another, so the pool is covered alone",
            len(labels), ", ".join(names),
        )  # fmt: skip
    return model


def write(model: LinearModel) -> bytes:
    """The kept file."""
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, weights=model.weights, offsets=model.offsets)
    return buffer.getvalue()


def read(content: bytes) -> LinearModel:
    """The model in a kept file."""
    with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
        return LinearModel(weights=arrays["weights"], offsets=arrays["offsets"])
