"""What the work is measured in: the plain products that no implementation can do without."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from helpers.synthetic import F32
from threadpoolctl import threadpool_limits

from afray.algorithms import assignment
from afray.algorithms.gemm import Compute
from afray.algorithms.shards import LocalShards
from bars.pools import Pool

BLOCK = Compute().block


def gemm(features: F32, centres: F32, threads: int = 1) -> Callable[[], None]:
    """The float32 product of all rows and centres in the product's blocks, nothing kept."""
    transposed = np.ascontiguousarray(centres.T)

    def multiply(part: F32) -> None:
        out = np.empty((BLOCK, len(centres)), np.float32)
        for start in range(0, len(part), BLOCK):
            block = part[start : start + BLOCK]
            np.matmul(block, transposed, out=out[: len(block)])

    def run() -> None:
        with threadpool_limits(1), ThreadPoolExecutor(threads) as hands:
            list(hands.map(multiply, np.array_split(features, threads)))

    return run


def syrk(pool: Pool) -> Callable[[], None]:
    """The Gram products of all clusters in float64, rows already in place, into memory already touched."""
    features, cores = pool.features, pool.cores
    (labels,) = LocalShards(features).map(assignment.nearest_step, features[cores], Compute())
    clusters = [features[labels == number].astype(np.float64) for number in range(len(cores))]
    out = np.empty(max(len(rows) for rows in clusters) ** 2)

    def run() -> None:
        with threadpool_limits(1):
            for rows in clusters:
                np.matmul(rows, rows.T, out=out[: len(rows) ** 2].reshape(len(rows), len(rows)))

    return run
