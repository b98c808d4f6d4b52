"""Normalisation against exact rational arithmetic, and against itself over other shards."""

from __future__ import annotations

import itertools
import json
import math
import pickle
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from afray.api.embedding import Normalize
from afray.embedding.normalization import Normalizer, Partial, merge_all

F32 = NDArray[np.float32]
KINDS: tuple[Normalize, ...] = ("none", "l2", "standardize")

finite_vectors = hnp.arrays(
    np.float32,
    st.tuples(st.integers(1, 12), st.integers(1, 5)),
    elements=st.floats(allow_nan=False, allow_infinity=False, width=32),
)


def mixture(rows: int, dim: int, seed: int = 0) -> F32:
    """Rows whose dimensions differ in place and scale by many orders of magnitude."""
    rng = np.random.default_rng(seed)
    scale, place = np.exp(rng.normal(0, 5, dim)), rng.normal(0, 10, dim)
    return (rng.standard_normal((rows, dim)) * scale + place).astype(np.float32)


def lengths(rows: F32) -> NDArray[np.float64]:
    return np.asarray(np.linalg.norm(rows.astype(np.float64), axis=1))


@settings(deadline=None)
@given(finite_vectors)
def test_sums_are_those_of_exact_rational_arithmetic(vectors: F32) -> None:
    partial = Partial.of(vectors)
    for d, column in enumerate(vectors.T.tolist()):
        assert Fraction(partial.sums[d], 2**149) == sum(map(Fraction, column))
        assert Fraction(partial.squares[d], 2**298) == sum(Fraction(value) ** 2 for value in column)


@settings(deadline=None, max_examples=50)
@given(finite_vectors, st.data())
def test_statistics_do_not_depend_on_shards_or_their_order(vectors: F32, data: st.DataObject) -> None:
    order = data.draw(st.permutations(range(len(vectors))))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(vectors)), max_size=4)))
    edges = [0, *cuts, len(vectors)]
    shards = [vectors[order[a:b]] for a, b in itertools.pairwise(edges)]
    assert merge_all(Partial.of(shard) for shard in shards) == Partial.of(vectors)


@pytest.mark.parametrize("kind", KINDS)
def test_rows_are_bitwise_equal_for_one_two_and_seven_shards(kind: Normalize) -> None:
    vectors = mixture(500, 37)
    whole = Normalizer.fit(kind, Partial.of(vectors)).apply(vectors)
    for count in (2, 7):
        shards = np.array_split(vectors, count)
        normalizer = Normalizer.fit(kind, merge_all([Partial.of(shard) for shard in reversed(shards)]))
        np.testing.assert_array_equal(np.concatenate([normalizer.apply(shard) for shard in shards]), whole)


def test_standardised_rows_are_those_of_the_formula() -> None:
    vectors = mixture(300, 20)
    wide = vectors.astype(np.float64)
    z = (wide - wide.mean(axis=0)) / wide.std(axis=0)
    expected = z / np.linalg.norm(z, axis=1, keepdims=True)
    np.testing.assert_allclose(Normalizer.fit("standardize", Partial.of(vectors)).apply(vectors), expected, atol=1e-7)


def test_a_large_mean_costs_no_accuracy() -> None:
    offsets = np.arange(1000, dtype=np.float32)[:, None]
    vectors = np.concatenate([offsets + np.float32(2**20), offsets], axis=1)
    normalizer = Normalizer.fit("standardize", Partial.of(vectors))
    assert normalizer.std[0] == normalizer.std[1] == math.sqrt(Fraction(1000**2 - 1, 12))


def test_a_constant_dimension_becomes_zero() -> None:
    vectors = mixture(50, 4)
    vectors[:, 1], vectors[:, 2] = 7.25, 0.0
    rows = Normalizer.fit("standardize", Partial.of(vectors)).apply(vectors)
    assert not rows[:, 1:3].any()
    np.testing.assert_allclose(lengths(rows), 1.0, atol=1e-7)


def test_a_dimension_that_holds_rounding_noise_alone_becomes_zero() -> None:
    vectors = mixture(50, 3)
    vectors[:, 1] = np.float32(1000.0)
    vectors[::2, 1] = np.nextafter(np.float32(1000.0), np.float32(2000.0))
    assert not Normalizer.fit("standardize", Partial.of(vectors)).apply(vectors)[:, 1].any()


def test_a_row_that_equals_the_mean_becomes_zero_and_stays() -> None:
    vectors = np.array([[1, 1], [3, 5], [2, 3]], dtype=np.float32)
    rows = Normalizer.fit("standardize", Partial.of(vectors)).apply(vectors)
    np.testing.assert_array_equal(rows[2], [0, 0])
    np.testing.assert_allclose(rows[0], -np.sqrt([0.5, 0.5]), atol=1e-7)


@settings(deadline=None)
@given(finite_vectors)
def test_no_row_is_longer_than_one(vectors: F32) -> None:
    for kind in KINDS:
        rows = Normalizer.fit(kind, Partial.of(vectors)).apply(vectors)
        assert np.isfinite(rows).all()
        assert lengths(rows).max() <= 1 + 1e-6


@pytest.mark.parametrize("factor", [2.0**-60, 0.3, 1.0, 17.0, 2.0**60])
def test_none_scales_by_a_power_of_two_so_that_the_longest_row_almost_fills_one(factor: float) -> None:
    vectors = (np.random.default_rng(1).standard_normal((40, 8)) * factor).astype(np.float32)
    rows = Normalizer.fit("none", Partial.of(vectors)).apply(vectors)
    assert 0.5 < lengths(rows).max() <= 1.0
    ratio = rows / vectors
    assert (ratio == ratio[0, 0]).all()
    assert math.frexp(float(ratio[0, 0]))[0] == 0.5


def test_none_leaves_rows_of_length_one_as_they_are() -> None:
    vectors = np.eye(3, dtype=np.float32)
    np.testing.assert_array_equal(Normalizer.fit("none", Partial.of(vectors)).apply(vectors), vectors)


@pytest.mark.parametrize("kind", KINDS)
def test_zero_vectors_alone_stay_zero(kind: Normalize) -> None:
    vectors = np.zeros((3, 4), dtype=np.float32)
    assert not Normalizer.fit(kind, Partial.of(vectors)).apply(vectors).any()


@pytest.mark.parametrize("kind", KINDS)
def test_a_normalizer_survives_json_and_pickling_to_the_bit(kind: Normalize) -> None:
    vectors = mixture(30, 6)
    normalizer = Normalizer.fit(kind, Partial.of(vectors))
    assert Normalizer.from_json(json.loads(json.dumps(normalizer.as_json()))) == normalizer
    assert pickle.loads(pickle.dumps(normalizer)) == normalizer


def test_the_digest_tells_normalizers_apart() -> None:
    vectors = mixture(30, 6)
    fitted = [Normalizer.fit(kind, Partial.of(vectors)) for kind in KINDS]
    fitted.append(Normalizer.fit("standardize", Partial.of(vectors[1:])))
    assert len({normalizer.digest for normalizer in fitted}) == 4


def test_sums_of_many_extreme_values_do_not_overflow() -> None:
    largest = np.finfo(np.float32).max
    partial = Partial.of(np.full((5000, 2), largest, dtype=np.float32))
    assert Fraction(partial.squares[0], 2**298) == 5000 * Fraction(float(largest)) ** 2
    normalizer = Normalizer.fit("standardize", partial)
    assert normalizer.mean == (float(largest), float(largest))
    assert normalizer.std == (0.0, 0.0)
