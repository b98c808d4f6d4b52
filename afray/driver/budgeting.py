"""How many rows to choose, and how many of them as cores: the spec's words against the rows that are there."""

from __future__ import annotations

from decimal import ROUND_DOWN

from afray.api.selection import BudgetSpec, SelectionSpec
from afray.errors import SpecError

ALL_CORES_UP_TO = 100
CORE_SHARE = 0.8
"""Measured: pure core is 0.6 to 2.3 points better up to 100 labels, and 0 to 0.5 above, which a boundary step costs."""


def check_budget(selection: SelectionSpec, listed: int, *, answered: int = 0) -> None:
    """Raises SpecError if the budget could not be met even if all `listed` rows turned out to be readable and unique.

    Asked before rows are embedded, which takes hours that nobody should wait to hear it.
    """
    count_cores(selection, count_budget(selection.budget, listed, kind="rows", answered=answered))


def count_budget(budget: BudgetSpec, unique: int, *, kind: str = "unique readable rows", answered: int = 0) -> int:
    """Rows to choose out of `unique` readable ones, of which so many were `answered` in earlier rounds.

    Raises SpecError if that is none, or more than are left.
    """
    count, left = _count_asked(budget, unique), unique - answered
    if count <= left:
        return count
    rest = f"{left} {kind} without an answer of an earlier round" if answered else f"{unique} {kind} of the pool"
    if budget.percent is None:
        problem = f"is more than the {rest}"
        raise SpecError("spec.selection.budget.count", count, problem, f"Set it to at most {left}.")
    problem = f"comes to {count} rows, which is more than the {rest}"
    raise SpecError("spec.selection.budget.percent", budget.percent, problem, f"Set budget.count to at most {left}.")


def _count_asked(budget: BudgetSpec, unique: int) -> int:
    if budget.percent is not None:
        count = int((budget.percent * unique / 100).to_integral_value(ROUND_DOWN))
        if count == 0:
            raise SpecError(
                "spec.selection.budget.percent", budget.percent, f"comes to no row of {unique}", "Raise it."
            )
        return count
    assert budget.count is not None
    return budget.count


def count_cores(selection: SelectionSpec, budget: int) -> int:
    """Core rows among `budget`. Raises SpecError if more were asked for than the budget pays."""
    size = selection.core.size
    if size == "auto":
        return budget if budget <= ALL_CORES_UP_TO else round(CORE_SHARE * budget)
    if size > budget:
        problem = f"is more than the budget of {budget} rows"
        raise SpecError("spec.selection.core.size", size, problem, "Lower it, or raise spec.selection.budget.")
    return size
