from __future__ import annotations

import numpy as np
import pytest
from helpers import core_oracles, synthetic

from afray.algorithms.closeness import closeness, lowest_closeness
from afray.algorithms.gemm import Compute


@pytest.mark.parametrize("backend", ["numpy", "torch"])
@pytest.mark.parametrize("kind", synthetic.KINDS)
def test_no_pair_nearer_than_a_distance_falls_below_its_lowest_closeness(kind: str, backend: str) -> None:
    features = synthetic.small_pool(kind, 1).features
    near = closeness(features[:40], features, Compute(gemm=backend))
    for values, to_rows in zip(near.values, core_oracles.ticks(features[:40], features), strict=True):
        for value, ticks in zip(values, to_rows, strict=True):
            assert value >= lowest_closeness(ticks + 1, near.error)


@pytest.mark.parametrize("scale", [1.0, 0.01])
def test_closeness_is_minus_half_the_squared_distance_up_to_its_error(scale: float) -> None:
    features = synthetic.small_pool("mixture", 2).features
    centres = features[:30] * np.float32(scale)
    near = closeness(centres, features, Compute())
    exact = -0.5 * core_oracles.distances(centres, features) ** 2
    assert np.abs(near.values - exact).max() <= near.error < 1e-4
