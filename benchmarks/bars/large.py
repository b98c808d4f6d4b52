"""Bar 7: stage 2 at 200,000 rows per GEMM, one thread."""

from __future__ import annotations

import harness
from harness import Bar, at_most, judged

from bars import pools, products
from bars.pools import RELEASED


def measure() -> list[Bar]:
    pool = pools.make(pools.LARGE)
    timings = harness.measure(
        {
            "gemm": products.gemm(pool.features, pool.features[pool.cores]),
            "released": lambda: pool.select(options=RELEASED),
            "paper": pool.select,
        }
    )
    product = timings["gemm"]

    def per_product(run: str, limit: float) -> Bar:
        ratio = timings[run].cpu / product.cpu
        return judged(at_most(f"7  {run} / GEMM, 200k", ratio, limit), timings[run], product)

    return [per_product("released", 5.0), per_product("paper", 8.0)]
