"""The pools that bars are measured on, each made once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from helpers import selections, synthetic
from helpers.selections import PLAIN, Way
from helpers.synthetic import F32, I64

from afray.algorithms.clusters import BilafOptions

PAPER, RELEASED = BilafOptions(), BilafOptions(mode="released")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Pool:
    """Rows (N, D), cores drawn from them (ascending), and the usual number of labels."""

    features: F32
    cores: I64
    labels: int

    def select(self, labels: int | None = None, options: BilafOptions = PAPER, way: Way = PLAIN) -> I64:
        """Stage 2: the rows selected, in rank order."""
        return selections.select(self.features, self.cores, labels or self.labels, options, way).rows


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """Rows, cores and labels of a pool."""

    rows: int
    cores: int
    labels: int


MEDIUM, LARGE = Sizes(rows=50_000, cores=250, labels=5000), Sizes(rows=200_000, cores=1000, labels=10_000)


@cache
def make(sizes: Sizes) -> Pool:
    """The benchmark pool of performance measurements in that size."""
    features = synthetic.make(sizes.rows, sizes.cores)
    cores = np.sort(np.random.default_rng(0).choice(sizes.rows, sizes.cores, replace=False))
    return Pool(features=features, cores=cores, labels=sizes.labels)


def with_copies(pool: Pool) -> Pool:
    """The pool with a fifth of its rows replaced by exact copies of others."""
    rows = len(pool.features)
    copied = pool.features.copy()
    rng = np.random.default_rng(1)
    copied[rng.permutation(rows)[: rows // 5]] = copied[rng.integers(rows, size=rows // 5)]
    return Pool(features=copied, cores=pool.cores, labels=pool.labels)
