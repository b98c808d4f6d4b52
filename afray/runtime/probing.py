"""Which matrix product is fastest on the machine at hand: tried on real rows for a moment, never guessed.

The choice is a matter of speed alone. A machine that is busy, or slows down as it gets hot, gives times from which
nothing follows: then the default is kept, and a warning says what was measured.
"""

from __future__ import annotations

import logging
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from afray.algorithms.candidates import Scorer
from afray.algorithms.gemm import Compute

F32 = NDArray[np.float32]
log = logging.getLogger(__name__)

ROWS, CENTRES, LISTED = 1024, 2048, 8
"""What is tried: about 2 GFLOP a turn."""
SCREENED_ROWS = 64
"""The first try of each: a product that the processor only imitates takes a hundred times as long."""
HOPELESS = 4.0
"""A first try this much slower per row than the default's is the last."""
TURNS, ROUNDS = 5, 3
"""Turns of a round, and rounds until one is steady."""
STEADY = 0.25
"""Spread of a product's times, (slowest - fastest) / median, up to which their median is believed."""
WORTH_IT = 0.95
"""Share of the default's time that another product must stay below."""
WORTH_FLOPS = 2e12
"""Work below which no choice pays for the trial: some ten seconds of one core."""
DEFAULT = "numpy float32"
FORCED_KERNEL = "OPENBLAS_CORETYPE"
"""Makes numpy's library use one processor's kernels on every other; measured, at half the rate."""

Times = Mapping[str, Sequence[float]]
"""Seconds of each turn, by product."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What a worker computes with, the thousands of rows per second that it tried, and a warning or ''."""

    name: str
    compute: Compute
    rates: Mapping[str, float]
    warning: str = ""


def is_worth_it(rows: int, centres: int, dim: int) -> bool:
    """Whether a selection is large enough for a trial."""
    return 2.0 * rows * centres * dim >= WORTH_FLOPS


def complain_of_forced_kernels(environment: Mapping[str, str]) -> None:
    """Warn about a setting that slows the default down."""
    if FORCED_KERNEL in environment:
        log.warning(
            "%s=%s is set: numpy may multiply at half of what this machine can do. Unset it, unless you need it",
            FORCED_KERNEL,
            environment[FORCED_KERNEL],
        )


def products_here(*, has_gpu: bool) -> dict[str, Compute]:
    """What can be tried on this machine, the default first."""
    found = {
        DEFAULT: Compute(),
        "torch float32": Compute(gemm="torch"),
        "torch bfloat16": Compute(proposals="bfloat16"),
    }
    if has_gpu:
        found["CUDA tf32"] = Compute(proposals="tf32", device="cuda", block=2**14)
        found["CUDA float16"] = Compute(proposals="float16", device="cuda", block=2**14)
    return found


def probe(rows: F32, products: Mapping[str, Compute], clock: Callable[[], float] = time.perf_counter) -> Choice:
    """Try products on rows (n, D) of the pool: the first ROWS against the others. `products` has the default first."""
    sample, centres = rows[:ROWS], np.ascontiguousarray(rows[-CENTRES:])
    runs = {name: _make_run(sample, centres, compute) for name, compute in products.items()}
    hopeful = _screen(runs, clock)
    for _ in range(ROUNDS):
        times = _take_turns({name: runs[name] for name in hopeful}, len(sample), clock)
        name, is_clear = decide(times)
        if is_clear:
            return Choice(name=name, compute=products[name], rates=_rates(times, len(sample)))
    return Choice(
        name=DEFAULT,
        compute=products[DEFAULT],
        rates=_rates(times, len(sample)),
        warning=f"matrix products take times here that vary too much to choose by ({_describe(times, len(sample))}): "
        f"the machine is busy with something else, or slows down. Going on with {DEFAULT}; only the time depends on it",
    )


def decide(times: Times) -> tuple[str, bool]:
    """The product to use, and whether the times bear that out; the first of `times` is the default."""
    default, best = next(iter(times)), min(times, key=lambda name: statistics.median(times[name]))
    if best == default:
        return best, _is_steady(times[default])
    if all(mine < WORTH_IT * other for mine, other in zip(times[best], times[default], strict=True)):
        return best, True  # in every turn: whatever slows a machine down by turns slows both
    is_steady = all(_is_steady(times[name]) for name in (best, default))
    is_worth_it = statistics.median(times[best]) < WORTH_IT * statistics.median(times[default])
    return (best if is_worth_it and is_steady else default), is_steady


def _is_steady(seconds: Sequence[float]) -> bool:
    return max(seconds) - min(seconds) <= STEADY * statistics.median(seconds)


def _make_run(rows: F32, centres: F32, compute: Compute) -> Callable[[int], object]:
    scorers: list[Scorer] = []

    def run(count: int) -> object:
        if not scorers:
            scorers.append(Scorer(centres, compute))
        return scorers[0].nearest(rows[:count], LISTED)

    return run


def _screen(runs: Mapping[str, Callable[[int], object]], clock: Callable[[], float]) -> list[str]:
    """The products that run at all and are not hopelessly slow; their kernels are compiled by then."""
    hopeful: dict[str, float] = {}
    for name, run in runs.items():
        try:
            run(SCREENED_ROWS)
            started = clock()
            run(SCREENED_ROWS)
        except RuntimeError as error:  # torch: no such device, no such product, no memory
            log.info("%s can not be used here: %s", name, str(error).splitlines()[0])
            continue
        hopeful[name] = clock() - started
    slowest = HOPELESS * hopeful[next(iter(runs))]
    return [name for name, seconds in hopeful.items() if seconds <= slowest]


def _take_turns(runs: Mapping[str, Callable[[int], object]], count: int, clock: Callable[[], float]) -> Times:
    times: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(TURNS):
        for name, run in runs.items():
            started = clock()
            run(count)
            times[name].append(clock() - started)
    return times


def _rates(times: Times, count: int) -> dict[str, float]:
    return {name: count / statistics.median(seconds) / 1e3 for name, seconds in times.items()}


def _describe(times: Times, count: int) -> str:
    def lines() -> Iterator[str]:
        for name, seconds in times.items():
            yield f"{name} {count / max(seconds) / 1e3:.1f} to {count / min(seconds) / 1e3:.1f}"

    return ", ".join(lines()) + " thousand rows a second"
