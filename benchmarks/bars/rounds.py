"""Bar 17: a round at 200,000 rows, as many picks as labelled rows, beside stage 2 of the same pool; one thread."""

from __future__ import annotations

import harness
import numpy as np
from harness import Bar, at_most, judged

from afray.algorithms import uherding
from afray.algorithms.margins import LinearModel
from afray.algorithms.shards import LocalShards
from bars import pools

CLASSES = 10
REPEATS = 3


def measure() -> list[Bar]:
    pool = pools.make(pools.LARGE)
    rows, model = LocalShards(pool.features), unsure(pool.features.shape[1])
    timings = harness.measure(
        {
            "stage 2": pool.select,
            "round": lambda: uherding.select(rows, pool.cores, model, len(pool.cores)),
        },
        repeats=REPEATS,
    )
    stage, after = timings["stage 2"], timings["round"]
    name = f"17 a round of uherding / stage 2, {len(pool.features) // 1000}k, {len(pool.cores)} labelled and picked"
    return [judged(at_most(name, after.cpu / stage.cpu, 3.0), after, stage)]


def unsure(dim: int) -> LinearModel:
    """A model that is sure of hardly any row: the most work there can be, for none weighs nothing."""
    rng = np.random.default_rng(5)
    return LinearModel(weights=rng.normal(0.0, 2.0, (CLASSES, dim)), offsets=rng.normal(0.0, 0.3, CLASSES))
