"""Bar 16: pools that break naive code end with the documented result, in every way of computing."""

from __future__ import annotations

from collections.abc import Iterator

import harness
import numpy as np
from harness import Bar
from helpers import selections, synthetic
from helpers.selections import WAYS
from helpers.synthetic import F32, I64

Hard = tuple[F32, I64, int]
"""Rows, cores, labels."""


def check() -> list[Bar]:
    hard = list(_pools())
    sound = sum(_is_sound(pool) for pool in hard)
    return [harness.all_equal("16 copies, identical cores, tiny clusters, as many labels as cores", sound, len(hard))]


def _pools() -> Iterator[Hard]:
    yield np.full((120, 8), 0.3, np.float32), np.array([3, 50]), 30
    identical = synthetic.make(200, 4, dim=16)
    identical[[40, 90]] = identical[7]
    yield identical, np.array([7, 40, 90, 150]), 20
    plain = synthetic.make(400, 8, dim=16)
    yield plain, np.arange(8), 8
    yield plain, np.arange(0, 400, 5), 200
    for kind in synthetic.KINDS:
        small = synthetic.small_pool(kind, 6)
        kept = selections.select(small.features, small.core_rows, len(small.core_rows)).kept
        yield small.features, small.core_rows, kept


def _is_sound(pool: Hard) -> bool:
    """Cores in, as many distinct rows as labels, and the same in every way of computing."""
    features, cores, labels = pool
    lists = [selections.select(features, cores, labels, way=way).rows.tolist() for way in WAYS.values()]
    rows = set(lists[0])
    return len(rows) == labels and rows >= set(cores.tolist()) and lists.count(lists[0]) == len(lists)
