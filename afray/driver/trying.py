"""A few rows of an indexed pool through everything that a run does, by the clock, with all workers at once."""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from afray.algorithms.clusters import BilafOptions
from afray.algorithms.effort import Effort, Size
from afray.driver.forecast import Measured
from afray.driver.workspace import Workspace
from afray.embedding.normalization import Normalizer, Partial
from afray.errors import PoolError
from afray.pool.listing import open_pool
from afray.pool.manifest import PoolIndex
from afray.runtime import footprint, pacing, sampling
from afray.runtime.crew import Task
from afray.runtime.embedding import EmbedPlan
from afray.runtime.pacing import Pace
from afray.runtime.sampling import Sample
from afray.runtime.worker import WorkerContext
from afray.storage.reading import NoFence

F32 = NDArray[np.float32]

ROWS = 1000
"""Rows of the pool that are tried."""
STORED_ROWS = 10_000
"""The same where vectors are stored: reading is all there is to do, in stretches of thousands."""
TRIPS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What was measured (but for the index), D, and why it may mislead."""

    measured: Measured
    dim: int
    doubts: tuple[str, ...]


def try_rows(workspace: Workspace, index: PoolIndex, size: Size, options: BilafOptions) -> Trial:
    """Embed some rows and try a selection of that size on them. Raises PoolError if none of them is readable."""
    with workspace.stages.stage("try", unit="rows") as (bar, _):
        started = time.perf_counter()
        count = len(workspace.crew.pids)  # all have answered
        ready = time.perf_counter()
        samples = _embed(workspace, index, count)
        vectors, prepare_per_row = _prepare(workspace, samples)
        tasks = [Task(name="trial of steps", function=pacing.try_out, args=(vectors, size, options))] * count
        paces: list[Pace] = workspace.crew.run(tasks)
        trip, rows = _time_trips(workspace, count), sum(sample.rows for sample in samples)
        bar.update(rows)
    measured = Measured(
        start=ready - started,
        loading=max(sample.loading for sample in samples),
        embed_per_row=sum(sample.seconds for sample in samples) / rows,
        prepare_per_row=prepare_per_row,
        pace=replace(_mean([pace.seconds for pace in paces]), trips=trip),
        worker_bytes=max(pace.memory for pace in paces),
        driver_bytes=footprint.share_bytes(),
    )
    doubts = tuple(sorted({pace.doubt for pace in paces} - {""}))
    return Trial(measured=measured, dim=vectors.shape[1], doubts=doubts)


def _embed(workspace: Workspace, index: PoolIndex, workers: int) -> list[Sample]:
    """Rows from as many places of the pool as there are workers, all at once."""
    spec = workspace.job.spec
    plan = EmbedPlan(
        pool=spec.pool,
        decode=spec.pool.decode,
        embedding=spec.embedding,
        index=index,
        source=open_pool(spec.pool),
        expects_gpu=workspace.has_gpus,
    )
    wanted = STORED_ROWS if plan.has_vectors else max(ROWS // workers, min(ROWS, plan.embedding.batch_size))
    numbers = np.linspace(0, index.shard_count - 1, workers).astype(int).tolist()
    tasks = [
        Task(
            name=f"rows of part {number}",
            function=sampling.embed_sample,
            args=(plan, number, f"sample/{place}", wanted, workspace.output, NoFence()),
            needs_gpu=plan.expects_gpu and not plan.has_vectors,
        )
        for place, number in enumerate(numbers)
    ]
    samples: list[Sample] = workspace.crew.run(tasks)
    return samples


def _prepare(workspace: Workspace, samples: list[Sample]) -> tuple[F32, float]:
    """Normalised vectors, at most ROWS of them, and the seconds a row that statistics and normalising took."""
    vectors = np.concatenate([sample.vectors for sample in samples])
    if not len(vectors):
        count = sum(sample.rows for sample in samples)
        raise PoolError(
            f"spec.pool.uri: none of {count} rows at {workspace.job.spec.pool.uri} is readable, so nothing can be "
            "estimated. `afray validate` says why"
        )
    started = time.perf_counter()
    normalizer = Normalizer.fit(workspace.job.spec.embedding.normalize, Partial.of(vectors))
    prepared = normalizer.apply(vectors)
    seconds = (time.perf_counter() - started) / len(vectors)
    return np.ascontiguousarray(prepared[:: -(-len(prepared) // ROWS)]), seconds


def _time_trips(workspace: Workspace, workers: int) -> float:
    """Seconds until all workers have answered, with nothing to do."""
    tasks = [Task(name="a word", function=answer)] * workers
    times = []
    for _ in range(TRIPS):
        started = time.perf_counter()
        workspace.crew.run(tasks)
        times.append(time.perf_counter() - started)
    return statistics.median(times)


def answer(_: WorkerContext) -> None:
    """Task: nothing but the way there and back."""


def _mean(paces: list[Effort]) -> Effort:
    names = Effort.__dataclass_fields__
    return Effort(**{name: sum(getattr(pace, name) for pace in paces) / len(paces) for name in names})
