"""From the arrays and tables of a finished run to the numbers of its report."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from afray.algorithms.selection import I64, SCORE_BINS, Selection
from afray.reporting import gallery, pool_map
from afray.reporting.digests import selection_digest
from afray.reporting.facts import Funnel
from afray.reporting.pool_map import F32
from afray.reporting.report import (
    BadRows,
    Clusters,
    CopyGroup,
    Counts,
    Environment,
    Evaluation,
    Job,
    PoolMap,
    Report,
    ScoreHistogram,
    Stage,
)
from afray.reporting.round_facts import RoundReport
from afray.reporting.tables import RowNames

COPY_GROUPS_SHOWN = 10


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class OutputTables:
    """The tables of a run, as written; schemas in `tables`."""

    selection: pa.Table
    excluded: pa.Table
    quarantine: pa.Table
    duplicates: pa.Table


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MapSample:
    """Rows chosen by `pool_map.sample_rows`, (n,) ascending, and their prepared vectors (n, D)."""

    rows: I64
    vectors: F32


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ReportData:
    """All that a report needs; whoever ran the job fills it in."""

    job: Job
    funnel: Funnel
    selection: Selection
    names: RowNames
    tables: OutputTables
    map_sample: MapSample | None
    """None: no map."""
    evaluation: Evaluation
    environment: Environment
    stages: tuple[Stage, ...]
    round: RoundReport | None = None
    """None in a first round."""


def build_report(data: ReportData) -> Report:
    """Every number of the report; a pure function of `data`."""
    picks, tables = data.selection, data.tables
    boundary = int(np.count_nonzero(~picks.is_core))
    return Report(
        job=data.job,
        selection_digest=selection_digest(tables.selection["id"].to_pylist(), tables.selection["kind"].to_pylist()),
        funnel=data.funnel,
        counts=Counts(
            core=len(picks.rows) - boundary,
            boundary=boundary,
            removed=len(picks.excluded_rows),
            copies=len(tables.duplicates),
            quarantined=len(tables.quarantine),
        ),
        clusters=_clusters(picks.cluster_sizes),
        map=_map(data),
        scores=_scores(picks),
        gallery=gallery.choose(tables.selection, tables.excluded),
        copy_groups=_copy_groups(tables.duplicates),
        quarantine=_bad_rows(tables.quarantine),
        evaluation=data.evaluation,
        environment=data.environment,
        stages=data.stages,
        round=data.round,
    )


def _map(data: ReportData) -> PoolMap | None:
    if data.map_sample is None:
        return None
    sample = data.map_sample
    return pool_map.draw_map(sample.rows, sample.vectors, data.funnel.unique, data.selection, data.names)


def _clusters(sizes: I64) -> Clusters | None:
    if not len(sizes):
        return None
    return Clusters(
        count=len(sizes),
        smallest=int(sizes.min()),
        median=float(np.median(sizes)),
        largest=int(sizes.max()),
    )


def _scores(selection: Selection) -> ScoreHistogram | None:
    picked = selection.score[~selection.is_core & ~np.isnan(selection.score)]
    if not len(picked):
        return None
    bins, _ = np.histogram(np.clip(picked, -1, 1), SCORE_BINS, (-1, 1))
    return ScoreHistogram(
        kept=tuple(selection.score_counts.tolist()),
        picked=tuple(bins.tolist()),
        picked_median=float(np.median(picked)),
    )


def _copy_groups(duplicates: pa.Table) -> tuple[CopyGroup, ...]:
    counts = duplicates.group_by("copy_of").aggregate([("id", "count")])
    largest = counts.sort_by([("id_count", "descending"), ("copy_of", "ascending")]).slice(0, COPY_GROUPS_SHOWN)
    return tuple(CopyGroup(id=row["copy_of"], copies=row["id_count"]) for row in largest.to_pylist())


def _bad_rows(quarantine: pa.Table) -> tuple[BadRows, ...]:
    """Commonest reason first."""
    groups = []
    for reason in sorted(set(quarantine["reason"].to_pylist())):
        rows = quarantine.filter(pc.equal(quarantine["reason"], reason))
        first = rows.slice(0, 1).to_pylist()[0]
        groups.append(BadRows(reason=reason, count=len(rows), first_id=first["id"], first_detail=first["detail"]))
    return tuple(sorted(groups, key=lambda group: -group.count))
