"""All bars in one table: `make bench`, or `python -m bars [--only exact stage2 ...] [--json FILE]` in `benchmarks`.

Rates are judged by CPU seconds of one thread, in turns with the products that they are divided by: "GEMM" is the
float32 product of all rows and centres in the product's own blocks, "syrk" the float64 Gram products of all clusters.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

import harness
from harness import Bar

from bars import activeft, exactness, large, memory, robustness, rounds, shares, stage2, threads, workers

SECTIONS: dict[str, Callable[[], list[Bar]]] = {
    "exact": exactness.check,
    "robust": robustness.check,
    "stage2": stage2.measure,
    "large": large.measure,
    "rounds": rounds.measure,
    "activeft": activeft.measure,
    "memory": memory.measure,
    "threads": threads.measure,
    "workers": workers.measure,
    "shares": shares.show,
}


def main() -> int:
    options = harness.arguments(__doc__ or "", SECTIONS)
    machine = harness.machine()
    bars: list[Bar] = []
    for name in options.only:
        started = time.perf_counter()
        found = SECTIONS[name]()
        harness.tell(found)
        bars += found
        print(f"{name}: {time.perf_counter() - started:.0f} s", file=sys.stderr)
    return harness.conclude(f"Selection core; {machine}", bars, options.json)


if __name__ == "__main__":
    sys.exit(main())
