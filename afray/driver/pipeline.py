"""A job from its spec to its report, stage by stage.

    index -> embed -> select -> output files, certificate -> evaluate (if labels are there) -> report

Every stage first looks whether an earlier run has finished it, so running again resumes, and a job that is done only
reads its report.
"""

from __future__ import annotations

from afray.api.job import SelectionJob
from afray.driver import workspace as workspaces
from afray.driver.certifying import certify, encoder_facts, read_certificate
from afray.driver.embedding import EmbeddedPool, embed_pool
from afray.driver.evaluating import evaluate
from afray.driver.features import PreparedPool
from afray.driver.kept import check_quarantine
from afray.driver.labelling import Labels, load_labels
from afray.driver.outputs import name_selection, publish_quarantine
from afray.driver.progress import Display
from afray.driver.reporting import finished_report, publish_report
from afray.driver.selecting import select
from afray.driver.workspace import RunSettings, Workspace
from afray.reporting.certificate import Certificate
from afray.reporting.report import Report


def run_job(job: SelectionJob, settings: RunSettings, display: Display) -> Report:
    """Run a job whose locations are resolved, or what is left of it.

    Raises any AfrayError; whatever was committed before stays usable.
    """
    with workspaces.opened(job, settings, display) as workspace:
        labels = load_labels(job)
        if (report := finished_report(workspace, labels)) is not None:
            return report
        certificate = read_certificate(workspace.output)
        prepared = PreparedPool(workspace, embed(workspace, certificate, labels))
        outcome = name_selection(prepared.pool, select(workspace, prepared))
        certificate = certificate or certify(workspace, prepared.pool, outcome)
        evaluation = evaluate(workspace, prepared, outcome, labels)
        return publish_report(workspace, prepared, outcome, certificate, evaluation, labels)


def embed(workspace: Workspace, certificate: Certificate | None, labels: Labels) -> EmbeddedPool:
    """The pool's vectors. Raises PoolError, with quarantine.parquet written, if too many rows are unreadable."""
    spec = workspace.job.spec
    pool = embed_pool(
        workspace,
        spec.pool,
        spec.pool.decode,
        title="pool",
        labels=labels.pool,
        known=encoder_facts(certificate) if certificate else None,
    )
    if pool.rows.quarantine.num_rows > spec.pool.max_bad_fraction * pool.rows.listed:
        publish_quarantine(workspace.output, pool, fence=workspace.fence)
    check_quarantine(pool.rows, spec.pool.max_bad_fraction, field="spec.pool")
    return pool
