"""What a selection of millions of rows costs on paper: the tables of docs/scale.md.

    python benchmarks/cost_model.py [--measure]

Work is counted as `afray estimate` counts it, and multiplied by seconds per unit that were measured on one core.
`--measure` measures them on this machine instead. Points that were really run stand beside what the model says of them.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import asdict, dataclass

import harness  # noqa: F401 - puts the tests' helpers on the path
from helpers import synthetic

from afray.algorithms import activeft, bilaf, effort
from afray.algorithms.activeft import ActiveFTOptions
from afray.algorithms.clusters import BilafOptions
from afray.algorithms.effort import Effort, Size
from afray.algorithms.methods import SelectionOptions
from afray.driver.forecast import DRIVER_BYTES_PER_CENTRE_NUMBER, DRIVER_BYTES_PER_ROW

DIM = 384
WORKERS_PER_MACHINE = 8
NETWORK = 1.25e9
"""Bytes per second into or out of one machine: 10 Gbit/s."""
STORAGE = 1e9
"""Bytes per second that one machine reads from storage."""
PACE = Effort()
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
    """A selection that was really run on the machine of PACE: its stage `select`, by the clock."""

    size: Size
    steps: int
    workers: int
    seconds: float


POINTS: tuple[Point, ...] = ()


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
    yield "| Rows | Cores | Labels | Steps | Workers | Model | Run | Model / run |"
    yield "|" + "---|" * 8
    for point in POINTS:
        said, size = simulate(point.size, point.workers, point.steps).seconds, point.size
        yield (
            f"| {size.rows:,} | {size.cores:,} | {size.budget:,} | {point.steps} | {point.workers} | "
            f"{spell_seconds(said)} | {spell_seconds(point.seconds)} | {said / point.seconds:.2f} |"
        )


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
    """The pace of one core of this machine, on the benchmark pool."""
    from afray.runtime import pacing
    from afray.runtime.worker import WorkerContext

    size = Size(rows=1_281_167, cores=6405, budget=64_058)
    rows = synthetic.make(200_000, 1000)[::200]
    pace = pacing.try_out(WorkerContext(), rows, size, BilafOptions())
    if pace.doubt:
        print(f"not to be trusted: {pace.doubt}")
    return pace.seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--measure", action="store_true", help="print this machine's seconds per unit of work")
    if parser.parse_args().measure:
        print("\n".join(f"    {name}={seconds:.2e}," for name, seconds in asdict(measure()).items()))
        return
    print("\n".join([*table(), "", *comparison()]))


if __name__ == "__main__":
    main()
