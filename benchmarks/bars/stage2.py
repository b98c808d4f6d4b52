"""Bars 5 and 6: stage 2 at 50,000 rows beside its own products, and what the certificate costs; one thread."""

from __future__ import annotations

import harness
from harness import Bar, at_most, judged
from helpers.selections import Way

from afray.algorithms.gemm import Compute
from bars import pools, products
from bars.pools import RELEASED

UNCERTIFIED = Way(compute=Compute(certify=False))


def measure() -> list[Bar]:
    pool = pools.make(pools.MEDIUM)
    timings = harness.measure(
        {
            "gemm": products.gemm(pool.features, pool.features[pool.cores]),
            "syrk": products.syrk(pool),
            "released": lambda: pool.select(options=RELEASED),
            "paper 1000": lambda: pool.select(pool.labels // 5),
            "paper 5000": pool.select,
            "uncertified": lambda: pool.select(way=UNCERTIFIED),
        }
    )
    bases = timings["gemm"], timings["syrk"]
    share = 1.0 - timings["uncertified"].cpu / timings["paper 5000"].cpu

    def per_product(run: str, limit: float) -> Bar:
        ratio = timings[run].cpu / sum(base.cpu for base in bases)
        return judged(at_most(f"6  {run} / (GEMM + syrk), 50k", ratio, limit), timings[run], *bases)

    certificate = at_most("5  certificate's share of stage 2, 50k, 5000 labels", share, 0.10)
    return [
        judged(certificate, timings["paper 5000"], timings["uncertified"]),
        per_product("released", 5.0),
        per_product("paper 1000", 6.5),
        per_product("paper 5000", 9.0),
    ]
