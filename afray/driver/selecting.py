"""The selection stage: from stored vectors to chosen rows, by the method that the spec names."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from afray.algorithms import methods
from afray.algorithms.activeft import ActiveFTOptions
from afray.algorithms.clusters import BilafOptions
from afray.algorithms.methods import SelectionOptions
from afray.algorithms.selection import Selection
from afray.api.selection import CoreSpec, SelectionSpec
from afray.driver.budgeting import count_budget, count_cores
from afray.driver.embedding import EmbeddedPool
from afray.driver.features import PreparedPool
from afray.driver.progress import Bar
from afray.driver.stored_selection import NAME, load_selection, store_selection
from afray.driver.workspace import Workspace
from afray.errors import SpecError
from afray.storage.commits import committed
from afray.storage.store import locate

I64 = NDArray[np.int64]


def select(workspace: Workspace, prepared: PreparedPool) -> Selection:
    """The selection, computed now or found computed. Raises SpecError where spec and pool do not fit."""
    stored = committed(workspace.output, NAME)
    with workspace.stages.stage("select", unit="steps") as (bar, record):
        record.rows, record.resumed = prepared.pool.rows.unique, stored is not None
        if stored is None:
            stored = store_selection(workspace.output, compute(workspace, prepared, bar), fence=workspace.fence)
        bar.update(1, 1)
    return load_selection(workspace.output, stored)


def compute(workspace: Workspace, prepared: PreparedPool, bar: Bar) -> Selection:
    """The selection from stored vectors alone; what `afray verify` repeats."""
    spec = workspace.job.spec.selection
    budget = count_budget(spec.budget, prepared.pool.rows.unique)
    options = make_options(spec, prepared.pool, budget)
    return methods.select(
        spec.method,
        prepared.shards,
        budget,
        options,
        progress=lambda step, done, total: bar.update(done, total, step),
    )


def make_options(spec: SelectionSpec, pool: EmbeddedPool, budget: int) -> SelectionOptions:
    """The spec in the words of the algorithms, for a budget of rows."""
    given = find_given_cores(spec.core, pool, budget) if spec.core.method == "given" else None
    return replace(describe_methods(spec), core_size=count_cores(spec, budget), given_cores=given)


def describe_methods(spec: SelectionSpec) -> SelectionOptions:
    """What the spec says about methods, whatever the pool and the budget are."""
    core = spec.core
    return SelectionOptions(
        seed=spec.seed,
        activeft=ActiveFTOptions(
            seed=spec.seed,
            steps=None if core.steps == "auto" else core.steps,
            rows_per_step=None if core.rows_per_step == "auto" else core.rows_per_step,
        ),
        core_method=core.method,
        bilaf=BilafOptions(
            mode=spec.boundary.mode,
            removal_ratio=spec.denoise.removal_ratio,
            neighbours=spec.denoise.neighbours,
            opponent_penalty=spec.boundary.opponent_penalty,
        ),
    )


def find_given_cores(core: CoreSpec, pool: EmbeddedPool, budget: int) -> I64:
    """Rows of the ids in the file spec.selection.core.uri. Raises SpecError naming ids that cannot be cores."""
    assert core.uri is not None
    store, key = locate(core.uri)
    ids = [line.strip() for line in store.read(key).decode().splitlines() if line.strip()]
    if len(set(ids)) < len(ids):
        repeated = next(row_id for row_id in ids if ids.count(row_id) > 1)
        raise SpecError("spec.selection.core.uri", repeated, "occurs twice in the file", "Keep each id once.")
    if not 0 < len(ids) <= budget:
        problem = f"the file names {len(ids)} cores, and the budget is {budget} rows"
        raise SpecError("spec.selection.core.uri", core.uri, problem, "Shorten the file, or raise the budget.")
    found = pool.find(ids)
    if missing := [row_id for row_id, row in zip(ids, found.tolist(), strict=True) if row < 0]:
        problem = "is no unique readable row of the pool"
        raise SpecError("spec.selection.core.uri", missing[0], problem, "Correct the file; see quarantine.parquet.")
    return np.sort(found)
