"""ActiveFT's core rows: free vectors walk down a loss of attraction to rows and repulsion from each other, then snap.

The loss is the one of the released code: mean over rows i, won by the centre c with the largest cosine s, of
-s / tau + log(exp(s / tau) + sum over all k of exp(T_c . T_k / tau)), with T_k held fixed. Its gradient has a closed
form, so a step is one pass over the rows and no tape.

    K drawn rows = theta --> unit vectors --+--> pull of the rows (workers, summed) --+--> gradient, Adam --> theta ...
                                            +--> push among the centres --------------+
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from afray.algorithms import attraction, draws, repulsion, snap
from afray.algorithms.attraction import Field, Sample
from afray.algorithms.descent import TEMPERATURE, Descent
from afray.algorithms.draws import NO_ROWS
from afray.algorithms.gemm import Compute
from afray.algorithms.shards import Progress, Shards, count_rows, silent

I64 = NDArray[np.int64]

ALL_ROWS_UP_TO = 200_000
"""Pools up to this size use every row in every step."""
STEPS_OVER_ALL, STEPS_OVER_SAMPLES = 300, 100


@dataclass(frozen=True, slots=True, kw_only=True)
class ActiveFTOptions:
    """None stands for what the pool's size suggests."""

    seed: int = 0
    steps: int | None = None
    rows_per_step: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """How many steps, and how many rows each step draws anew."""

    steps: int
    rows: int


def schedule(total: int, size: int, options: ActiveFTOptions) -> Schedule:
    """The schedule for `size` centres in a pool of `total` rows: all rows, or 100 steps of max(100000, 10 size)."""
    small = total <= ALL_ROWS_UP_TO
    rows = options.rows_per_step or (total if small else max(100_000, 10 * size))
    return Schedule(steps=options.steps or (STEPS_OVER_ALL if small else STEPS_OVER_SAMPLES), rows=min(rows, total))


def cores(
    shards: Shards,
    size: int,
    options: ActiveFTOptions,
    compute: Compute,
    progress: Progress = silent,
    labelled: I64 = NO_ROWS,
) -> I64:
    """`size` rows in the order of their centres: each the nearest row to its centre that is not taken yet.

    Rows that are `labelled` (ascending) are taken.
    """
    free = optimise(shards, size, options, compute, progress, labelled).units[len(labelled) :]
    return snap.snap(shards, free, compute, labelled)


def optimise(
    shards: Shards,
    size: int,
    options: ActiveFTOptions,
    compute: Compute,
    progress: Progress = silent,
    labelled: I64 = NO_ROWS,
) -> Descent:
    """The centres after the last step, those of labelled rows first: they win rows and repel, and stay in place.

    Needs 1 <= size <= rows without a label; rows are unit vectors.
    """
    total = count_rows(shards)
    plan = schedule(total, len(labelled) + size, options)
    start = draws.draw(total, size, options.seed, "start", labelled)
    descent = Descent(shards.take(np.concatenate([labelled, start])))
    # BLAS threads of the driver's small products would go on spinning while the workers need the cores.
    with threadpool_limits(1):
        for done, sample in enumerate(_samples(total, plan, options.seed), start=1):
            push = repulsion.push(shards, descent.units, TEMPERATURE, compute)
            field = Field(units=descent.units, totals=push.totals, temperature=TEMPERATURE)
            pull = attraction.merge(shards.map(attraction.pull, field, sample, compute))
            gradient = descent.gradient(pull, push)
            gradient[: len(labelled)] = 0.0
            descent.step(gradient)
            progress("core", done, plan.steps)
    return descent


def _samples(total: int, plan: Schedule, seed: int) -> Iterator[Sample | None]:
    """The rows of each step; None means all."""
    for step in range(plan.steps):
        stream = f"activeft/{step}"
        yield (
            None
            if plan.rows == total
            else Sample(salt=draws.salt(seed, stream), largest_key=draws.largest_key(total, plan.rows, seed, stream))
        )
