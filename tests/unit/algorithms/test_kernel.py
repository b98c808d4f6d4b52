from __future__ import annotations

import math

import numpy as np
from helpers import round_oracle

from afray.algorithms.kernel import WHOLE, kernel, kernels

WIDTH = 0.7 * 2.0**35


def test_a_kernel_is_a_gaussian_to_a_millionth() -> None:
    distances = np.random.default_rng(0).integers(0, 2**37, 2000)
    found = kernels(distances, WIDTH)
    expected = [math.exp(-((distance / WIDTH) ** 2) / 2) for distance in distances.tolist()]
    np.testing.assert_allclose(found / WHOLE, expected, atol=1e-6)
    np.testing.assert_array_equal(found, round_oracle.kernel(distances, WIDTH))


def test_a_larger_distance_never_has_the_larger_kernel() -> None:
    rng = np.random.default_rng(1)
    for start in rng.integers(0, 2**37, 200).tolist():
        found = kernels(np.arange(start, start + 500), WIDTH)
        assert (np.diff(found) <= 0).all()


def test_a_row_stands_for_itself_wholly_and_for_the_farthest_not_at_all() -> None:
    assert kernel(0, WIDTH) == WHOLE
    assert kernel(2**37, 1.0) == 0
