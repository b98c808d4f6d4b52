"""A second round through the real pipeline: the memory of all its processes, and what its driver holds.

The first round is random, since it is only there to go on from. Its answers are classes that a linear model can learn.
"""

from __future__ import annotations

import csv
import shutil
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from harness import Bar, at_most

from scale import pool, processes
from scale.driver import MEBIBYTE, SHARES
from scale.plan import DIM, Plan, sized, write_job
from scale.processes import Run

CLASSES = 20
"""A row's class is the largest of so many of its first numbers."""


def measure(plan: Plan) -> list[Bar]:
    """As many rows are picked as have labels: the same number at three sizes of the pool."""
    sizes = [max(4 * plan.cores, round(plan.rows * share)) for share in SHARES]
    runs = {rows: run_two(replace(plan, rows=rows)) for rows in sizes}
    for rows, done in runs.items():
        print(f"   round, {rows:,} rows: {done.seconds:.0f} s, driver's peak {done.driver_peak / MEBIBYTE:.0f} MiB")
    smallest, largest = min(runs), max(runs)
    growth = (runs[largest].driver_peak - runs[smallest].driver_peak) / (4 * DIM * (largest - smallest))
    peak = runs[largest].peak / (4 * DIM * largest)
    return [
        sized(at_most(f"   a round's peak of all processes / features, {largest:,} rows", peak, 2.5), plan),
        sized(
            at_most(f"   a round's growth of the driver's memory / features, {smallest:,} rows on", growth, 0.1), plan
        ),
    ]


def run_two(plan: Plan) -> Run:
    """Two rounds of `plan.cores` rows each; what the second one took."""
    pool.write(plan)
    first, second = (plan.folder / f"round-{number}-{plan.rows}-{plan.cores}" for number in (1, 2))
    for output in (first, second):
        shutil.rmtree(output, ignore_errors=True)
    budget = {"count": plan.cores}
    processes.run_job(write_job(plan, first, {"method": "random", "budget": budget}), workers=plan.workers)
    previous = {
        "certificate": {"uri": str(first / "certificate.json")},
        "labels": {"uri": str(_answer(plan, first)), "format": "csv"},
    }
    again = write_job(plan, second, {"method": "uherding", "budget": budget}, previous)
    return processes.run_job(again, workers=plan.workers)


def _answer(plan: Plan, output: Path) -> Path:
    """The classes of a run's rows, as a file of labels."""
    with (output / "selection.csv").open() as file:
        selected = pa.array([line["id"] for line in csv.DictReader(file)])
    path = output.with_suffix(".csv")
    with path.open("w") as file:
        file.write("id,label\n")
        for part in sorted(plan.pool.glob("*.parquet")):
            table = pq.read_table(part)
            for row in table.filter(pc.is_in(table["id"], selected)).to_pylist():
                numbers = row["embedding"][:CLASSES]
                file.write(f"{row['id']},class-{numbers.index(max(numbers)):02d}\n")
    return path
