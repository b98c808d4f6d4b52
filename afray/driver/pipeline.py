"""A job from its spec to its report, stage by stage.

    index -> embed -> select -> output files, certificate -> evaluate (if labels are there) -> report

Every stage first looks whether an earlier run has finished it, so running again resumes.
"""

from __future__ import annotations

from collections.abc import Callable

from afray.api.selection import SelectionSpec
from afray.driver.certifying import certify, encoder_facts, find_certificate
from afray.driver.embedding import EmbeddedPool, embed_pool
from afray.driver.evaluating import evaluate
from afray.driver.features import PreparedPool
from afray.driver.kept import check_quarantine
from afray.driver.labelling import Labels
from afray.driver.metering import meter_funnel
from afray.driver.outputs import QUARANTINE, Outcome, name_selection, publish_quarantine
from afray.driver.reporting import draw_report
from afray.driver.rounds.classes import find_thin, name_known
from afray.driver.rounds.going_on import GoingOn, go_on
from afray.driver.selecting import select
from afray.driver.workspace import Workspace
from afray.reporting.certificate import Certificate
from afray.reporting.report import Evaluation

Measure = Callable[[Workspace, PreparedPool, Outcome, Labels], Evaluation]


def run_stages(workspace: Workspace, labels: Labels, *, measure: Measure | None = evaluate) -> dict[str, bytes]:
    """Everything of a job that earlier runs left to do; returns the files of its report, by name.

    `measure` says what the labels are worth; without it the report knows none but those that the rows were chosen by.

    Raises any AfrayError; whatever was committed before stays usable.
    """
    certificate = find_certificate(workspace.output)
    # A finished selection keeps all that it was made of: the round before may be gone by then.
    before = go_on(workspace) if certificate is None else None
    for finding in find_thin(before.known.labels, name_known(labels)) if before else ():
        workspace.stages.display.note(str(finding))
    pool = embed(workspace, certificate, labels, selection=workspace.job.spec.selection, before=before)
    prepared = PreparedPool(workspace, pool)
    outcome = name_selection(pool, select(workspace, prepared, before.known if before else None))
    meter_funnel(workspace.meter, kept=outcome.selection.kept, selected=len(outcome.selection.rows))
    certificate = certificate or certify(workspace, prepared.pool, outcome)
    evaluation = measure(workspace, prepared, outcome, labels) if measure else Evaluation()
    return draw_report(workspace, prepared, outcome, certificate, evaluation, labels.selected if measure else None)


def embed(
    workspace: Workspace,
    certificate: Certificate | None,
    labels: Labels,
    *,
    selection: SelectionSpec | None = None,
    before: GoingOn | None = None,
) -> EmbeddedPool:
    """The pool's vectors, if there are rows enough for `selection`.

    Raises SpecError if there are not, and PoolError, with quarantine.parquet written, if too many are unreadable.
    """
    spec = workspace.job.spec
    pool = embed_pool(
        workspace,
        spec.pool,
        spec.pool.decode,
        title="pool",
        labels=labels.pool,
        selection=selection,
        known=encoder_facts(certificate) if certificate else None,
        earlier=before.vectors if before else None,
        answered=len(before.known.ids) if before else 0,
    )
    rows = pool.rows
    meter_funnel(workspace.meter, listed=rows.listed, readable=rows.readable, unique=rows.unique)
    if rows.quarantine.num_rows > spec.pool.max_bad_fraction * rows.listed:
        publish_quarantine(workspace.output, pool, QUARANTINE, fence=workspace.fence)
    check_quarantine(rows, spec.pool.max_bad_fraction, field="spec.pool", file=QUARANTINE)
    return pool
