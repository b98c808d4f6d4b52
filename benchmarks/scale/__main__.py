"""ImageNet's size, or any other with its proportions: `make nightly-scale`, or in `benchmarks`

    python -m scale [--rows 1281167] [--only run speed ...] [--folder FOLDER] [--json FILE]

`run` leaves a finished run in the folder, which `speed`, `workers` and `losses` repeat. Pools are written once.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path

import harness
from harness import Bar

from afray.runtime.session import usable_cpus
from scale import driver, equality, plan, rounds, speed
from scale.plan import Plan

SECTIONS: dict[str, Callable[[Plan], list[Bar]]] = {
    "run": driver.measure_whole,
    "speed": speed.measure,
    "workers": equality.compare_workers,
    "losses": equality.compare_after_losses,
    "coarse": equality.compare_coarse,
    "driver": driver.measure,
    "giant": equality.compare_giant,
    "round": rounds.measure,
}


def main() -> int:
    options = _arguments()
    machine = harness.machine()
    options.folder.mkdir(parents=True, exist_ok=True)
    sized = plan.like_imagenet(options.rows, steps=options.steps, workers=options.workers, folder=options.folder)
    bars: list[Bar] = []
    for name in options.only:
        started = time.perf_counter()
        found = SECTIONS[name](sized)
        harness.tell(found)
        bars += found
        print(f"{name}: {time.perf_counter() - started:.0f} s", file=sys.stderr)
    return harness.conclude(f"{sized.rows:,} rows; {machine}", bars, options.json)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=plan.IMAGENET_ROWS, help="cores and labels shrink along")
    parser.add_argument("--steps", type=int, default=100, help="of ActiveFT")
    parser.add_argument("--workers", type=int, default=min(2, usable_cpus()))
    parser.add_argument("--folder", type=Path, default=Path.home() / ".cache" / "afray" / "scale")
    parser.add_argument("--only", nargs="+", choices=list(SECTIONS), default=list(SECTIONS), help="only these sections")
    parser.add_argument("--json", type=Path, help="write the bars as a JSON list to this file")
    options = parser.parse_args()
    options.folder = options.folder.absolute()
    return options


if __name__ == "__main__":
    sys.exit(main())
