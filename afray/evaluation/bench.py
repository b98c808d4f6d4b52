"""The bench: methods x budgets x seeds on a labelled pool, by one protocol for all of them.

    seed s: rows of the pool with pool ids in RandomState(s).permutation(total)[:pool_size], in ascending order
            -> statistics of these rows -> prepared rows, and test rows prepared by the same statistics
            -> each method selects by seed s -> probe and nearest neighbour on the test rows

So every method sees the same rows at the same seed, and differences can be paired.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace

import numpy as np

from afray.algorithms.methods import SelectionOptions
from afray.algorithms.shards import LocalShards
from afray.api.embedding import Normalize
from afray.embedding.normalization import Normalizer, Partial
from afray.errors import SpecError
from afray.evaluation import probe
from afray.evaluation.cells import Cell, Facts, Results
from afray.evaluation.contenders import Choice, Contender, select_budgets
from afray.evaluation.labels import I64, LabelledRows

PROTOCOL_VERSION = 1
"""Raise it with every change that can move a figure."""

Progress = Callable[[int, int, str], None]
"""progress(done cells, all cells, what is being done)."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LabelledPool:
    """The pool's rows that take part (unique, readable, labelled), with vectors as they were stored."""

    rows: LabelledRows
    pool_ids: I64
    """Ascending."""
    total: int
    """Rows of the pool, those that do not take part included: the numbers that seeds draw from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Protocol:
    """What all cells share."""

    pool_size: int | None = None
    """Rows drawn per seed; None or more than there are: the whole pool."""
    normalize: Normalize = "standardize"
    options: SelectionOptions = field(default_factory=SelectionOptions)
    """Settings of the methods; its seed and core size are replaced cell by cell."""
    wrong_labels: float = 0.0
    """Share of the first round's labels that later rounds see wrong; what is judged has the right ones."""

    def facts(self, pool: LabelledPool, test: LabelledRows) -> Facts:
        """All that a figure depends on besides method, budget and seed, as JSON."""
        # Left out where there are none, as in results of before they could be asked for.
        wrong: Facts = {"wrong_labels": self.wrong_labels} if self.wrong_labels else {}
        return wrong | {
            "version": PROTOCOL_VERSION,
            "pool": _digest(pool.rows, pool.pool_ids),
            "test": _digest(test),
            "total": pool.total,
            "pool_size": self.pool_size,
            "normalize": self.normalize,
            "core_method": self.options.core_method,
            "activeft": {"steps": self.options.activeft.steps, "rows_per_step": self.options.activeft.rows_per_step},
            "bilaf": asdict(self.options.bilaf),
            "uherding": asdict(self.options.uherding),
            "inverse_penalty": probe.INVERSE_PENALTY,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Which cells there shall be."""

    contenders: tuple[Contender, ...]
    budgets: tuple[int, ...]
    seeds: tuple[int, ...]

    @property
    def keys(self) -> list[tuple[str, int, int]]:
        """All cells."""
        return [(c.name, budget, seed) for seed in self.seeds for c in self.contenders for budget in self.budgets]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Arena:
    """The rows of one seed, prepared."""

    pool: LabelledRows
    test: LabelledRows


def run(
    pool: LabelledPool,
    test: LabelledRows,
    plan: Plan,
    protocol: Protocol,
    results: Results,
    *,
    threads: int,
    progress: Progress,
) -> list[Cell]:
    """Compute the cells of the plan that `results` lacks, and return all of them. Raises what a method raises."""

    def report(step: str) -> None:
        progress(sum(key in results.cells for key in plan.keys), len(plan.keys), step)

    for seed in plan.seeds:
        missing = {c: [b for b in plan.budgets if (c.name, b, seed) not in results.cells] for c in plan.contenders}
        if not any(missing.values()):
            continue
        arena = prepare(pool, test, protocol, seed)
        _require_rows(max(plan.budgets), arena)
        shards = LocalShards(arena.pool.vectors, shards=threads, threads=threads)
        for contender, budgets in missing.items():
            report(f"{contender.name}, seed {seed}")
            for choice in select_budgets(
                contender, shards, arena.pool.labels, budgets, protocol.options, seed,
                wrong_labels=protocol.wrong_labels,
            ):  # fmt: skip
                results.add(judge(arena, contender, choice, seed))
                report(f"{contender.name}, seed {seed}")
    return [results.cells[key] for key in plan.keys]


def judge(arena: Arena, contender: Contender, choice: Choice, seed: int) -> Cell:
    """Score one selection."""
    worth = probe.evaluate(arena.pool.take(choice.rows), arena.test)
    return Cell(
        method=contender.name,
        budget=len(choice.rows),
        seed=seed,
        linear=worth.linear,
        nearest=worth.nearest,
        seconds=choice.seconds,
    )


def prepare(pool: LabelledPool, test: LabelledRows, protocol: Protocol, seed: int) -> Arena:
    """Draw the rows of a seed, and prepare them and the test rows by the statistics of the drawn rows alone."""
    drawn = np.random.RandomState(seed).permutation(pool.total)[: protocol.pool_size]
    rows = np.flatnonzero(np.isin(pool.pool_ids, drawn))
    vectors = pool.rows.vectors[rows]
    normalizer = Normalizer.fit(protocol.normalize, Partial.of(vectors))
    return Arena(
        pool=LabelledRows(vectors=normalizer.apply(vectors), labels=pool.rows.labels[rows]),
        test=replace(test, vectors=normalizer.apply(test.vectors)),
    )


def _require_rows(budget: int, arena: Arena) -> None:
    rows = len(arena.pool.labels)
    if budget > rows:
        raise SpecError(
            "--budgets",
            budget,
            f"is more than the {rows} labelled rows that a seed draws",
            "Lower the budget or raise --pool-size.",
        )


def _digest(rows: LabelledRows, pool_ids: I64 | None = None) -> str:
    digest = hashlib.sha256(np.ascontiguousarray(rows.vectors).data)
    digest.update("\0".join(rows.labels.tolist()).encode())
    if pool_ids is not None:
        digest.update(pool_ids.astype("<i8").tobytes())
    return digest.hexdigest()
