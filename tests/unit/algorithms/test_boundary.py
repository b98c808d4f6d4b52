"""The root mean square of distances without pairs is what it says, in any order of rows."""

from __future__ import annotations

import numpy as np
import pytest
from helpers import synthetic

from afray.algorithms import boundary, numerics


@pytest.mark.parametrize("kind", synthetic.KINDS)
def test_the_root_mean_square_is_that_of_all_pairs(kind: str) -> None:
    rows = synthetic.small_pool(kind, 1).features
    kept = np.random.default_rng(0).random(len(rows)) < 0.8
    wide = rows.astype(np.float64)
    squares = ((wide[:, None, :] - wide[None, kept, :]) ** 2).sum(axis=2).mean(axis=1)
    found = boundary.rms_ticks(rows, kept) / numerics.TICKS
    assert found[kept] == pytest.approx(np.sqrt(squares[kept]), abs=1e-4)
    assert (found[~kept] == 0.0).all()


def test_the_root_mean_square_does_not_depend_on_the_order_of_rows() -> None:
    rows = synthetic.make(500, 3, dim=40)
    order = np.random.default_rng(0).permutation(len(rows))
    kept = np.ones(len(rows), np.bool_)
    assert boundary.rms_ticks(rows[order], kept).tolist() == boundary.rms_ticks(rows, kept)[order].tolist()


def test_copies_lie_at_no_distance() -> None:
    rows = np.repeat(synthetic.make(1, 1, dim=16), 50, axis=0)
    assert boundary.rms_ticks(rows, np.ones(50, np.bool_)) / numerics.TICKS == pytest.approx(np.zeros(50), abs=1e-4)
