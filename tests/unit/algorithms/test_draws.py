from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from afray.algorithms import draws

totals_and_counts = st.integers(1, 3000).flatmap(lambda total: st.tuples(st.just(total), st.integers(0, total)))


@given(totals_and_counts, st.integers(0, 2**63), st.text(max_size=8))
def test_a_draw_has_distinct_ascending_rows_of_the_pool(drawn: tuple[int, int], seed: int, stream: str) -> None:
    total, count = drawn
    rows = draws.draw(total, count, seed, stream)
    assert rows.dtype == np.int64
    assert len(rows) == count
    assert (np.diff(rows) > 0).all()
    assert ((rows >= 0) & (rows < total)).all()


@given(totals_and_counts, st.integers(0, 9))
def test_a_smaller_draw_is_the_beginning_of_a_larger_one(drawn: tuple[int, int], seed: int) -> None:
    total, count = drawn
    everything = draws.order(total, total, seed, "s")
    np.testing.assert_array_equal(draws.order(total, count, seed, "s"), everything[:count])
    np.testing.assert_array_equal(draws.draw(total, count, seed, "s"), np.sort(everything[:count]))


def test_keys_are_the_published_outputs_of_splitmix64() -> None:
    keys = draws.keys(np.array([1, 2, 3]), np.uint64(0))
    assert [f"{key:016x}" for key in keys.tolist()] == ["e220a8397b1dcdaf", "6e789e6aa1b965f4", "06c45d188009454f"]


def test_a_shard_finds_its_own_rows_of_a_draw() -> None:
    salt, largest = draws.salt(3, "s"), draws.largest_key(1000, 200, 3, "s")
    shards = [np.arange(0, 300), np.arange(300, 301), np.arange(301, 1000)]
    found = np.concatenate([rows[draws.keys(rows, salt) <= largest] for rows in shards])
    np.testing.assert_array_equal(found, draws.draw(1000, 200, 3, "s"))


def test_a_pool_larger_than_one_slice_is_drawn_as_a_whole() -> None:
    total = draws.SLICE + 5000
    keys = draws.keys(np.arange(total), draws.salt(1, "s"))
    np.testing.assert_array_equal(draws.order(total, 3000, 1, "s"), np.argsort(keys)[:3000])


def test_every_row_is_drawn_equally_often() -> None:
    times = np.zeros(500)
    for seed in range(1000):
        times[draws.draw(500, 50, seed, "s")] += 1
    # Without replacement the counts vary less than a binomial; 1.2 is far above what 500 degrees of freedom allow.
    assert 0.8 < ((times - 100.0) ** 2 / (100.0 * 0.9)).mean() < 1.2


def test_every_position_of_an_order_is_uniform() -> None:
    places = np.zeros(200)
    for seed in range(400):
        places += np.argsort(draws.order(200, 200, seed, "s"))
    deviation = np.sqrt(200**2 / 12 / 400)
    assert (np.abs(places / 400 - 99.5) < 4.5 * deviation).all()


def test_seeds_and_streams_draw_independently() -> None:
    reference = draws.draw(10_000, 1000, 0, "a")
    for seed, stream in [(0, "b"), (1, "a"), (0, "a/1"), (2**40, "a")]:
        common = len(np.intersect1d(reference, draws.draw(10_000, 1000, seed, stream)))
        assert 60 < common < 140  # 100 expected, standard deviation 9
