from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from afray.algorithms import scoring

TICKS = st.integers(0, 2**37)
INTRA = st.one_of(st.just(0.0), st.floats(1e-3, 2.0**37))
PENALTY = st.floats(1.0, 1e6)


@given(distance=TICKS, intra=INTRA, penalty=PENALTY)
def test_the_score_is_the_papers_ratio(distance: int, intra: float, penalty: float) -> None:
    larger = max(distance, intra)
    expected = (penalty * distance - intra) / larger if larger > 0 else 0.0
    np.testing.assert_allclose(scoring.boundary_score(float(distance), intra, penalty), expected, rtol=1e-9, atol=1e-9)


@given(distance=TICKS, further=st.integers(0, 4), intra=INTRA)
def test_a_longer_distance_never_lowers_the_score(distance: int, further: int, intra: float) -> None:
    near = scoring.boundary_score(float(distance), intra, 1.0)
    assert scoring.boundary_score(float(distance + further), intra, 1.0) >= near


@given(distance=TICKS, intra=INTRA, penalty=PENALTY, growth=st.floats(1.0, 2.0))
def test_a_heavier_penalty_never_lowers_the_score(distance: int, intra: float, penalty: float, growth: float) -> None:
    light = scoring.boundary_score(float(distance), intra, penalty)
    assert scoring.boundary_score(float(distance), intra, penalty * growth) >= light


def test_two_copies_of_everything_score_zero() -> None:
    assert scoring.boundary_score(0.0, 0.0, 5.0) == 0.0


def test_penalties_grow_by_multiplication_and_stay_finite() -> None:
    assert scoring.penalties(1.1, 3).tolist() == [1.0, 1.1, 1.1 * 1.1, 1.1 * 1.1 * 1.1]
    assert np.isfinite(scoring.penalties(1000.0, 500)).all()
