"""BiLAF's second stage: from core rows to a full selection with boundary rows, outliers set aside.

    assign rows to cores -> sizes | barrier 1 | budgets -> tasks of whole clusters | barrier 2 | one rank order

Pure and exact: for given rows the result is the same for any shards, workers, blocks, threads and matrix library.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from afray.algorithms import assignment, budgets, clusters, denoise, draws, inverted, packing, preconditions, released
from afray.algorithms.assignment import Assignment
from afray.algorithms.clusters import BilafOptions, ClusterTask, Outcome, Setting, Tuning
from afray.algorithms.gemm import Compute
from afray.algorithms.selection import Selection
from afray.algorithms.shards import Progress, Shards, count_rows, silent

T = TypeVar("T", bound=np.generic)
I64 = NDArray[np.int64]

SHORTEST_LIST, LONGEST_LIST = 4, 24
"""Bounds of the candidate centres per row, between which about one more than labels per core is fastest."""
SAMPLED_CLUSTERS = 64
WAVE_TASKS = 512
"""Tasks between two progress reports."""
DEFAULT_OPTIONS = BilafOptions()
DEFAULT_TUNING = Tuning()
DEFAULT_COMPUTE = Compute()


def select(
    shards: Shards,
    core_rows: I64,
    budget: int,
    options: BilafOptions = DEFAULT_OPTIONS,
    compute: Compute = DEFAULT_COMPUTE,
    progress: Progress = silent,
    *,
    tuning: Tuning = DEFAULT_TUNING,
) -> Selection:
    """Choose `budget` rows, the given cores (ascending, no repeats) among them (BiLAF, algorithm 1).

    Rank order: clusters by core row, in each the core, then the picks in order. With as many cores as budget the
    outliers are found all the same. Raises SpecError if the cores are unusable, the budget is below their number or
    above the rows left after outlier removal, or released mode meets a case in which the released code crashes.
    """
    row_count = count_rows(shards)
    preconditions.check_cores(core_rows, row_count)
    preconditions.check_budget(budget, len(core_rows), row_count)
    progress("assign", 0, row_count)
    lists = tuning.lists or list_length(budget, len(core_rows), options)
    assigned, recall = _assign(shards, core_rows, lists, options, compute)
    progress("assign", row_count, row_count)
    split = _split_budget(assigned.sizes, budget, options)
    tasks = [ClusterTask(clusters=numbers, budgets=split[numbers]) for numbers in packing.pack(assigned.sizes)]
    setting = Setting(options=options, tuning=tuning, compute=compute)
    outcome = _run(shards, tasks, assigned, core_rows, setting, progress)
    numbers = np.concatenate([task.clusters for task in tasks])
    selected = _in_rank_order(outcome, numbers, split, core_rows, assigned.sizes)
    changed = _count_changes(shards, selected, split, assigned, core_rows, setting)
    return replace(selected, recall=recall, changed_picks=changed)


def _assign(
    shards: Shards, core_rows: I64, lists: int, options: BilafOptions, compute: Compute
) -> tuple[Assignment, float]:
    if options.probes is None:
        return assignment.assign(shards, core_rows, lists=lists, compute=compute), math.nan
    assigned, groups = inverted.assign(shards, core_rows, probes=options.probes, compute=compute)
    return assigned, inverted.recall(shards, core_rows, groups, options.probes, compute)


def _count_changes(
    shards: Shards, selected: Selection, split: I64, assigned: Assignment, core_rows: I64, setting: Setting
) -> float:
    """Share of boundary rows in a sample of clusters that exact mean distances would not have picked."""
    if setting.options.intra == "mean":
        return math.nan
    sample = draws.draw(len(core_rows), min(len(core_rows), SAMPLED_CLUSTERS), 0, "changes")
    tasks = [ClusterTask(clusters=sample[[place]], budgets=split[sample[[place]]]) for place in range(len(sample))]
    exact = replace(setting, options=replace(setting.options, intra="mean"))
    outcome = _run(shards, tasks, assigned, core_rows, exact, silent)
    picked = selected.rows[np.isin(selected.cluster, core_rows[sample]) & ~selected.is_core]
    return float(np.isin(picked, outcome.rows, invert=True).mean()) if len(picked) else 0.0


def list_length(budget: int, core_count: int, options: BilafOptions) -> int:
    """Candidate centres kept per row: a matter of speed."""
    if options.mode == "released":  # looks at one opponent per row
        return SHORTEST_LIST
    return min(max(budget // core_count + 1, SHORTEST_LIST), LONGEST_LIST)


def _split_budget(sizes: I64, budget: int, options: BilafOptions) -> I64:
    kept = denoise.kept_sizes(sizes, options.removal_ratio)
    if options.mode == "released":
        return budgets.allocate_released(budget, kept)
    preconditions.check_kept(budget, int(kept.sum()), int(sizes.sum()))
    return budgets.allocate(budget, kept)


def _run(
    shards: Shards,
    tasks: list[ClusterTask],
    assigned: Assignment,
    core_rows: I64,
    setting: Setting,
    progress: Progress,
) -> Outcome:
    """All tasks, in waves so that progress shows; their outcomes joined in task order."""
    centres = shards.take(core_rows)
    if setting.options.mode == "released":
        released.refuse_identical_cores(core_rows, centres)
    outcomes: list[Outcome] = []
    done, total = 0, int(assigned.sizes.sum())
    for start in range(0, len(tasks), WAVE_TASKS):
        wave = tasks[start : start + WAVE_TASKS]
        outcomes += shards.each(clusters.cluster_step, wave, assigned.held, core_rows, centres, setting)
        done += sum(int(assigned.sizes[task.clusters].sum()) for task in wave)
        progress("select", done, total)
    return clusters.join(outcomes)


def _in_rank_order(outcome: Outcome, numbers: I64, split: I64, core_rows: I64, sizes: I64) -> Selection:
    """Barrier 2: `outcome` lists the clusters in the order of `numbers`; ranks go by core row."""
    ranks = _ranks(numbers, split)
    rows, opponents = _scatter(outcome.rows, ranks), _scatter(outcome.opponent, ranks)
    is_core = np.zeros(len(rows), np.bool_)
    is_core[np.cumsum(split) - split] = True
    removed = np.argsort(outcome.excluded_rows)
    return Selection(
        rows=rows,
        is_core=is_core,
        cluster=np.repeat(core_rows, split),
        distance=_scatter(outcome.distance, ranks),
        score=_scatter(outcome.score, ranks),
        opponent=np.where(opponents >= 0, core_rows[opponents], -1),
        excluded_rows=outcome.excluded_rows[removed],
        excluded_cluster=core_rows[outcome.excluded_cluster[removed]],
        excluded_density=outcome.excluded_density[removed],
        excluded_limit=outcome.excluded_limit[removed],
        kept=int(sizes.sum()) - len(removed),
        cluster_sizes=sizes,
        score_counts=outcome.score_counts,
    )


def _ranks(numbers: I64, split: I64) -> I64:
    """Rank of each row of an outcome that lists clusters in the order of `numbers`."""
    counts = split[numbers]
    first_rank = (np.cumsum(split) - split)[numbers]
    first_place = np.cumsum(counts) - counts
    ranks: I64 = np.repeat(first_rank - first_place, counts) + np.arange(counts.sum())
    return ranks


def _scatter(values: NDArray[T], ranks: I64) -> NDArray[T]:
    ordered = np.empty_like(values)
    ordered[ranks] = values
    return ordered
