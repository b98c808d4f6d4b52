"""`afray estimate`: a few rows go through everything that a run does with all of them, by the clock.

The pool is indexed into a folder that is thrown away; nothing is written to the job's output.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from afray.algorithms import bilaf, effort
from afray.algorithms.effort import Effort, Size
from afray.api.job import SelectionJob
from afray.api.rules import Target
from afray.contract.names import Stage
from afray.driver.budgeting import count_budget, count_cores
from afray.driver.embedding import index_pool
from afray.driver.forecast import Forecast, Job, Measured, Place, forecast
from afray.driver.given_cores import parse_ids, read_given_cores
from afray.driver.on_cluster.groups import worker_groups
from afray.driver.progress import Display
from afray.driver.selecting import describe_methods
from afray.driver.verifying import NoFence, reading
from afray.driver.workspace import SCRATCH, RunSettings, Workspace
from afray.embedding.normalization import Normalizer, Partial
from afray.errors import PoolError, SpecError
from afray.pool.listing import open_pool
from afray.runtime import footprint, pacing, sampling
from afray.runtime.crew import Task
from afray.runtime.embedding import EmbedPlan
from afray.runtime.pacing import Pace
from afray.runtime.sampling import Sample
from afray.runtime.worker import WorkerContext
from afray.storage.store import Store

F32 = NDArray[np.float32]

ROWS = 1000
"""Rows of the pool that are tried."""
STORED_ROWS = 10_000
"""The same where vectors are stored: reading is all there is to do, in stretches of thousands."""
TRIPS = 20
LOCAL = "local"
"""Name of this machine among prices."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is asked of an estimate."""

    target: Target
    workers: int | None = None
    """Of a run on this machine."""
    rows: int | None = None
    """As if the pool had so many; None: as many as it has."""
    embed_rate: float | None = None
    """Rows per second that one worker embeds, where that is known; None: as measured here."""
    prices: Mapping[str, float] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """The forecast, on what it rests, and what to know about it."""

    forecast: Forecast
    place: Place
    size: Size
    embed_rate: float
    """Rows per second of one worker."""
    doubts: tuple[str, ...]
    """Why the times of this machine may mislead."""


def estimate(job: SelectionJob, question: Question, display: Display) -> Estimate:
    """Try a few rows of the pool with all workers of this machine, and say what the job would take.

    Raises SpecError for prices of what the job does not have, or none for what it has; PoolError and StorageError as a
    run would.
    """
    place = choose_place(job, question)
    with tempfile.TemporaryDirectory(prefix=SCRATCH) as folder:
        output = Store.open(Path(folder).as_uri())
        with reading(job, RunSettings(workers=question.workers), output, display) as workspace:
            place = place or _this_machine(workspace, question)
            return _measure(workspace, place, question)


def choose_place(job: SelectionJob, question: Question) -> Place | None:
    """The pods of the spec; None for this machine, whose workers only a workspace knows. Raises SpecError."""
    if question.target is Target.run:
        _check_prices(question.prices, {LOCAL: 1})
        return None
    groups = worker_groups(job, Stage.select)
    pods = {"head": 1, **{group.name: group.pods for group in groups}}
    _check_prices(question.prices, pods)
    return Place(
        name="the cluster of the spec",
        workers=sum(len(group.slots) for group in groups),
        machines=sum(group.pods for group in groups),
        pods=pods,
        prices=question.prices or {},
    )


def _this_machine(workspace: Workspace, question: Question) -> Place:
    return Place(
        name="this machine",
        workers=len(workspace.slots),
        machines=1,
        pods={LOCAL: 1},
        prices=question.prices or {},
    )


def _check_prices(prices: Mapping[str, float] | None, pods: Mapping[str, int]) -> None:
    if not prices:
        return
    names = ", ".join(pods)
    for name in sorted(prices.keys() - pods.keys()):
        raise SpecError("--price", name, "is nothing that this job pays for", f"Name {names}.")
    for name in sorted(pods.keys() - prices.keys()):
        raise SpecError("--price", name, "has no price", f"Give one for each of {names}; 0 is a price.")


def _measure(workspace: Workspace, place: Place, question: Question) -> Estimate:
    spec = workspace.job.spec
    started = time.perf_counter()
    source = open_pool(spec.pool)
    index = index_pool(workspace, spec.pool, source, "pool")
    indexed = time.perf_counter()
    with workspace.stages.stage("try", unit="rows") as (bar, _):
        count = len(workspace.crew.pids)
        ready = time.perf_counter()
        plan = EmbedPlan(
            pool=spec.pool,
            decode=spec.pool.decode,
            embedding=spec.embedding,
            index=index,
            source=source,
            expects_gpu=workspace.has_gpus,
        )
        samples = _embed(workspace, plan, count)
        vectors, prepare_per_row = _prepare(workspace, samples)
        rows = question.rows or index.rows
        size = _size(workspace.job, rows)
        options = describe_methods(spec.selection)
        tasks = [Task(name="trial of steps", function=pacing.try_out, args=(vectors, size, options.bilaf))] * count
        paces: list[Pace] = workspace.crew.run(tasks)
        trip = _time_trips(workspace, count)
        bar.update(sum(sample.rows for sample in samples))
    seconds_per_row = sum(sample.seconds for sample in samples) / sum(sample.rows for sample in samples)
    measured = Measured(
        start=ready - indexed,
        loading=max(sample.loading for sample in samples),
        index_per_row=(indexed - started) / index.rows,
        embed_per_row=1.0 / question.embed_rate if question.embed_rate else seconds_per_row,
        prepare_per_row=prepare_per_row,
        pace=replace(_mean([pace.seconds for pace in paces]), trips=trip),
        worker_bytes=max(pace.memory for pace in paces),
        driver_bytes=footprint.share_bytes(),
    )
    has_clusters = spec.selection.method == "bilaf"
    job = Job(
        size=size,
        dim=vectors.shape[1],
        shard_size=spec.embedding.shard_size,
        lists=bilaf.list_length(size.budget, size.cores, options.bilaf) if has_clusters else 0,
        work=effort.count(spec.selection.method, size, options),
    )
    return Estimate(
        forecast=forecast(job, measured, place),
        place=place,
        size=size,
        embed_rate=1.0 / measured.embed_per_row,
        doubts=tuple(sorted({pace.doubt for pace in paces} - {""})),
    )


def _embed(workspace: Workspace, plan: EmbedPlan, workers: int) -> list[Sample]:
    """Rows from as many places of the pool as there are workers, all at once."""
    wanted = STORED_ROWS if plan.has_vectors else max(ROWS // workers, min(ROWS, plan.embedding.batch_size))
    numbers = np.linspace(0, plan.index.shard_count - 1, workers).astype(int).tolist()
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


def _size(job: SelectionJob, rows: int) -> Size:
    selection = job.spec.selection
    budget = count_budget(selection.budget, rows, kind="rows")
    if selection.method != "bilaf":
        return Size(rows=rows, budget=budget, cores=budget)
    given = read_given_cores(selection.core)
    cores = len(parse_ids(given, selection.core.uri or "", budget)) if given else count_cores(selection, budget)
    return Size(rows=rows, budget=budget, cores=cores)


def _mean(paces: list[Effort]) -> Effort:
    names = Effort.__dataclass_fields__
    return Effort(**{name: sum(getattr(pace, name) for pace in paces) / len(paces) for name in names})
