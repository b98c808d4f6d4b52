"""Sorted lists of fixed length, kept by insertion: the k smallest of a stream by (key, value), in any order of arrival.

Many lists share two arrays, one list per line: ascending int64 `keys` (FAR where nothing is yet), and `values`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from afray.algorithms.jit import compiled

I64 = NDArray[np.int64]
Integers = NDArray[np.signedinteger[Any]]

FAR = 2**62
"""A key larger than any distance in ticks and any sum of them."""


@compiled
def insert(keys: I64, values: Integers, line: int, key: int, value: int) -> None:
    """Offer an entry to a list; whatever is then last falls out. (A line by number: a slice would cost more.)"""
    length = keys.shape[1]
    slot = length - 1
    while slot >= 0 and (keys[line, slot] > key or (keys[line, slot] == key and values[line, slot] > value)):
        if slot + 1 < length:
            keys[line, slot + 1] = keys[line, slot]
            values[line, slot + 1] = values[line, slot]
        keys[line, slot] = key
        values[line, slot] = value
        slot -= 1
