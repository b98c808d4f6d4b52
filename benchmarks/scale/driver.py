"""What a driver holds: whole runs over pools of three sizes, from which the same number of rows is chosen."""

from __future__ import annotations

from dataclasses import replace

from harness import Bar, at_most

from scale import pool, processes
from scale.plan import DIM, Plan, sized

SHARES = (100 / 1281, 400 / 1281, 1.0)
CORES, LABELS, STEPS = 2000, 4000, 3
MEBIBYTE = 2**20


def measure(plan: Plan) -> list[Bar]:
    """Growth of the driver's peak per row, beside the bytes of a row's features."""
    cores = min(CORES, plan.cores)
    peaks: dict[int, int] = {}
    for rows in (max(cores, round(plan.rows * share)) for share in SHARES):
        smaller = replace(plan, rows=rows, cores=cores, labels=LABELS * cores // CORES, steps=STEPS)
        pool.write(smaller)
        peaks[rows] = processes.run(smaller).driver_peak
    shown = ", ".join(f"{rows:,} rows: {peak / MEBIBYTE:.0f} MiB" for rows, peak in peaks.items())
    print(f"   driver's peak, {shown}")
    smallest, largest = min(peaks), max(peaks)
    growth = (peaks[largest] - peaks[smallest]) / (4 * DIM * (largest - smallest))
    name = f"   growth of the driver's memory / features, {smallest:,} to {largest:,} rows"
    return [sized(at_most(name, growth, 0.1), plan)]


def measure_whole(plan: Plan) -> list[Bar]:
    """One whole run: the memory of all its processes beside the features."""
    pool.write(plan)
    done = processes.run(plan)
    print(f"   {done.digest}: {done.seconds:.0f} s, driver's peak {done.driver_peak / MEBIBYTE:.0f} MiB")
    shares = ", ".join(f"{size / MEBIBYTE:.0f}" for size in done.largest[:4])
    print(f"   at the peak of all {len(done.largest)} processes the largest held {shares} MiB")
    ratio = done.peak / plan.feature_bytes
    return [sized(at_most(f"   peak of all processes / features, {plan.rows:,} rows", ratio, 2.5), plan)]
