from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from afray.algorithms.sorted_lists import FAR, insert


@given(keys=st.lists(st.integers(0, 5), max_size=30), length=st.integers(1, 8), seed=st.integers(0, 100))
def test_a_list_holds_the_smallest_entries_in_order_whatever_the_order_of_arrival(
    keys: list[int], length: int, seed: int
) -> None:
    entries = list(zip(keys, range(len(keys)), strict=True))
    kept_keys, kept_values = np.full((2, length), FAR), np.full((2, length), -1)
    for place in np.random.default_rng(seed).permutation(len(entries)):
        insert(kept_keys, kept_values, 1, *entries[place])
    found = [pair for pair in zip(kept_keys[1].tolist(), kept_values[1].tolist(), strict=True) if pair[0] < FAR]
    assert found == sorted(entries)[:length]
    assert (kept_keys[0] == FAR).all()
