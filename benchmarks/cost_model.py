"""What a selection of millions of rows costs on paper: the tables of docs/scale.md.

    python benchmarks/cost_model.py [--write | --measure | --run]

Work is counted as `afray estimate` counts it, and multiplied by CPU seconds per unit that were measured on one core.
Selections that were really run stand beside what the model says of them. `--write` puts the tables into the page;
`--measure` prints this machine's seconds per unit, and `--run` its CPU seconds for those selections.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import harness  # noqa: F401 - puts the tests' helpers on the path
from helpers import synthetic
from threadpoolctl import threadpool_limits

from afray.algorithms import activeft, bilaf, effort, methods
from afray.algorithms.activeft import ActiveFTOptions
from afray.algorithms.clusters import BilafOptions
from afray.algorithms.effort import Effort, Size
from afray.algorithms.gemm import Compute
from afray.algorithms.methods import SelectionOptions
from afray.algorithms.shards import LocalShards
from afray.driver.forecast import DRIVER_BYTES_PER_CENTRE_NUMBER, DRIVER_BYTES_PER_ROW
from afray.runtime import pacing

PAGE = Path(__file__).parents[1] / "docs" / "scale.md"
DIM = 384
WORKERS_PER_MACHINE = 8
NETWORK = 1.25e9
"""Bytes per second into or out of one machine: 10 Gbit/s."""
STORAGE = 1e9
"""Bytes per second that one machine reads from storage."""
PACE = Effort(
    drawn=1.7e-8,
    moved=7.6e-6,
    merged=3.2e-7,
    pulled=1.2e-8,
    pushed=4.0e-8,
    snapped=1.5e-8,
    assigned=1.2e-8,
    clustered=1.1e-8,
)
"""CPU seconds per unit of work of one core: means of two runs of `--measure`, on a shared AMD EPYC (AVX2, OpenBLAS)."""
SIZES = (
    (1_281_167, 6405),
    (100_000_000, 14_000),
    (100_000_000, 100_000),
    (100_000_000, 500_000),
    (1_000_000_000, 50_000),
    (1_000_000_000, 500_000),
    (1_000_000_000, 5_000_000),
)
WORKERS = (1, 8, 64)
LABELS_PER_CORE = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """A whole selection that was really run on the machine of PACE, by one thread on rows in memory."""

    size: Size
    steps: int
    seconds: float
    """Of the processor."""


POINTS = (
    Point(size=Size(rows=50_000, cores=500, budget=2500), steps=10, seconds=4.1),
    Point(size=Size(rows=100_000, cores=2000, budget=10_000), steps=3, seconds=13.0),
    Point(size=Size(rows=250_000, cores=1000, budget=10_000), steps=5, seconds=15.6),
    Point(size=Size(rows=250_000, cores=5000, budget=25_000), steps=2, seconds=41.0),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """Of one selection by bilaf. Seconds add up; bytes are of the whole selection, memory is of one machine."""

    float32: float
    """Operations in products that propose."""
    float64: float
    """Operations in products that decide."""
    cores: float
    assignment: float
    clusters: float
    driver: float
    moving: float
    """Seconds that rows, candidates and centres are on their way."""
    read: float
    """Bytes read from storage, by all machines."""
    sent: float
    """Bytes sent between machines, the driver's among them."""
    barriers: int
    machine: float
    """Bytes of prepared rows (on disk, in memory as far as it goes) and of candidates (in memory)."""
    head: float
    """Bytes of the driver."""

    @property
    def seconds(self) -> float:
        return self.cores + self.assignment + self.clusters + self.driver + self.moving


