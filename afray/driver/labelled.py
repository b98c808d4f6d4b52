"""Rows of an embedded pool that have a label."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from afray.driver.embedding import EmbeddedPool
from afray.errors import PoolError

I64 = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LabelledSet:
    """Row numbers in ascending order, and their labels."""

    pool: EmbeddedPool
    rows: I64
    labels: NDArray[np.str_]

    def among(self, rows: I64) -> LabelledSet:
        """Only those of `rows` that have a label."""
        here = np.isin(self.rows, rows)
        return LabelledSet(pool=self.pool, rows=self.rows[here], labels=self.labels[here])


def find_labelled(pool: EmbeddedPool, labels: Mapping[str, str], field: str) -> LabelledSet:
    """All rows of a pool that take part and have a label. Raises PoolError if there is none."""
    pool_ids: list[int] = []
    names: list[str] = []
    for number in range(pool.index.shard_count):
        part = pool.index.read_part(number)
        for pool_id, row_id in zip(part["pool_id"].to_pylist(), part["id"].to_pylist(), strict=True):
            if (label := labels.get(row_id)) is not None:
                pool_ids.append(pool_id)
                names.append(label)
    rows = pool.rows.row_numbers(np.array(pool_ids, np.int64))
    takes_part = rows >= 0
    if not takes_part.any():
        raise PoolError(f"{field}: no readable row of {pool.source.uri} has a label. Check the ids in the label file")
    return LabelledSet(pool=pool, rows=rows[takes_part], labels=np.array(names)[takes_part])
