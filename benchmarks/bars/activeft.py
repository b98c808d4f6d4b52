"""Bars 9 and 12: a step of ActiveFT beside its one product of all rows with all centres, and what exact sums cost."""

from __future__ import annotations

from collections.abc import Callable

import harness
import numpy as np
from harness import Bar, at_most, judged
from threadpoolctl import threadpool_limits

from afray.algorithms import activeft, attraction, descent
from afray.algorithms.activeft import ActiveFTOptions
from afray.algorithms.attraction import Field
from afray.algorithms.gemm import Compute
from afray.algorithms.shards import LocalShards, Shard
from bars import pools, products
from bars.floats import pull_in_floats, pull_into_floats

TIMED_STEPS = 5


def measure() -> list[Bar]:
    return [*measure_step(), *measure_exact()]


def measure_step() -> list[Bar]:
    """A whole step, the driver's part included; one thread."""
    pool = pools.make(pools.MEDIUM)
    rows = LocalShards(pool.features)
    product = products.gemm(pool.features, pool.features[pool.cores])
    timings = harness.measure({"step": steps(rows, len(pool.cores)), "product": product})
    ratio = timings["step"].cpu / TIMED_STEPS / timings["product"].cpu
    return [judged(at_most("9  ActiveFT step / GEMM, 50k", ratio, 1.5), *timings.values())]


def measure_exact() -> list[Bar]:
    """The rows' part of a step over the same with float sums.

    The bar is about sums that do not depend on their order; what winners and weights in float64 cost besides has, like
    the certificate of stage 2 at first, a fifth to spend.
    """
    pool = pools.make(pools.MEDIUM)
    shard, field = Shard(0, pool.features), _field(pool)
    with threadpool_limits(1):
        timings = harness.measure(
            {
                "exact": lambda: attraction.pull(shard, field, None, Compute()),
                "float sums": lambda: pull_into_floats(pool.features, field),
                "float": lambda: pull_in_floats(pool.features, field),
            }
        )
    sums, everything = (timings["exact"].cpu / timings[name].cpu - 1.0 for name in ("float sums", "float"))
    return [
        judged(at_most("12 cost of sums in integers, ActiveFT, 50k", sums, 0.10), *timings.values()),
        judged(at_most("12 that and exact winners and weights, 50k", everything, 0.20), *timings.values()),
    ]


def steps(rows: LocalShards, centres: int) -> Callable[[], object]:
    """TIMED_STEPS steps over all rows."""
    return lambda: activeft.optimise(rows, centres, ActiveFTOptions(steps=TIMED_STEPS), Compute())


def _field(pool: pools.Pool) -> Field:
    units = descent.Descent(pool.features[pool.cores]).units
    return Field(units=units, totals=np.full(len(units), 1.5), temperature=descent.TEMPERATURE)
