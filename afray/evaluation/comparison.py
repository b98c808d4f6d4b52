"""From cells to statements: means over seeds, and differences to a base method, paired by seed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
from pydantic import JsonValue
from scipy import stats

from afray.evaluation.cells import Cell

CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Mean difference to the base over seeds, with a 95 % t interval; the bounds are None for a single seed."""

    mean: float
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One method at one budget, over all seeds. Accuracies are 0..1."""

    method: str
    budget: int
    seeds: int
    accuracy: float
    """Of the linear probe, mean over seeds."""
    accuracy_sd: float | None
    """Sample standard deviation over seeds; None for a single one."""
    difference: Difference | None
    """Of that accuracy to the base method's; None for the base itself."""
    macro_recall: float
    nearest: float
    """Accuracy of the nearest neighbour."""
    nearest_difference: Difference | None
    classes_hit: float
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A bench in numbers."""

    base: str
    rows: tuple[Row, ...]
    """By budget, then in the order in which the methods were asked for."""

    def as_json(self) -> dict[str, JsonValue]:
        """Field names and values."""
        return asdict(self)

    def row(self, method: str, budget: int) -> Row:
        """The row of a method at a budget."""
        return next(row for row in self.rows if (row.method, row.budget) == (method, budget))


def pair(values: Sequence[float], base: Sequence[float]) -> Difference:
    """The mean of values - base, pair by pair, and its t interval (n - 1 degrees of freedom)."""
    differences = np.subtract(values, base)
    mean, count = float(differences.mean()), len(differences)
    if count < 2:
        return Difference(mean=mean, low=None, high=None)
    reach = float(stats.t.ppf((1 + CONFIDENCE) / 2, count - 1) * differences.std(ddof=1) / math.sqrt(count))
    return Difference(mean=mean, low=mean - reach, high=mean + reach)


def tabulate(cells: Sequence[Cell], base: str) -> Table:
    """Summarise cells that hold every method at the same budgets and seeds, the base method among them."""
    methods = list(dict.fromkeys(cell.method for cell in cells))
    budgets = sorted({cell.budget for cell in cells})
    by_seed = sorted(cells, key=lambda cell: cell.seed)
    groups = {
        (method, budget): [cell for cell in by_seed if (cell.method, cell.budget) == (method, budget)]
        for budget in budgets
        for method in methods
    }
    rows = [
        _summarise(group, None if method == base else groups[base, budget])
        for (method, budget), group in groups.items()
    ]
    return Table(base=base, rows=tuple(rows))


def _summarise(group: list[Cell], base: list[Cell] | None) -> Row:
    linear, nearest = _accuracies(group)
    pairs = None if base is None else [pair(*both) for both in zip((linear, nearest), _accuracies(base), strict=True)]
    return Row(
        method=group[0].method,
        budget=group[0].budget,
        seeds=len(group),
        accuracy=float(np.mean(linear)),
        accuracy_sd=float(np.std(linear, ddof=1)) if len(group) > 1 else None,
        difference=pairs[0] if pairs else None,
        macro_recall=float(np.mean([cell.linear.macro_recall for cell in group])),
        nearest=float(np.mean(nearest)),
        nearest_difference=pairs[1] if pairs else None,
        classes_hit=float(np.mean([cell.linear.classes_hit for cell in group])),
        seconds=float(np.mean([cell.seconds for cell in group])),
    )


def _accuracies(group: list[Cell]) -> tuple[list[float], list[float]]:
    return [cell.linear.accuracy for cell in group], [cell.nearest.accuracy for cell in group]