def simulate(size: Size, workers: int, steps: int | None = None, pace: Effort | None = None) -> Cost:
    """The cost of a selection, where rows are on the disks of their machines at first in storage only."""
    pace = pace or PACE
    options = SelectionOptions(activeft=ActiveFTOptions(steps=steps))
    work, plan = effort.count("bilaf", size, options), activeft.schedule(size.rows, size.cores, options.activeft)
    cores = Effort(pulled=work.pulled, pushed=work.pushed, snapped=work.snapped)
    clusters = Effort(clustered=work.clustered).shared(pace)
    largest = Effort(clustered=effort.largest_share(size)).shared(pace)
    machines = -(-workers // WORKERS_PER_MACHINE)
    centres = size.cores * DIM
    candidates = size.rows * (12 + 8 * bilaf.list_length(size.budget, size.cores, BilafOptions()))
    vectors = 4 * size.rows * DIM
    is_alone = machines == 1
    to_driver = 0 if is_alone else plan.steps * 8 * centres * (workers + 1)
    to_workers = 0 if is_alone else plan.steps * 4 * centres * machines
    spread = candidates * (machines - 1)
    pairs = size.rows * size.rows / size.cores * effort.SKEW
    return Cost(
        float32=2 * DIM * (work.pulled + work.snapped + work.assigned),
        float64=2 * DIM * (2 * (work.pushed + work.pushed_alone) + pairs),
        cores=cores.shared(pace) / workers,
        assignment=Effort(assigned=work.assigned).shared(pace) / workers,
        clusters=max(clusters / workers, largest),
        driver=work.alone(pace, workers),
        # Every machine reads all rows and all candidates; the driver's own line carries the centres of all.
        moving=vectors / STORAGE + spread / machines / NETWORK + (to_driver + to_workers) / NETWORK,
        read=vectors * machines,
        sent=spread + to_driver + to_workers,
        barriers=round(work.trips),
        machine=vectors + candidates,
        head=DRIVER_BYTES_PER_ROW * size.rows + DRIVER_BYTES_PER_CENTRE_NUMBER * centres,
    )


def table() -> Iterator[str]:
    """The lines of the page's main table."""
    yield (
        "| Rows | Cores | Workers | float32 | float64 | Cores take | Assignment | Clusters | Driver | Moving | In all "
        "| Read | Sent | Barriers | Rows on each machine | Driver holds |"
    )
    yield "|" + "---|" * 16
    for rows, cores in SIZES:
        for workers in WORKERS:
            cost = simulate(Size(rows=rows, cores=cores, budget=LABELS_PER_CORE * cores), workers)
            times = (cost.cores, cost.assignment, cost.clusters, cost.driver, cost.moving, cost.seconds)
            yield (
                f"| {rows:,} | {cores:,} | {workers} | {cost.float32:.1e} | {cost.float64:.1e} | "
                + " | ".join(map(spell_seconds, times))
                + f" | {spell_bytes(cost.read)} | {spell_bytes(cost.sent)} | {cost.barriers} "
                f"| {spell_bytes(cost.machine)} | {spell_bytes(cost.head)} |"
            )


def comparison() -> Iterator[str]:
    """The lines of the page's table of real runs."""
    yield "| Rows | Cores | Labels | Steps | Model | Run | Model / run |"
    yield "|" + "---|" * 7
    for point in POINTS:
        said, size = work_of(point), point.size
        yield (
            f"| {size.rows:,} | {size.cores:,} | {size.budget:,} | {point.steps} | {spell_seconds(said)} "
            f"| {spell_seconds(point.seconds)} | {said / point.seconds:.2f} |"
        )


def work_of(point: Point) -> float:
    """CPU seconds that the model gives a selection which was really run."""
    cost = simulate(point.size, 1, point.steps)
    return cost.cores + cost.assignment + cost.clusters + cost.driver


def render(page: str) -> str:
    """The page with its tables as they are now."""
    for name, lines in (("model", table()), ("points", comparison())):
        before, _, rest = page.partition(f"<!-- {name} -->\n")
        _, _, after = rest.partition(f"<!-- /{name} -->")
        page = f"{before}<!-- {name} -->\n" + "".join(f"{line}\n" for line in lines) + f"<!-- /{name} -->{after}"
    return page


def spell_seconds(seconds: float) -> str:
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{_digits(seconds / length)} {unit}"
    return f"{_digits(seconds)} s"


def spell_bytes(count: float) -> str:
    for unit, size in (("PB", 1e15), ("TB", 1e12), ("GB", 1e9), ("MB", 1e6)):
        if count >= size:
            return f"{_digits(count / size)} {unit}"
    return "0" if not count else f"{count:.0f} B"


def _digits(number: float) -> str:
    """Two digits are all that a model is good for."""
    return f"{number:.0f}" if number >= 10 else f"{number:.2g}"


def measure() -> Effort:
    """CPU seconds per unit of work on one core of this machine, on the benchmark pool."""
    rows, size = synthetic.make(200_000, 1000)[::200], Size(rows=1_281_167, cores=6405, budget=64_058)
    with threadpool_limits(1):
        trials = pacing.make_trials(rows, size, BilafOptions(), Compute())
        for call, _ in trials.values():
            call()
        _, cpus = pacing.take_turns(trials)
    return Effort(**{name: statistics.median(times) / trials[name][1] for name, times in cpus.items()})


def run(point: Point) -> float:
    """CPU seconds of a selection on the benchmark pool."""
    size = point.size
    rows = LocalShards(synthetic.make(size.rows, size.cores))
    options = SelectionOptions(activeft=ActiveFTOptions(steps=point.steps), core_size=size.cores)
    started = time.process_time()
    methods.select("bilaf", rows, size.budget, options)
    return time.process_time() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--write", action="store_true", help="write the tables of docs/scale.md")
    what.add_argument("--measure", action="store_true", help="print this machine's CPU seconds per unit of work")
    what.add_argument("--run", action="store_true", help="print this machine's CPU seconds for the selections")
    options = parser.parse_args()
    if options.write:
        PAGE.write_text(render(PAGE.read_text()))
    elif options.measure:
        print("\n".join(f"    {name}={seconds:.2e}," for name, seconds in asdict(measure()).items() if seconds))
    elif options.run:
        run(POINTS[0])  # kernels are loaded
        for point in POINTS:
            print(f"    {point.size}: {run(point):.1f}")
    else:
        print("\n".join([*table(), "", *comparison()]))


if __name__ == "__main__":
    main()
