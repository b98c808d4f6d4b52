"""Bar 14: two threads over one, where two threads speed the bare product up by 1.7 or more."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import harness
from harness import Bar, Timing, at_least
from helpers.selections import Way

from afray.algorithms.shards import LocalShards
from bars import pools, products
from bars.activeft import steps

FREE_CORES = 1.7
"""Speed-up of the product below which another job holds one of the cores."""
SHARDS = 8


def measure() -> list[Bar]:
    pool = pools.make(pools.MEDIUM)
    centres = pool.features[pool.cores]
    runs: dict[str, Callable[[], object]] = {}
    for count in (1, 2):
        rows = LocalShards(pool.features, shards=2, threads=count)
        runs |= {
            f"product {count}": products.gemm(pool.features, centres, count),
            f"stage 2, paper {count}": _stage2(pool, count),
            f"ActiveFT {count}": steps(rows, len(pool.cores)),
        }
    timings = harness.measure(runs)
    return [_judge(f"14 two threads over one, 50k, {name}", timings, name) for name in ("stage 2, paper", "ActiveFT")]


def _stage2(pool: pools.Pool, threads: int) -> Callable[[], object]:
    return lambda: pool.select(way=Way(shards=SHARDS, threads=threads))


def _judge(bar: str, timings: dict[str, Timing], name: str) -> Bar:
    probe, gain = _gain(timings, "product"), _gain(timings, name)
    reached = at_least(bar, gain, 1.6, timings[f"{name} 2"].spread)
    doubt = f"the bare product gains {probe:.2f}" if probe < FREE_CORES else ""
    return replace(reached, doubt=doubt, holds=None if doubt else reached.holds)


def _gain(timings: dict[str, Timing], name: str) -> float:
    return timings[f"{name} 1"].wall / timings[f"{name} 2"].wall
