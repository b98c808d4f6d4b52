"""Pools of the generator on disk, as users store theirs, and one of them with a giant cluster in memory."""

from __future__ import annotations

import shutil

import harness  # noqa: F401 - puts the tests' helpers on the path
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from helpers import synthetic
from helpers.pools import vector_column
from helpers.synthetic import F32, I64

from scale.plan import DIM, Plan

ROWS_PER_GROUP = 10_000
"""As many as a shard has."""
GIANT_SPREAD = 0.5
"""Rows of the giant cluster lie about 0.6 from its core, and 1.3 from all others."""


def write(plan: Plan, block: int = synthetic.BLOCK) -> None:
    """The plan's pool as parquet files of `block` rows, one in memory at a time; found written, it stays."""
    if plan.pool.exists():
        return
    unfinished = plan.pool.with_suffix(".unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    start = 0
    for number, vectors in enumerate(synthetic.blocks(plan.rows, plan.cores, dim=DIM, block=block)):
        ids = [f"row-{row:08d}" for row in range(start, start + len(vectors))]
        table = pa.table({"id": ids, "embedding": vector_column(vectors)})
        pq.write_table(table, unfinished / f"vectors-{number:04d}.parquet", row_group_size=ROWS_PER_GROUP)
        start += len(vectors)
    unfinished.rename(plan.pool)


def with_a_giant(plan: Plan) -> tuple[F32, I64]:
    """Rows (N, D), the last `plan.giant` of them around one of the cores, and the cores: (K,) ascending."""
    others, rng = plan.rows - plan.giant, np.random.default_rng(1)
    features = np.empty((plan.rows, DIM), np.float32)
    start = 0
    for block in synthetic.blocks(others, plan.cores, dim=DIM):
        features[start : start + len(block)] = block
        start += len(block)
    middle = rng.standard_normal(DIM)
    middle /= np.linalg.norm(middle)
    while start < plan.rows:
        noise = rng.standard_normal((min(synthetic.BLOCK, plan.rows - start), DIM)) * DIM**-0.5
        points = middle + GIANT_SPREAD * noise
        features[start : start + len(points)] = points / np.linalg.norm(points, axis=1, keepdims=True)
        start += len(points)
    cores = np.sort(rng.choice(others, plan.cores - 1, replace=False))
    return features, np.append(cores, others + plan.giant // 2)
