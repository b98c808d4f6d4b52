"""Bars of ActiveFT: a step beside its one matrix product, the cost of exact sums, two threads, equal bits.

Run as `python benchmarks/activeft.py [--json FILE] [--only step exact threads bits]` with the BLAS variables unset.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

import harness
import numpy as np
from harness import Bar
from helpers import synthetic
from threadpoolctl import threadpool_limits

from afray.algorithms import activeft, attraction, descent, draws, numerics
from afray.algorithms.activeft import ActiveFTOptions
from afray.algorithms.attraction import F32, F64, I32, Field
from afray.algorithms.gemm import Compute
from afray.algorithms.jit import compiled
from afray.algorithms.shards import LocalShards, Shard

ROWS, CENTRES = 50_000, 250
TIMED_STEPS = 5
COMPARED_STEPS = 60
BLOCK = Compute().block


def main() -> int:
    sections = {"step": step, "exact": exact, "threads": threads, "bits": bits}
    arguments = harness.arguments(__doc__ or "", sections)
    features = synthetic.make(ROWS, CENTRES)
    bars = [bar for name in arguments.only for bar in sections[name](features)]
    title = f"ActiveFT, {ROWS:,} rows, {CENTRES} centres, {features.shape[1]} dimensions; {harness.machine()}"
    return harness.conclude(title, bars, arguments.json)


def step(features: F32) -> list[Bar]:
    """Bar 9: a whole step, driver's part included, over the product of all rows with all centres; one thread."""
    with threadpool_limits(1):
        timings = harness.measure({"step": _steps(features), "product": _product(features)})
    timed, product = timings["step"], timings["product"]
    ratio = timed.cpu / TIMED_STEPS / product.cpu
    return [harness.at_most("9: step / product, CPU seconds", ratio, 2.0, max(timed.spread, product.spread))]


def exact(features: F32) -> list[Bar]:
    """Bar 12, cost: the rows' part of a step over the same with float sums.

    The bar is about sums that do not depend on their order; what winners and weights in float64 cost besides has, like
    the certificate of stage 2, a fifth to spend.
    """
    shard, field = Shard(0, features), _field(features)
    with threadpool_limits(1):
        timings = harness.measure(
            {
                "exact": lambda: attraction.pull(shard, field, None, Compute()),
                "float sums": lambda: _pull_into_floats(features, field),
                "float": lambda: _pull_in_floats(features, field),
            }
        )
    spread = max(timing.spread for timing in timings.values())
    sums, everything = (timings["exact"].cpu / timings[name].cpu - 1.0 for name in ("float sums", "float"))
    return [
        harness.at_most("12: cost of sums in integers", sums, 0.10, spread),
        harness.at_most("that and exact winners and weights", everything, 0.20, spread),
    ]


def threads(features: F32) -> list[Bar]:
    """Bar 14: two threads over one, judged only where two products at once reach 1.7 times the rate of one."""
    one, two = LocalShards(features, shards=2), LocalShards(features, shards=2, threads=2)
    timings = harness.measure(
        {
            "one": _steps(features, one),
            "two": _steps(features, two),
            "one product": lambda: one.map(_product_step),
            "two products": lambda: two.map(_product_step),
        }
    )
    speedup = timings["one"].wall / timings["two"].wall
    probe = timings["one product"].wall / timings["two products"].wall
    name = f"14: two threads over one (products alone: {probe:.2f})"
    judged = harness.at_least(name, speedup, 1.5, timings["two"].spread)
    unjudged = Bar(bar=name, value=speedup, target="products >= 1.7 first", holds=True, spread=judged.spread)
    return [judged if probe >= 1.7 else unjudged]


def bits(features: F32) -> list[Bar]:
    """Bar 12, identity: theta after 60 steps for other blocks, threads, shards and library."""
    layouts = [(2, 2, Compute(block=133)), (7, 2, Compute(block=700)), (1, 1, Compute(block=4096, gemm="torch"))]
    reference = _theta(LocalShards(features), Compute())
    equal = sum(
        _theta(LocalShards(features, shards=shards, threads=workers), compute) == reference
        for shards, workers, compute in layouts
    )
    return [harness.all_equal(f"12: theta after {COMPARED_STEPS} steps", equal, len(layouts))]


def _theta(shards: LocalShards, compute: Compute) -> bytes:
    return activeft.optimise(shards, CENTRES, ActiveFTOptions(steps=COMPARED_STEPS), compute).theta.tobytes()


def _steps(features: F32, shards: LocalShards | None = None) -> Callable[[], object]:
    rows = shards or LocalShards(features)
    return lambda: activeft.optimise(rows, CENTRES, ActiveFTOptions(steps=TIMED_STEPS), Compute())


def _start(features: F32) -> F32:
    return features[draws.draw(ROWS, CENTRES, 0, "start")]


def _product(features: F32) -> Callable[[], None]:
    return lambda: _product_step(Shard(0, features))


def _product_step(shard: Shard) -> None:
    centres = np.ascontiguousarray(shard.features[:CENTRES].T)
    out = np.empty((BLOCK, CENTRES), np.float32)
    for first in range(0, len(shard.features), BLOCK):
        block = shard.features[first : first + BLOCK]
        Compute().product(block, centres, out[: len(block)])


def _field(features: F32) -> Field:
    units = descent.Descent(_start(features)).units
    return Field(units=units, totals=np.full(CENTRES, 1.5), temperature=descent.TEMPERATURE)


def _pull_into_floats(features: F32, field: Field) -> None:
    """The product's step, but for sums in float32."""
    search = attraction.Search(field.units, Compute())
    vectors, weights = np.zeros_like(field.units), np.zeros(CENTRES, np.float32)
    for first in range(0, len(features), BLOCK):
        block = features[first : first + BLOCK]
        winners = search.winners(block)
        _add_exact_weights(block, winners, field.units, field.totals, field.temperature, vectors, weights)


def _pull_in_floats(features: F32, field: Field) -> None:
    """What a step does to rows when last digits do not matter: the product's own cosines, sums in float32."""
    vectors, weights = np.zeros_like(field.units), np.zeros(CENTRES, np.float32)
    for first in range(0, len(features), BLOCK):
        block = features[first : first + BLOCK]
        scores = np.empty((CENTRES, len(block)), np.float32)
        Compute().product(field.units, block.T, scores)
        best, second = np.full(len(block), -np.inf, np.float32), np.full(len(block), -np.inf, np.float32)
        winners = np.zeros(len(block), np.int32)
        attraction.scan(scores, 0, best, second, winners)
        _add_rough_weights(block, winners, best, field.totals, field.temperature, vectors, weights)


@compiled
def _add_exact_weights(
    block: F32, winners: I32, units: F32, totals: F64, temperature: float, vectors: F32, weights: F32
) -> None:
    for i in range(block.shape[0]):
        c = winners[i]
        weight = attraction.weight_ticks(numerics.dot(block, i, units, c), totals[c], temperature)
        weights[c] += weight
        for q in range(block.shape[1]):
            vectors[c, q] += weight * block[i, q]


@compiled
def _add_rough_weights(
    block: F32, winners: I32, cosines: F32, totals: F64, temperature: float, vectors: F32, weights: F32
) -> None:
    for i in range(block.shape[0]):
        c = winners[i]
        weight = attraction.weight_ticks(cosines[i], totals[c], temperature)
        weights[c] += weight
        for q in range(block.shape[1]):
            vectors[c, q] += weight * block[i, q]


if __name__ == "__main__":
    sys.exit(main())
