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
from afray.api.selection import SelectionSpec
from afray.driver.budgeting import count_budget, count_cores
from afray.driver.embedding import EmbeddedPool
from afray.driver.features import PreparedPool
from afray.driver.given_cores import FIELD, parse_ids, read_given_cores
from afray.driver.progress import Bar
from afray.driver.stored_selection import load_selection, store_selection
from afray.driver.workspace import Workspace
from afray.errors import SpecError
from afray.runtime import probing
from afray.storage.commits import committed
from afray.storage.ownership import SELECTION

I64 = NDArray[np.int64]


def select(workspace: Workspace, prepared: PreparedPool) -> Selection:
    """The selection, computed now or found computed. Raises SpecError where spec and pool do not fit."""
    stored = committed(workspace.output, SELECTION)
    with workspace.stages.stage("select", unit="steps") as (bar, record):
        record.rows, record.resumed = prepared.pool.rows.unique, stored is not None
        if stored is None:
            given = read_given_cores(workspace.job.spec.selection.core)
            chosen = compute(workspace, prepared, bar, given)
            stored = store_selection(
                workspace.output, chosen, given, spec_digest=workspace.spec_digest, fence=workspace.fence
            )
        bar.update(1, 1)
    return load_selection(workspace.output, stored, spec_digest=workspace.spec_digest)


def compute(workspace: Workspace, prepared: PreparedPool, bar: Bar, given: bytes | None) -> Selection:
    """The selection from stored vectors and the file of given cores alone; what `afray verify` repeats."""
    spec = workspace.job.spec.selection
    budget = count_budget(spec.budget, prepared.pool.rows.unique)
    options = make_options(spec, prepared.pool, budget, given)
    rows, shards, centres = prepared.pool.rows.unique, prepared.shards, options.core_size or budget
    fitting = shards.fit(centres)
    is_large = probing.is_worth_it(rows, centres, shards.dim)
    return methods.select(
        spec.method,
        shards,
        budget,
        options,
        shards.choose_products(fitting) if is_large else fitting,
        progress=lambda step, done, total: bar.update(done, total, step),
    )


def make_options(spec: SelectionSpec, pool: EmbeddedPool, budget: int, given: bytes | None) -> SelectionOptions:
    """The spec in the words of the algorithms, for a budget of rows."""
    cores = None if given is None else find_given_cores(given, spec.core.uri or "", pool, budget)
    return replace(describe_methods(spec), core_size=count_cores(spec, budget), given_cores=cores)


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
            probes=core.probes,
            intra=spec.boundary.intra_distance or "mean",
        ),
    )


def find_given_cores(content: bytes, uri: str, pool: EmbeddedPool, budget: int) -> I64:
    """Rows of the ids in a file of given cores. Raises SpecError naming ids that cannot be cores."""
    ids = parse_ids(content, uri, budget)
    found = pool.find(ids)
    if missing := [row_id for row_id, row in zip(ids, found.tolist(), strict=True) if row < 0]:
        problem = "is no unique readable row of the pool"
        raise SpecError(FIELD, missing[0], problem, "Correct the file; see quarantine.parquet.")
    return np.sort(found)
