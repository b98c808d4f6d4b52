"""Ids in ways of computing that take too long, or too much room, for every test."""

from __future__ import annotations

import time
from dataclasses import replace

import harness
import numpy as np
from bars import pools
from harness import Bar, all_equal
from helpers import selections
from helpers.selections import Way

from afray.algorithms import methods
from afray.algorithms.activeft import ActiveFTOptions
from afray.algorithms.candidates import Scorer
from afray.algorithms.clusters import Tuning
from afray.algorithms.gemm import Compute
from afray.algorithms.methods import SelectionOptions
from afray.algorithms.shards import LocalShards
from scale import again, pool
from scale.plan import DIM, IMAGENET_CORES, IMAGENET_ROWS, Plan, like_imagenet

COARSE = Compute(proposals="bfloat16")
COARSE_STEPS = 5
COARSE_SECONDS = 900.0
"""What a selection with coarse scores may take where the processor only imitates them: the pool shrinks to that."""
FEWER_CORES = 4
"""Cores and labels of the section with a giant cluster are fewer: its own picks take long enough."""
TABLE_ROWS = 12_000
"""Up to this size a giant cluster is also compared with a table of its distances: 1.2 GB."""
THIN = Way(compute=Compute(gemm="torch", memory=2**26), threads=1)
"""Another library, and strips a sixteenth as large."""


def compare_workers(plan: Plan) -> list[Bar]:
    same = again.is_same(plan, workers=plan.workers + 1)
    return [all_equal(f"   ids of {plan.workers + 1} workers = those of {plan.workers}, {plan.rows:,} rows", same, 1)]


def compare_after_losses(plan: Plan) -> list[Bar]:
    same = again.is_same_after_losses(plan)
    return [all_equal(f"   ids though two workers were killed, {plan.rows:,} rows", same, 1)]


def compare_coarse(plan: Plan) -> list[Bar]:
    """The whole selection with bfloat16 scores, on as large a pool as the processor multiplies in 15 minutes."""
    rows = min(plan.rows, _affordable_rows())
    smaller = like_imagenet(rows, steps=COARSE_STEPS, workers=plan.workers, folder=plan.folder)
    made = pools.make(pools.Sizes(rows=rows, cores=smaller.cores, labels=smaller.labels))
    options = SelectionOptions(activeft=ActiveFTOptions(steps=COARSE_STEPS), core_size=smaller.cores)
    local = LocalShards(made.features, shards=plan.workers, threads=plan.workers)
    fine, coarse = (methods.select("bilaf", local, smaller.labels, options, each).rows for each in (Compute(), COARSE))
    return [all_equal(f"   ids by bfloat16 = those by float32, {rows:,} rows", np.array_equal(fine, coarse), 1)]


def _affordable_rows() -> int:
    """Rows whose passes (the steps of ActiveFT and the assignment) fit into COARSE_SECONDS, at the rate measured."""
    rng = np.random.default_rng(0)
    rows, centres = (rng.standard_normal((count, DIM)).astype(np.float32) / DIM**0.5 for count in (64, 1024))
    scorer = Scorer(centres, COARSE)
    scorer.nearest(rows, 1)
    started = time.perf_counter()
    scorer.nearest(rows, 1)
    flops_per_second = 2.0 * len(rows) * centres.size / (time.perf_counter() - started)
    flops_per_square = 2.0 * DIM * (IMAGENET_CORES / IMAGENET_ROWS) * (COARSE_STEPS + 1)
    return int((COARSE_SECONDS * flops_per_second / flops_per_square) ** 0.5)


def compare_giant(plan: Plan) -> list[Bar]:
    """A cluster far above what gets a table of its distances, in two ways; a smaller one beside its table."""
    few = replace(plan, cores=max(2, plan.cores // FEWER_CORES), labels=max(4, plan.labels // FEWER_CORES))
    beside = min(plan.giant, TABLE_ROWS)
    small = replace(few, rows=plan.rows * beside // plan.giant, giant=beside)
    table = Way(tuning=Tuning(table_rows=beside), compute=Compute(memory=32 * beside**2))
    strips = Tuning(table_rows=1)
    return [
        _compare_giants(few, replace(THIN, tuning=strips), "in strips of two sizes by two libraries"),
        _compare_giants(small, table, "in strips and with a table"),
    ]


def _compare_giants(plan: Plan, other: Way, how: str) -> Bar:
    features, cores = pool.with_a_giant(plan)
    strips = Way(threads=plan.workers, shards=plan.workers, tuning=Tuning(table_rows=1))
    one, another = (selections.select(features, cores, plan.labels, way=way).rows for way in (strips, other))
    name = f"   ids with {plan.giant:,} of {plan.rows:,} rows in one cluster, {how}"
    return harness.all_equal(name, np.array_equal(one, another), 1)
