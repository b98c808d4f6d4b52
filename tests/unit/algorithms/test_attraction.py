from __future__ import annotations

import numpy as np
import pytest
from helpers import synthetic

from afray.algorithms import attraction, draws
from afray.algorithms.attraction import WEIGHT_TICKS, Field, Pull, Sample
from afray.algorithms.descent import TEMPERATURE, Descent
from afray.algorithms.gemm import Compute
from afray.algorithms.shards import LocalShards


def make_field(features: np.ndarray, size: int) -> Field:
    return Field(units=Descent(features[:size]).units, totals=np.linspace(1.0, 3.0, size), temperature=TEMPERATURE)


def pull(shards: LocalShards, field: Field, compute: Compute, sample: Sample | None = None) -> Pull:
    return attraction.merge(shards.map(attraction.pull, field, sample, compute))


@pytest.mark.parametrize("kind", synthetic.KINDS)
@pytest.mark.parametrize("seed", range(5))
def test_the_pull_is_the_sum_of_weighted_rows_over_each_winner(kind: str, seed: int) -> None:
    features = synthetic.small_pool(kind, seed).features
    field = make_field(features, 9)
    cosines = features.astype(np.float64) @ field.units.T
    # Equal centres (copies) tie exactly; the first maximum up to rounding is the lower centre.
    winners = np.argmax(cosines >= cosines.max(axis=1, keepdims=True) - 1e-12, axis=1)
    totals = field.totals[winners]
    weights = totals / (np.exp((cosines.max(axis=1) - 1.0) / TEMPERATURE) + totals)

    found = pull(LocalShards(features, shards=3), field, Compute(block=17))
    assert found.rows == len(features)
    for centre in range(9):
        won = winners == centre
        assert found.weights[centre] / WEIGHT_TICKS == pytest.approx(weights[won].sum(), abs=1e-5)
        expected = weights[won] @ features[won].astype(np.float64)
        np.testing.assert_allclose(found.vectors[centre] / WEIGHT_TICKS, expected, atol=1e-5)


def test_equal_centres_leave_their_rows_to_the_lowest() -> None:
    features = synthetic.small_pool("mixture", 0).features
    field = make_field(np.repeat(features[:1], 700, axis=0), 700)
    found = pull(LocalShards(features, shards=2), field, Compute())
    assert np.flatnonzero(found.weights).tolist() == [0]


def test_every_centre_of_many_tiles_wins_its_own_row() -> None:
    features = synthetic.make(2 * attraction.TILE + 90, 20, dim=16)
    found = pull(LocalShards(features), make_field(features, len(features)), Compute())
    directions = found.vectors / found.weights[:, None]
    np.testing.assert_allclose(directions, features, atol=1e-6)


def test_a_sample_takes_part_alone() -> None:
    features = synthetic.small_pool("mixture", 3).features
    field, count = make_field(features, 5), len(features) // 2
    sample = Sample(salt=draws.salt(0, "s"), largest_key=draws.largest_key(len(features), count, 0, "s"))
    found = pull(LocalShards(features, shards=4), field, Compute(block=20), sample)
    drawn = features[draws.draw(len(features), count, 0, "s")]
    expected = pull(LocalShards(drawn), field, Compute())
    assert found.rows == count
    np.testing.assert_array_equal(found.vectors, expected.vectors)
    np.testing.assert_array_equal(found.weights, expected.weights)


def test_sums_of_many_equal_rows_are_exact() -> None:
    count = 1000 * attraction.CARRY_AFTER + 12345
    row = np.array([[0.0, 1.0]], np.float32)
    field = make_field(np.array([[1.0, 0.0]], np.float32), 1)
    one = pull(LocalShards(row), field, Compute())
    assert one.vectors[0, 1] == pytest.approx(WEIGHT_TICKS, rel=1e-5)
    found = pull(LocalShards(np.broadcast_to(row, (count, 2))), field, Compute())
    np.testing.assert_array_equal(found.vectors, count * one.vectors)
    np.testing.assert_array_equal(found.weights, count * one.weights)
