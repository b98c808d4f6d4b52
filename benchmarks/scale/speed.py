"""Stage 2 by the clock, beside the one product of all rows with all cores: in one process, and through Ray actors."""

from __future__ import annotations

from dataclasses import replace

import harness
import numpy as np
from bars import products
from harness import Bar, at_most, judged
from helpers.jobs import RecordingDisplay
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from afray.algorithms import bilaf
from afray.algorithms.gemm import Compute
from afray.algorithms.shards import LocalShards
from afray.runtime import probing
from afray.runtime.shards import RayShards
from scale.again import read_rows, reopened
from scale.plan import Plan, sized

F32 = NDArray[np.float32]
I64 = NDArray[np.int64]

SHARDS_PER_THREAD = 4
TURNS = 2


def measure(plan: Plan) -> list[Bar]:
    """As many threads as workers, each in turn with the product."""
    with reopened(plan, plan.workers, RecordingDisplay()) as (workspace, prepared):
        rows, cores = read_rows(workspace)
        shards, features = prepared.shards, prepared.features.rows(0, prepared.pool.rows.unique)
        there = shards.choose_products(shards.fit(len(cores)))
        with threadpool_limits(1):  # as each of the threads will have it
            here = probing.probe(features[: probing.ROWS + probing.CENTRES], probing.products_here(has_gpu=False))
        return compare(plan, features, shards, rows, cores, here.compute, there)


def compare(
    plan: Plan, features: F32, workers: RayShards, rows: I64, cores: I64, here: Compute, there: Compute
) -> list[Bar]:
    """`rows` are what must come out: of one process that computes as `here` says, and of workers as `there` says."""
    threads = LocalShards(features, shards=SHARDS_PER_THREAD * plan.workers, threads=plan.workers)
    found: dict[str, I64] = {}

    def in_threads() -> None:
        found["threads"] = bilaf.select(threads, cores, len(rows), compute=here).rows

    def on_workers() -> None:
        found["workers"] = bilaf.select(workers, cores, len(rows), compute=there).rows

    timings = harness.measure(
        {
            "gemm": products.gemm(features, features[cores], plan.workers),
            "threads": in_threads,
            "workers": on_workers,
        },
        repeats=TURNS,
    )
    product, one, both = timings["gemm"], timings["threads"], timings["workers"]
    limits = (1.5, 1.9) if here.proposals == "bfloat16" else (2.0, 2.5)
    size = f"{plan.rows:,} rows, {plan.cores:,} cores"
    together = at_most(f"8  stage 2 in one process / GEMM, {size}", one.cpu / product.cpu, limits[0])
    apart = at_most(f"8  stage 2 on Ray workers / GEMM, {size}", both.wall / product.wall, limits[1])
    alike = sum(np.array_equal(each, rows) for each in found.values())
    return [
        sized(judged(together, one, product), plan),
        # Workers are other processes, so their own work would be taken for somebody else's.
        sized(judged(apart, product, replace(both, others=0.0)), plan),
        harness.all_equal(f"   ids of one process and of workers = the run's, {size}", alike, len(found)),
    ]
