"""How long a worker takes for each kind of work of a selection: tried on rows of the pool, in turns, for a few seconds.

All workers of a machine try at once, so that what they take from each other is in the times. A machine that is busy
with something else, or slows down, is told by two signs: seconds of the clock above those of the processor, and turns
that differ.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from afray.algorithms import assignment, attraction, budgets, clusters, denoise, draws, packing, repulsion, snap
from afray.algorithms.attraction import Field
from afray.algorithms.candidates import Scorer
from afray.algorithms.clusters import BilafOptions, ClusterTask, Setting, Tuning
from afray.algorithms.descent import TEMPERATURE, Descent
from afray.algorithms.effort import Effort, Size
from afray.algorithms.gemm import Compute
from afray.algorithms.shards import LocalShards, Shard
from afray.runtime import footprint, probing
from afray.runtime.worker import WorkerContext

F32 = NDArray[np.float32]
Trial = tuple[Callable[[], object], float]
"""What is tried, and how many units of work it is."""

TURNS = 5
MOST_CENTRES, MOST_PUSHED = 4096, 1024
"""Centres tried with, at most: above, a centre costs what it costs here."""
TRIED_ROWS = 4096
DRAWN_ROWS = 2**20
LISTED = 11
"""Candidates per row: ten labels per core, as in the paper's settings."""
BUSY = 1.25
"""Seconds of the clock over those of the processor, above which somebody else takes the processor."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """Seconds of one worker per unit of each kind of work, its memory, and why this may be wrong, or ''."""

    seconds: Effort
    memory: int
    """Bytes that its process holds, buffers of what was tried included."""
    doubt: str


def try_out(context: WorkerContext, vectors: F32, size: Size, options: BilafOptions) -> Pace:
    """Task: the pace of this worker on prepared rows of the pool (n, D), for a selection of that size."""
    with threadpool_limits(context.threads):
        compute = _choose(vectors, size)
        trials = make_trials(vectors, size, options, compute)
        for call, _ in trials.values():
            call()
        for _ in range(probing.ROUNDS):
            walls, cpus = take_turns(trials)
            if not judge(walls, cpus):
                break
    middle = {name: statistics.median(times) / trials[name][1] for name, times in walls.items()}
    return Pace(seconds=Effort(**middle), memory=footprint.share_bytes(), doubt=judge(walls, cpus))


def _choose(vectors: F32, size: Size) -> Compute:
    """The product that a run of this size would choose."""
    if not probing.is_worth_it(size.rows, size.cores, vectors.shape[1]):
        return Compute()
    rows = _more(vectors, probing.ROWS + probing.CENTRES)
    return probing.probe(rows, probing.products_here(has_gpu=False)).compute


def make_trials(vectors: F32, size: Size, options: BilafOptions, compute: Compute) -> dict[str, Trial]:
    """One trial for each kind of work, by the name of its count in `Effort`."""
    rows, count = _more(vectors, TRIED_ROWS), min(size.cores, MOST_CENTRES)
    descent = Descent(_more(vectors[::-1], count))
    units, near = descent.units, descent.units[:MOST_PUSHED]
    local, shard, half = LocalShards(rows), Shard(0, rows), Shard(0, rows[: len(rows) // 2])
    field = Field(units=units, totals=np.full(count, 1.5), temperature=TEMPERATURE)
    scorer, push = Scorer(units, compute), repulsion.push(local, units, TEMPERATURE, compute)
    pull = attraction.pull(half, field, None, compute)
    nobody = np.empty(0, np.int64)
    return {
        "drawn": (lambda: draws.largest_key(DRAWN_ROWS, DRAWN_ROWS // 10, 0, "trial"), DRAWN_ROWS),
        "moved": (lambda: descent.step(descent.gradient(pull, push)), count),
        "merged": (lambda: attraction.merge([pull, pull]), count),
        "pulled": (lambda: attraction.pull(shard, field, None, compute), len(rows) * count),
        "pushed": (lambda: repulsion.push(local, near, TEMPERATURE, compute), len(near) ** 2),
        "snapped": (lambda: snap.nearest_rows(shard, units, snap.FIRST_WIDTH, nobody, compute), len(rows) * count),
        "assigned": (lambda: scorer.nearest(rows, LISTED), len(rows) * count),
        "clustered": _cluster_trial(vectors, size, options, compute),
    }


def _cluster_trial(vectors: F32, size: Size, options: BilafOptions, compute: Compute) -> Trial:
    """Clusters about as large as those of the pool will be, as far as these rows go, in one task."""
    local = LocalShards(vectors)
    number = max(1, min(len(vectors), round(len(vectors) * size.cores / size.rows)))
    core_rows = draws.draw(len(vectors), number, 0, "trial")
    centres = vectors[core_rows]
    assigned = assignment.assign(local, core_rows, lists=LISTED, compute=compute)
    kept = denoise.kept_sizes(assigned.sizes, options.removal_ratio)
    labels = min(int(kept.sum()), max(number, round(len(vectors) * size.budget / size.rows)))
    task = ClusterTask(clusters=np.arange(number), budgets=budgets.allocate(labels, kept))
    # Released mode looks at fewer opponents, and refuses some pools.
    setting = Setting(options=replace(options, mode="paper"), tuning=Tuning(), compute=compute)
    held = assigned.held
    return (
        lambda: clusters.cluster_step(local, task, held, core_rows, centres, setting),
        float(packing.cost(assigned.sizes).sum()),
    )


def _more(vectors: F32, count: int) -> F32:
    """`count` rows: these again and again, each time moved a little, for copies would make ties."""
    rng = np.random.default_rng(0)
    rows = vectors[np.arange(count) % len(vectors)]
    rows = rows + rng.standard_normal(rows.shape).astype(np.float32) * np.float32(0.3 / rows.shape[1] ** 0.5)
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / np.maximum(lengths, 1.0), np.float32)


def take_turns(trials: Mapping[str, Trial]) -> tuple[dict[str, list[float]], dict[str, list[float]]]:
    """Seconds of the clock and of the processor, of every turn of every trial."""
    walls: dict[str, list[float]] = {name: [] for name in trials}
    cpus: dict[str, list[float]] = {name: [] for name in trials}
    for _ in range(TURNS):
        for name, (call, _) in trials.items():
            wall, cpu = time.perf_counter(), time.process_time()
            call()
            walls[name].append(time.perf_counter() - wall)
            cpus[name].append(time.process_time() - cpu)
    return walls, cpus


def judge(walls: Mapping[str, Sequence[float]], cpus: Mapping[str, Sequence[float]]) -> str:
    """Why these times say little about a quiet machine; '' if they do."""
    turns = [sum(turn) for turn in zip(*walls.values(), strict=True)]
    worked = [sum(turn) for turn in zip(*cpus.values(), strict=True)]
    ratio = sum(turns) / max(sum(worked), 1e-9)
    if ratio > BUSY:
        return f"the processor was busy with something else for {1 - 1 / ratio:.0%} of the time"
    spread = (max(turns) - min(turns)) / statistics.median(turns)
    if spread > probing.STEADY:
        return f"the same work took {min(turns):.2f} to {max(turns):.2f} s: the machine is busy, or slows down"
    return ""
