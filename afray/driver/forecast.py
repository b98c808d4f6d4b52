"""From what was measured on a few rows to time, memory and money of a whole run. Pure: nothing is measured here."""

from __future__ import annotations

import heapq
from collections.abc import Mapping
from dataclasses import dataclass, field

from afray.algorithms import effort
from afray.algorithms.effort import Effort, Size

RAY_BYTES = 450 * 2**20
"""Ray's own processes, of a machine that works alone: measured."""
CLOSING_SECONDS, CLOSING_SECONDS_PER_ROW = 2.0, 8e-6
"""What comes after the selection (tables, certificate, report) on the machine of the measurements."""
DRIVER_BYTES_PER_ROW = 100
"""Ids and digests of rows, in the driver."""
DRIVER_BYTES_PER_CENTRE_NUMBER = 64
"""Centres of ActiveFT with their gradient and Adam's state, and what workers sent of them."""
HOUR = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where the job would run."""

    name: str
    workers: int
    machines: int
    """That workers are on: each keeps the prepared vectors of the whole pool."""
    pods: Mapping[str, int]
    """What is paid for, by name."""
    prices: Mapping[str, float] = field(default_factory=dict)
    """Of one of each for an hour; no prices: no sum."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What was found on a few rows, with as many workers at once as the machine has."""

    start: float
    """Seconds until all workers answered."""
    loading: float
    """Seconds until a worker's model is ready."""
    embed_per_row: float
    """Seconds of a worker."""
    prepare_per_row: float
    """Seconds of a worker: statistics and normalising."""
    pace: Effort
    """Seconds of a worker per unit of work."""
    worker_bytes: int
    driver_bytes: int
    index_per_row: float = 0.0
    """Seconds of the driver."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What is to be done."""

    size: Size
    dim: int
    shard_size: int
    lists: int
    """Candidate cores kept per row; 0 for methods without a second stage."""
    work: Effort


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """What a run is likely to take."""

    stages: Mapping[str, float]
    """Seconds, in the order of the run."""
    memory: int
    """Bytes of all processes together where they share one machine, else of the largest worker pod's workers."""
    driver_memory: int
    disk: int
    """Bytes of prepared vectors on each machine that has workers."""
    output: int
    """Bytes stored."""
    money: float | None

    @property
    def hours(self) -> float:
        """Of the whole run."""
        return sum(self.stages.values()) / HOUR


def forecast(job: Job, measured: Measured, place: Place) -> Forecast:
    """Put the parts of a run together."""
    stages = _stages(job, measured, place)
    vectors = 4 * job.size.rows * job.dim
    driver = measured.driver_bytes + DRIVER_BYTES_PER_ROW * job.size.rows
    driver += DRIVER_BYTES_PER_CENTRE_NUMBER * job.size.cores * job.dim
    shared = vectors + job.size.rows * (12 + 8 * job.lists if job.lists else 0)
    workers = -(-place.workers // place.machines) * (measured.worker_bytes + _largest_table(job))
    alone = place.machines == 1 and len(place.pods) == 1
    hours = sum(stages.values()) / HOUR
    return Forecast(
        stages=stages,
        memory=shared + workers + (driver + RAY_BYTES if alone else 0),
        driver_memory=driver,
        disk=vectors,
        output=vectors,
        money=hours * sum(place.prices[name] * pods for name, pods in place.pods.items()) if place.prices else None,
    )


def _stages(job: Job, measured: Measured, place: Place) -> dict[str, float]:
    rows, workers = job.size.rows, place.workers
    embed = makespan(rows, job.shard_size, workers) * measured.embed_per_row + measured.loading
    clustered = Effort(clustered=job.work.clustered)
    largest = Effort(clustered=effort.largest_share(job.size) if job.work.clustered else 0.0)
    # The largest cluster is one task of one worker, and the first to start.
    waited = max(clustered.shared(measured.pace) / workers, largest.shared(measured.pace))
    others = (job.work.shared(measured.pace) - clustered.shared(measured.pace)) / workers
    return {
        "start": measured.start,
        "index": rows * measured.index_per_row,
        "embed": embed,
        "select": rows * measured.prepare_per_row / workers + job.work.alone(measured.pace, workers) + others + waited,
        "report": CLOSING_SECONDS + rows * CLOSING_SECONDS_PER_ROW,
    }


def makespan(rows: int, shard_size: int, workers: int) -> int:
    """Rows that the busiest worker embeds, when each takes the next shard as soon as it is free."""
    taken = [0] * workers
    for start in range(0, rows, shard_size):
        heapq.heapreplace(taken, taken[0] + min(shard_size, rows - start))
    return max(taken)


def _largest_table(job: Job) -> int:
    """Bytes of the distances within the largest cluster, which has a table up to 8192 rows."""
    rows = min(8192.0, effort.LARGEST_CLUSTER * job.size.rows / job.size.cores)
    return int(8 * rows**2) if job.lists else 0
