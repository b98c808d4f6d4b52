"""The selection stage: from stored vectors to chosen rows, by the method that the spec names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from afray.algorithms import methods
from afray.algorithms.activeft import ActiveFTOptions
from afray.algorithms.clusters import BilafOptions
from afray.algorithms.draws import NO_ROWS
from afray.algorithms.gemm import Compute
from afray.algorithms.methods import Method, SelectionOptions
from afray.algorithms.selection import Selection
from afray.algorithms.uherding import HerdingOptions
from afray.api.selection import SelectionSpec, UherdingSpec
from afray.driver import given_cores
from afray.driver.budgeting import count_budget, count_cores
from afray.driver.embedding import EmbeddedPool
from afray.driver.features import PreparedPool
from afray.driver.given_cores import FIELD, parse_ids, read_given_cores
from afray.driver.progress import Bar
from afray.driver.rounds import answers, learning
from afray.driver.rounds.answers import AllAnswers
from afray.driver.rounds.frozen import find_rows
from afray.driver.stored_selection import load_selection, store_selection
from afray.driver.workspace import Workspace
from afray.errors import SpecError
from afray.runtime import probing
from afray.runtime.shards import RayShards
from afray.storage.commits import committed
from afray.storage.ownership import SELECTION

I64 = NDArray[np.int64]


def select(workspace: Workspace, prepared: PreparedPool, known: AllAnswers | None) -> Selection:
    """The selection, computed now or found computed. `known`: what earlier rounds found out.

    Raises SpecError where spec and pool do not fit.
    """
    stored = committed(workspace.output, SELECTION)
    with workspace.stages.stage("select", unit="steps") as (bar, record):
        record.rows, record.resumed = prepared.pool.rows.unique, stored is not None
        if stored is None:
            inputs = gather_inputs(workspace.job.spec.selection, prepared, known)
            chosen = compute(workspace, prepared, bar, inputs)
            stored = store_selection(
                workspace.output, chosen, inputs, spec_digest=workspace.spec_digest, fence=workspace.fence
            )
        bar.update(1, 1)
    return load_selection(workspace.output, stored, spec_digest=workspace.spec_digest)


def gather_inputs(spec: SelectionSpec, prepared: PreparedPool, known: AllAnswers | None) -> dict[str, bytes]:
    """The files that the selection is made of beside the vectors, by role."""
    inputs: dict[str, bytes] = {}
    if (given := read_given_cores(spec.core)) is not None:
        inputs[given_cores.ROLE] = given
    if known is not None:
        inputs[answers.ROLE] = answers.write(known)
        if spec.method == "uherding" and (model := learning.learn(prepared, known)) is not None:
            inputs[learning.ROLE] = learning.write(model)
    return inputs


def compute(workspace: Workspace, prepared: PreparedPool, bar: Bar, inputs: Mapping[str, bytes]) -> Selection:
    """The selection from stored vectors and the files kept with it alone; what `afray verify` repeats."""
    spec = workspace.job.spec.selection
    rows, shards = prepared.pool.rows.unique, prepared.shards
    labelled = find_labelled(inputs, prepared.pool)
    budget = count_budget(spec.budget, rows, answered=len(labelled))
    options = make_options(spec, prepared.pool, budget, inputs, labelled)
    found = methods.select(
        spec.method,
        shards,
        budget,
        options,
        choose_compute(shards, spec.method, rows, len(labelled) + (options.core_size or budget)),
        progress=lambda step, done, total: bar.update(done, total, step),
    )
    shards.give_back()
    return found


def choose_compute(shards: RayShards, method: Method, rows: int, centres: int) -> Compute:
    """What workers compute with: what fits, and is tried out where a selection is large enough to gain by it.

    A trial loads torch into every worker, which takes half a GiB of each.
    """
    fitting = shards.fit(centres)
    is_tried = method in methods.PROPOSE and probing.is_worth_it(rows, centres, shards.dim)
    return shards.choose_products(fitting) if is_tried else fitting


def find_labelled(inputs: Mapping[str, bytes], pool: EmbeddedPool) -> I64:
    """Rows that were answered in earlier rounds, ascending; none in a first round."""
    if answers.ROLE not in inputs:
        return NO_ROWS
    return np.unique(find_rows(pool, answers.read(inputs[answers.ROLE]).ids))


def make_options(
    spec: SelectionSpec, pool: EmbeddedPool, budget: int, inputs: Mapping[str, bytes], labelled: I64
) -> SelectionOptions:
    """The spec in the words of the algorithms, for a budget of rows."""
    given, model = inputs.get(given_cores.ROLE), inputs.get(learning.ROLE)
    cores = None if given is None else find_given_cores(given, spec.core.uri or "", pool, budget, labelled)
    return replace(
        describe_methods(spec),
        core_size=count_cores(spec, budget),
        given_cores=cores,
        labelled=labelled,
        model=None if model is None else learning.read(model),
    )


def describe_methods(spec: SelectionSpec) -> SelectionOptions:
    """What the spec says about methods, whatever the pool and the budget are."""
    core, herding = spec.core, spec.uherding or UherdingSpec()
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
        uherding=HerdingOptions(kernel_scale=herding.kernel_scale, neighbours=herding.neighbours),
    )


def find_given_cores(content: bytes, uri: str, pool: EmbeddedPool, budget: int, labelled: I64) -> I64:
    """Rows of the ids in a file of given cores. Raises SpecError naming ids that cannot be cores."""
    ids = parse_ids(content, uri, budget)
    found = pool.find(ids)
    if missing := [row_id for row_id, row in zip(ids, found.tolist(), strict=True) if row < 0]:
        problem = "is no unique readable row of the pool"
        raise SpecError(FIELD, missing[0], problem, "Correct the file; see quarantine.parquet.")
    if repeated := [row_id for row_id, row in zip(ids, found.tolist(), strict=True) if row in labelled]:
        raise SpecError(FIELD, repeated[0], "has an answer of an earlier round", "Take it out: it is a core already.")
    return np.sort(found)
