"""The selection of a finished run once more, from its stored vectors: for comparison, and by the clock."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import harness  # noqa: F401 - puts the tests' helpers on the path
import numpy as np
from helpers.faults import Killer
from helpers.jobs import At, RecordingDisplay
from numpy.typing import NDArray

from afray.driver.certifying import encoder_facts, read_certificate
from afray.driver.embedding import embed_pool
from afray.driver.features import PreparedPool
from afray.driver.selecting import compute
from afray.driver.stored_selection import load_selection
from afray.driver.verifying import reading
from afray.driver.workspace import RunSettings, Workspace
from afray.storage.commits import committed
from afray.storage.ownership import SELECTION
from afray.storage.reading import ReadOnlyStore
from scale.plan import Plan, read_job

I64 = NDArray[np.int64]


@contextmanager
def reopened(plan: Plan, workers: int, display: RecordingDisplay) -> Iterator[tuple[Workspace, PreparedPool]]:
    """A finished run's rows on a crew of `workers`; nothing is written to its output."""
    job = read_job(plan)
    output = ReadOnlyStore.at(job.spec.output.uri)
    certificate = read_certificate(output)
    assert certificate is not None, f"{plan.output}: there is no finished run; the section `run` makes one"
    with reading(job, RunSettings(workers=workers), output, display) as workspace:
        spec = job.spec
        pool = embed_pool(workspace, spec.pool, spec.pool.decode, title="pool", known=encoder_facts(certificate))
        yield workspace, PreparedPool(workspace, pool)


def read_rows(workspace: Workspace) -> tuple[I64, I64]:
    """Selected rows of the finished run in rank order, and its cores, ascending."""
    stored = committed(workspace.output, SELECTION)
    assert stored is not None
    found = load_selection(workspace.output, stored, spec_digest=workspace.spec_digest)
    return found.rows, np.sort(found.rows[found.is_core])


def is_same(plan: Plan, *, workers: int) -> bool:
    """Whether other workers select the same rows in the same order."""
    return _select_again(plan, workers, RecordingDisplay()) == []


def is_same_after_losses(plan: Plan) -> bool:
    """Whether the same rows come out, though a worker is killed among the steps for cores, and one among clusters."""
    killers = Killer(), Killer()
    middle, clusters = killers[0].start, killers[1].start
    events = [At("select", middle, step="core", done=max(1, plan.steps // 2)), At("select", clusters, "assign", 1)]
    lost = _select_again(plan, plan.workers, RecordingDisplay(events))
    victims = [killer.join() for killer in killers]
    return lost == [] and len(victims) == 2


def _select_again(plan: Plan, workers: int, display: RecordingDisplay) -> list[int]:
    """Ranks at which another row was selected."""
    with reopened(plan, workers, display) as (workspace, prepared):
        expected, _ = read_rows(workspace)
        with workspace.stages.stage("select", unit="steps") as (bar, _):
            found = compute(workspace, prepared, bar, {}).rows
    return np.flatnonzero(found != expected).tolist()
