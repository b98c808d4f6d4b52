"""`afray estimate`: a few rows go through everything that a run does with all of them, by the clock.

The pool is indexed into a folder that is thrown away; nothing is written to the job's output.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from afray.algorithms import bilaf, effort
from afray.algorithms.effort import Size
from afray.api.job import SelectionJob
from afray.api.rules import Target
from afray.contract.names import Stage
from afray.driver.budgeting import count_budget, count_cores
from afray.driver.embedding import index_pool
from afray.driver.forecast import Forecast, Job, Place, forecast
from afray.driver.given_cores import parse_ids, read_given_cores
from afray.driver.on_cluster.groups import worker_groups
from afray.driver.progress import Display
from afray.driver.selecting import describe_methods
from afray.driver.trying import try_rows
from afray.driver.verifying import reading
from afray.driver.workspace import RunSettings, Workspace, scratch_prefix
from afray.errors import SpecError
from afray.pool.listing import open_pool
from afray.storage.store import Store

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

    Raises SpecError for a later round, and for prices of what the job does not have, or none for what it has; PoolError
    and StorageError as a run would.
    """
    _check_first_round(job)
    place = choose_place(job, question)
    with tempfile.TemporaryDirectory(prefix=scratch_prefix()) as folder:
        output = Store.open(Path(folder).as_uri())
        with reading(job, RunSettings(workers=question.workers), output, display) as workspace:
            place = place or _this_machine(workspace, question)
            return _measure(workspace, place, question)


def _check_first_round(job: SelectionJob) -> None:
    if (previous := job.spec.previous) is not None:
        problem, remedy = "makes this a later round, which is not estimated", "Run it: only new rows are embedded."
        raise SpecError("spec.previous.certificate.uri", previous.certificate.uri, problem, remedy)


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
    selection, options = workspace.job.spec.selection, describe_methods(workspace.job.spec.selection)
    started = time.perf_counter()
    index = index_pool(workspace, workspace.job.spec.pool, open_pool(workspace.job.spec.pool), "pool")
    index_per_row = (time.perf_counter() - started) / index.rows
    size = _size(workspace.job, question.rows or index.rows)
    trial = try_rows(workspace, index, size, options.bilaf)
    measured = replace(trial.measured, index_per_row=index_per_row)
    if question.embed_rate:
        measured = replace(measured, embed_per_row=1.0 / question.embed_rate)
    job = Job(
        size=size,
        dim=trial.dim,
        shard_size=index.shard_size,
        lists=bilaf.list_length(size.budget, size.cores, options.bilaf) if selection.method == "bilaf" else 0,
        work=effort.count(selection.method, size, options),
    )
    return Estimate(
        forecast=forecast(job, measured, place),
        place=place,
        size=size,
        embed_rate=1.0 / measured.embed_per_row,
        doubts=trial.doubts,
    )


def _size(job: SelectionJob, rows: int) -> Size:
    selection = job.spec.selection
    budget = count_budget(selection.budget, rows, kind="rows")
    if selection.method != "bilaf":
        return Size(rows=rows, budget=budget, cores=budget)
    given = read_given_cores(selection.core)
    cores = len(parse_ids(given, selection.core.uri or "", budget)) if given else count_cores(selection, budget)
    return Size(rows=rows, budget=budget, cores=cores)
