"""The paths of a GPU: the same ids as the CPU's, and their rates beside the card's own product.

    benchmarks/gpu.py [--device cuda] [--rows 200000] [--json bars.json]

For the day a card is at hand; `--device cpu --rows 5000` runs the same code without one (its tf32 is imitated there,
and 16-bit products may be very slow).
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import harness
import numpy as np
from bars import pools
from bars.pools import Pool, Sizes
from harness import Bar
from helpers import selections
from helpers.selections import Way
from helpers.synthetic import F32

from afray.algorithms import activeft, precisions
from afray.algorithms.activeft import ActiveFTOptions
from afray.algorithms.candidates import Scorer
from afray.algorithms.devices import DeviceScores
from afray.algorithms.gemm import Compute
from afray.algorithms.precisions import FLOAT32, PRECISIONS
from afray.algorithms.shards import LocalShards

ROWS_PER_CORE, LABELS_PER_CORE = 200, 10
LISTED = 11
STEPS = 10
REPEATS = 5
COARSE = [name for name in PRECISIONS if name != FLOAT32.name]


def main() -> int:
    options = _arguments()
    pool = _pool(options.rows)
    computes = {name: Compute(proposals=name, device=options.device, block=options.block) for name in COARSE}
    bars = [_compare_errors(pool.features, computes), _compare_ids(pool, computes), _compare_thetas(pool, computes)]
    for name, compute in computes.items():
        _show_rates(name, pool.features, pool.features[pool.cores], compute)
    return harness.conclude(f"{_card(options.device)}; {options.rows:,} rows", bars, options.json)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda", help="cuda, or cpu to try the script")
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--block", type=int, default=2**14, help="rows per product")
    parser.add_argument("--json", type=Path, help="write the bars as a JSON list to this file")
    return parser.parse_args()


def _card(device: str) -> str:
    import torch

    return torch.cuda.get_device_name(device) if device != "cpu" else harness.machine()


def _pool(rows: int) -> Pool:
    """The benchmark pool in that size, a fifth of it exact copies."""
    cores = max(2, rows // ROWS_PER_CORE)
    return pools.with_copies(pools.make(Sizes(rows=rows, cores=cores, labels=LABELS_PER_CORE * cores)))


def _compare_errors(features: F32, computes: dict[str, Compute]) -> Bar:
    """Products of real rows stay within the bound of their precision."""
    rows, centres = features[:2048], features[-512:]
    exact = rows.astype(np.float64) @ centres.astype(np.float64).T
    within = 0
    for name, compute in computes.items():
        scorer = DeviceScores(centres, None, compute)
        _, _, scores = scorer.top(rows, 1)
        error = float(np.abs(scorer.take(scores, np.arange(len(rows))) - exact).max())
        allowed = precisions.bound(features.shape[1], 1.0, 1.0, PRECISIONS[name])
        print(f"   {name:10} largest error {error:.2e}, allowed {allowed:.2e}")
        within += error <= allowed
    return harness.all_equal("precisions whose errors stay within their bound", within, len(computes))


def _compare_ids(pool: Pool, computes: dict[str, Compute]) -> Bar:
    expected = selections.digest(pool.select())
    ways = [Way(shards=3, compute=compute) for compute in computes.values()]
    equal = [selections.digest(pool.select(way=way)) == expected for way in ways]
    return harness.all_equal("ids equal to the CPU's, a fifth copies", sum(equal), len(equal))


def _compare_thetas(pool: Pool, computes: dict[str, Compute]) -> Bar:
    def theta(compute: Compute) -> bytes:
        plan = ActiveFTOptions(steps=STEPS)
        return activeft.optimise(LocalShards(pool.features), len(pool.cores), plan, compute).theta.tobytes()

    expected = theta(Compute())
    equal = [theta(compute) == expected for compute in computes.values()]
    return harness.all_equal(f"bits of theta equal to the CPU's after {STEPS} steps", sum(equal), len(equal))


def _show_rates(name: str, features: F32, centres: F32, compute: Compute) -> None:
    """TFLOP/s of the whole assignment (copied there, listed, back, settled) beside the bare product on the device."""
    flops = 2.0 * len(features) * centres.size
    scorer = Scorer(centres, compute)
    whole = _seconds(lambda: scorer.nearest(features, LISTED), compute.device)
    bare = _seconds(_bare_product(features[: compute.block], centres, compute), compute.device)
    product = 2.0 * len(features[: compute.block]) * centres.size / bare
    print(f"   {name:10} assignment {flops / whole / 1e12:8.3f} TFLOP/s, product alone {product / 1e12:8.3f} TFLOP/s")


def _bare_product(rows: F32, centres: F32, compute: Compute) -> Callable[[], Any]:
    scorer = DeviceScores(centres, None, compute)
    ready = scorer.prepare(rows)
    return lambda: scorer.multiply(ready)


def _seconds(call: Callable[[], object], device: str) -> float:
    import torch

    times = []
    for _ in range(REPEATS + 1):
        started = time.perf_counter()
        call()
        if device != "cpu":
            torch.cuda.synchronize(device)
        times.append(time.perf_counter() - started)
    return float(np.median(times[1:]))


if __name__ == "__main__":
    sys.exit(main())
