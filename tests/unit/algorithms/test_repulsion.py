from __future__ import annotations

import numpy as np
import pytest
from helpers import synthetic
from numpy.typing import NDArray

from afray.algorithms import repulsion
from afray.algorithms.descent import GRID, TEMPERATURE, Descent
from afray.algorithms.gemm import Compute
from afray.algorithms.shards import LocalShards

F32 = NDArray[np.float32]


def unit_vectors(size: int, dim: int, spread: float = 1.0) -> F32:
    rng = np.random.default_rng(size)
    return Descent((1.0 + spread * rng.standard_normal((size, dim))).astype(np.float32)).units


def push(units: F32, compute: Compute | None = None) -> repulsion.Push:
    return repulsion.push(LocalShards(np.zeros((1, 1), np.float32)), units, TEMPERATURE, compute or Compute())


def plain_push(units: F32) -> repulsion.Push:
    wide = units.astype(np.float64)
    weights = np.exp((wide @ wide.T - 1.0) / TEMPERATURE)
    np.fill_diagonal(weights, 0.0)
    return repulsion.Push(totals=1.0 + weights.sum(axis=1), vectors=weights @ wide)


@pytest.mark.parametrize("spread", [0.0, 1e-3, 1.0, 100.0])
@pytest.mark.parametrize("dim", [3, 384, 1000])
def test_products_of_unit_vectors_are_exact(dim: int, spread: float) -> None:
    units = unit_vectors(50, dim, spread)
    wide = units.astype(np.float64)
    integers = (wide * GRID).astype(np.int64)
    assert (integers == wide * GRID).all()
    exact = integers @ integers.T  # below 2**53, so exact in int64
    for backend in ("numpy", "torch"):
        product = np.empty((50, 50))
        Compute(gemm=backend).product(wide, wide.T, product)
        assert (product * GRID**2 == exact.astype(np.float64)).all()
    assert exact.max() < 1.0001 * GRID**2


def test_weights_and_directions_are_those_of_the_loss() -> None:
    units = unit_vectors(60, 32)
    expected = plain_push(units)
    found = push(units)
    np.testing.assert_allclose(found.totals, expected.totals, rtol=1e-10)
    np.testing.assert_allclose(found.vectors, expected.vectors, atol=4e-7 * expected.totals.max())


@pytest.mark.parametrize("spread", [0.0, 1e-3, 1.0])
def test_the_order_of_centres_and_dimensions_changes_no_bit(spread: float) -> None:
    units = unit_vectors(70, 40, spread)
    reference = push(units)
    rng = np.random.default_rng(0)
    for backend in ("numpy", "torch"):
        centres, dims = rng.permutation(70), rng.permutation(40)
        shuffled = push(np.ascontiguousarray(units[centres][:, dims]), Compute(gemm=backend))
        np.testing.assert_array_equal(shuffled.totals, reference.totals[centres])
        np.testing.assert_array_equal(shuffled.vectors, reference.vectors[centres][:, dims])


def test_tiles_of_many_centres_join_to_the_whole() -> None:
    features = synthetic.make(repulsion.TILE + 300, 30, dim=8)
    units = Descent(features).units
    expected = plain_push(units)
    found = push(units)
    np.testing.assert_allclose(found.totals, expected.totals, rtol=1e-10)
    np.testing.assert_allclose(found.vectors, expected.vectors, atol=4e-7 * expected.totals.max())


def test_opposite_centres_hardly_repel() -> None:
    units = Descent(np.array([[1.0, 0.0]] + [[-1.0, 0.0]] * 999, np.float32)).units
    found = push(units)
    assert found.totals[0] == pytest.approx(1.0, abs=1e-9)
    np.testing.assert_allclose(found.vectors[0], [-999 * np.exp(-2.0 / TEMPERATURE), 0.0], rtol=1e-3)
