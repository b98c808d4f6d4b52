"""report.json and report.html: made from what the stages left behind."""

from __future__ import annotations

import logging
import platform
from dataclasses import replace
from datetime import UTC, datetime

import pyarrow as pa
import pyarrow.compute as pc

from afray import __version__
from afray.driver.certifying import code_facts, count_funnel
from afray.driver.features import PreparedPool
from afray.driver.outputs import Outcome
from afray.driver.publishing import HTML
from afray.driver.rounds.telling import tell_round
from afray.driver.workspace import Workspace
from afray.embedding.decode import decode_image
from afray.pool.answers import Answers
from afray.pool.readers import open_rows
from afray.pool.rows import RowUnreadable
from afray.reporting import gallery, page, pool_map, thumbnails
from afray.reporting import report as reports
from afray.reporting.certificate import Certificate
from afray.reporting.report import Environment, Evaluation, Job, Report, Stage
from afray.reporting.summary import MapSample, ReportData, build_report
from afray.reporting.thumbnails import Thumbnail

log = logging.getLogger(__name__)

THUMBNAIL_SIDE = 96


def draw_report(
    workspace: Workspace,
    prepared: PreparedPool,
    outcome: Outcome,
    certificate: Certificate,
    evaluation: Evaluation,
    newest: Answers | None = None,
) -> dict[str, bytes]:
    """The report's files by name. `newest`: what people said about the selected rows, where the report shall know."""
    with workspace.stages.stage("report", unit="files") as (bar, _):
        report = build_report(collect(workspace, prepared, outcome, certificate, evaluation, newest))
        html = page.render(report, draw_thumbnails(prepared, outcome, report))
        files = {reports.NAME: reports.write(report), HTML: html}
        bar.update(len(files), len(files))
    return files


def collect(
    workspace: Workspace,
    prepared: PreparedPool,
    outcome: Outcome,
    certificate: Certificate,
    evaluation: Evaluation,
    newest: Answers | None,
) -> ReportData:
    """All that the report needs."""
    spec = workspace.job.spec
    rows = pool_map.sample_rows(prepared.pool.rows.unique, outcome.selection)
    sample = MapSample(rows=rows, vectors=prepared.shards.take(rows))
    return ReportData(
        job=Job(
            name=workspace.job.metadata.name,
            pool=spec.pool.uri,
            output=spec.output.uri,
            method=spec.selection.method,
            core_method=spec.selection.core.method,
            seed=spec.selection.seed,
            finished=datetime.now(UTC),
        ),
        funnel=count_funnel(prepared.pool, outcome),
        selection=outcome.selection,
        names=outcome.names,
        tables=outcome.tables,
        map_sample=sample,
        evaluation=evaluation,
        environment=describe_environment(certificate),
        stages=tuple(
            Stage(name=time.name, seconds=time.seconds, rows=time.rows, resumed=time.resumed)
            for time in workspace.stages.times[:-1]  # the report itself is not over yet
        ),
        round=tell_round(workspace, prepared, outcome, newest, sample),
    )


def describe_environment(certificate: Certificate) -> Environment:
    """Where the numbers come from."""
    code = code_facts()
    return Environment(
        afray=__version__,
        python=code.python,
        platform=platform.platform(),
        model=certificate.model.name if certificate.model else "vectors of the pool",
        precision=certificate.embedding.precision,
        normalization=certificate.embedding.normalization,
        devices=certificate.embedding.devices,
        libraries=code.libraries,
    )


def draw_thumbnails(prepared: PreparedPool, outcome: Outcome, report: Report) -> dict[str, Thumbnail] | None:
    """Small pictures of the rows that the report shows, by id; None for pools without pictures."""
    pool = prepared.pool
    if not pool.has_model:
        return None
    ids = gallery.pictured_ids(report.gallery)
    rows = outcome.names.rows[pc.index_in(pa.array(ids, pa.string()), outcome.names.ids).to_numpy()]
    places = pool.addresses(pool.rows.pool_ids(rows))
    reader = open_rows(pool.plan.pool, pool.source, places)
    rules = replace(pool.plan.rules, image_size=THUMBNAIL_SIDE)
    drawn: dict[str, Thumbnail] = {}
    for position, row_id in enumerate(ids):
        try:
            drawn[row_id] = thumbnails.encode(decode_image(reader.read(position), rules).pixels)
        except RowUnreadable as error:
            log.warning("no picture of %s: %s", row_id, error)
    return drawn
