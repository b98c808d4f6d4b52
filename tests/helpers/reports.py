"""Finished runs made up for tests of the report: a mixture pool, cores, outliers and boundary rows chosen simply."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from afray.algorithms.selection import SCORE_BINS, Selection
from afray.reporting import pool_map, tables
from afray.reporting.facts import Funnel
from afray.reporting.report import Environment, Evaluation, Finetune, Job, LinearProbe, RandomDraw, Stage
from afray.reporting.summary import MapSample, OutputTables, ReportData
from afray.reporting.tables import RowNames

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
I64 = NDArray[np.int64]

EXCLUDED_LIMIT = 0.125
FINISHED = datetime(2026, 11, 24, 9, 30, tzinfo=UTC)


def make_mixture(rows: int, dim: int = 16, modes: int = 7, seed: int = 0) -> F32:
    """Unit rows (rows, dim) around `modes` unequal centres."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(modes, dim))
    spread = rng.uniform(0.25, 0.6, size=modes)
    mode = rng.choice(modes, size=rows, p=rng.dirichlet(np.full(modes, 4.0)))
    vectors = centres[mode] + spread[mode, None] * rng.normal(size=(rows, dim))
    unit: F32 = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    return unit


def make_selection(vectors: F32, core: int, boundary: int) -> Selection:
    """Every n-th row as core, the tenth farthest from its core removed, the lowest scores picked."""
    cores = np.linspace(0, len(vectors) - 1, core).astype(np.int64)
    distances = np.linalg.norm(vectors[:, None] - vectors[None, cores], axis=2).astype(np.float64)
    distances[cores, np.arange(core)] = 0
    own, opponent = np.argsort(distances, axis=1)[:, :2].T
    own_distance, other_distance = np.sort(distances, axis=1)[:, :2].T
    inner_distance = np.empty(len(vectors))
    for cluster in range(core):
        members = np.flatnonzero(own == cluster)
        inner_distance[members] = np.linalg.norm(vectors[members, None] - vectors[None, members], axis=2).mean(axis=1)
    scores = (other_distance - inner_distance) / np.maximum(other_distance, inner_distance)
    removed = np.sort(np.argsort(-own_distance)[: len(vectors) // 10])
    candidates = np.setdiff1d(np.arange(len(vectors)), np.union1d(removed, cores))
    picks = candidates[np.argsort(scores[candidates], kind="stable")[:boundary]]
    rows = np.concatenate([cores, picks])
    # Clusters by their core, in each the core first: the order of ranks.
    rows = rows[np.lexsort([rows, ~np.isin(rows, cores), own[rows]])]
    is_core = np.isin(rows, cores)
    return Selection(
        rows=rows,
        is_core=is_core,
        cluster=cores[own[rows]],
        distance=own_distance[rows],
        score=np.where(is_core, np.nan, scores[rows]),
        opponent=np.where(is_core, -1, cores[opponent[rows]]),
        excluded_rows=removed,
        excluded_cluster=cores[own[removed]],
        excluded_density=own_distance[removed],
        excluded_limit=np.full(len(removed), EXCLUDED_LIMIT),
        kept=len(vectors) - len(removed),
        cluster_sizes=np.bincount(own, minlength=core),
        score_counts=np.histogram(scores[candidates], SCORE_BINS, (-1, 1))[0],
    )


def make_names(rows: int, ids: Sequence[str] | None = None) -> RowNames:
    """Names of rows 0..rows-1."""
    ids = ids or [f"line-{row % 3}/part-{row:05d}.png" for row in range(rows)]
    return RowNames(
        rows=np.arange(rows),
        ids=pa.array(ids),
        uris=pa.array([f"s3://plant/welds/{row_id}" for row_id in ids]),
        sha256=pa.array([f"{row:064x}" for row in range(rows)]),
    )


def make_tables(selection: Selection, names: RowNames) -> OutputTables:
    """The output tables, with a few copies and unreadable rows."""
    copies, bad = [f"copy-{number}.png" for number in range(5)], ["broken.png", "empty.png", "cut.png"]
    return OutputTables(
        selection=tables.selection_table(selection, names),
        excluded=tables.excluded_table(selection, names),
        quarantine=tables.quarantine_table(
            bad,
            bad,
            ["truncated", "empty", "truncated"],
            ["image file is truncated (12 bytes not processed)", "0 bytes", "ends in a header"],
        ),
        duplicates=tables.duplicates_table(copies, copies, [names.ids[0].as_py()] * 3 + [names.ids[1].as_py()] * 2),
    )


def make_evaluation() -> Evaluation:
    """A probe with five random draws and a finetune."""
    accuracies = (0.742, 0.757, 0.731, 0.749, 0.751)
    return Evaluation(
        probe=LinearProbe(
            labels=24,
            selected=0.781,
            macro_recall=0.777,
            classes_hit=10,
            random=tuple(
                RandomDraw(seed=seed, accuracy=accuracy, macro_recall=accuracy - 0.01, classes_hit=9)
                for seed, accuracy in enumerate(accuracies)
            ),
            random_macro_recall=float(np.mean(accuracies)) - 0.01,
            random_classes_hit=9.0,
            random_mean=float(np.mean(accuracies)),
            random_sd=float(np.std(accuracies, ddof=1)),
            test_rows=10_000,
        ),
        finetune=Finetune(
            accuracy=0.768, macro_recall=0.765, classes_hit=10, classes=10, labels=24, seconds=41.3, held_out=True
        ),
    )


def make_evaluation_without_random_labels() -> Evaluation:
    """What can be measured if only the selected rows have labels."""
    evaluation = make_evaluation()
    assert evaluation.probe is not None
    means = ("random_mean", "random_sd", "random_macro_recall", "random_classes_hit")
    alone = evaluation.probe.model_copy(update=dict.fromkeys(means, None) | {"random": ()})
    return evaluation.model_copy(update={"probe": alone})


def make_report_data(
    *,
    rows: int = 300,
    core: int = 16,
    boundary: int = 8,
    selection: Selection | None = None,
    ids: Sequence[str] | None = None,
    evaluation: Evaluation | None = None,
) -> ReportData:
    """A consistent run over `rows` unique rows."""
    vectors = make_mixture(rows)
    selection = selection or make_selection(vectors, core, boundary)
    names = make_names(rows, ids)
    sampled = pool_map.sample_rows(rows, selection)
    return ReportData(
        job=make_job(),
        funnel=Funnel(
            listed=rows + 8, readable=rows + 5, unique=rows, kept=selection.kept, selected=len(selection.rows)
        ),
        selection=selection,
        names=names,
        tables=make_tables(selection, names),
        map_sample=MapSample(rows=sampled, vectors=vectors[sampled]),
        evaluation=make_evaluation() if evaluation is None else evaluation,
        environment=make_environment(),
        stages=(
            Stage(name="index", seconds=0.8, rows=rows + 8),
            Stage(name="embed", seconds=71.2, rows=rows + 8),
            Stage(name="core", seconds=14.6, rows=rows),
            Stage(name="boundary", seconds=3.05, rows=rows, resumed=True),
        ),
    )


def make_job() -> Job:
    return Job(
        name="weld-pilot",
        pool="s3://plant/welds/",
        output="s3://plant/out/r1/",
        method="bilaf",
        core_method="activeft",
        seed=0,
        finished=FINISHED,
    )


def make_environment() -> Environment:
    return Environment(
        afray="0.1.0",
        python="3.11.2",
        platform="Linux x86_64",
        model="package:efficientnet-lite0",
        precision="float32",
        normalization="standardize",
        devices=("cpu",),
        libraries={"torch": "2.15.0", "numpy": "2.4.6"},
    )
