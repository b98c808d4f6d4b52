"""Bars 1, 3, 4 and 12: the same ids and the same bits, whatever computes them."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import harness
from harness import Bar
from helpers import oracle, selections, synthetic
from helpers.selections import WAYS, Way

from afray.algorithms import activeft
from afray.algorithms.activeft import ActiveFTOptions
from afray.algorithms.gemm import Compute
from afray.algorithms.shards import LocalShards
from bars import pools
from bars.pools import PAPER, RELEASED

GOLDEN = json.loads((Path(__file__).parents[2] / "tests" / "data" / "stage2-golden.json").read_text())["budgets"]
POOLS_PER_KIND = 40
TRANSCRIBED_LABELS = 1000
COMPARED_STEPS = 60
LAYOUTS = [
    Way(shards=1, threads=1),
    Way(shards=2, threads=2),
    Way(shards=7, threads=2, compute=Compute(block=700)),
    Way(shards=1, threads=1, compute=Compute(gemm="torch")),
    Way(shards=7, threads=2, compute=Compute(gemm="torch", block=133)),
    Way(shards=2, threads=2, compute=Compute(proposals="tf32")),
]


def check() -> list[Bar]:
    pool = pools.make(pools.MEDIUM)
    expected = oracle.bilaf(pool.features, pool.cores, TRANSCRIBED_LABELS)
    transcribed = pool.select(TRANSCRIBED_LABELS).tolist() == expected
    return [
        harness.all_equal("1  released mode = released code's lists, 50k", *_compare_published("released")),
        harness.all_equal("3  paper mode = published lists, 50k", *_compare_published("paper")),
        harness.all_equal("3  paper mode = transcription, small pools of five kinds", *_compare_small_pools()),
        harness.all_equal("3  paper mode = transcription, 50k, 1000 labels", int(transcribed), 1),
        harness.all_equal("4  ids in other ways of computing, 50k, a fifth copies", *_compare_layouts()),
        harness.all_equal(f"12 bits of theta after {COMPARED_STEPS} steps in other ways, 50k", *_compare_thetas()),
    ]


def _compare_published(mode: str) -> tuple[int, int]:
    pool, options = pools.make(pools.MEDIUM), RELEASED if mode == "released" else PAPER
    equal = [selections.digest(pool.select(entry["budget"], options)) == entry[mode] for entry in GOLDEN]
    return sum(equal), len(equal)


def _compare_small_pools() -> tuple[int, int]:
    """Each way of computing has its share of the pools."""
    ways = itertools.cycle(WAYS.values())
    hard = [synthetic.small_pool(kind, seed) for kind in synthetic.KINDS for seed in range(POOLS_PER_KIND)]
    equal = [
        selections.select(pool.features, pool.core_rows, pool.budget, way=way).rows.tolist()
        == oracle.bilaf(pool.features, pool.core_rows, pool.budget)
        for pool, way in zip(hard, ways, strict=False)
    ]
    return sum(equal), len(equal)


def _compare_layouts() -> tuple[int, int]:
    pool = pools.with_copies(pools.make(pools.MEDIUM))
    digests = [selections.digest(pool.select(way=way)) for way in LAYOUTS]
    return digests.count(digests[0]), len(digests)


def _compare_thetas() -> tuple[int, int]:
    pool = pools.make(pools.MEDIUM)
    thetas = [_theta(pool, way) for way in LAYOUTS]
    return thetas.count(thetas[0]), len(thetas)


def _theta(pool: pools.Pool, way: Way) -> bytes:
    rows = LocalShards(pool.features, shards=way.shards, threads=way.threads)
    return activeft.optimise(rows, len(pool.cores), ActiveFTOptions(steps=COMPARED_STEPS), way.compute).theta.tobytes()
