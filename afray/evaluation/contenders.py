"""Selection methods as a bench names them: those of the spec, and bilaf with a share of cores.

activeft, kmeans, kcenter, typiclust, random
bilaf          DEFAULT_SHARE of the budget are cores
bilaf@0.2      a fifth are
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace

from afray.algorithms import methods
from afray.algorithms.methods import Method, SelectionOptions
from afray.algorithms.shards import Shards
from afray.errors import SpecError
from afray.evaluation.labels import I64

DEFAULT_SHARE = 0.8
PREFIXES = frozenset({"random", "kcenter"})
"""Methods whose choice for a small budget is the beginning of that for a larger one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Contender:
    """A method as one column of a bench."""

    name: str
    method: Method
    core_share: float = 1.0

    def options(self, base: SelectionOptions, budget: int, seed: int) -> SelectionOptions:
        """`base` with everything that is drawn taken from `seed`, and as many cores as the share says."""
        return replace(
            base,
            seed=seed,
            activeft=replace(base.activeft, seed=seed),
            core_size=min(budget, max(1, round(self.core_share * budget))),
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Choice:
    """The rows that a contender chose for a budget, in rank order, and how long it took."""

    rows: I64
    seconds: float


def parse_contender(name: str) -> Contender:
    """Read a name. Raises SpecError for an unknown method or a share outside (0, 1]."""
    word, has_share, share = name.partition("@")
    choices = [known for known in methods.SELECTORS if known not in methods.NEED_LABELS]
    method = next((known for known in choices if known == word), None)
    if method is None or (has_share and method != "bilaf"):
        choice = ", ".join(choices)
        raise SpecError("--methods", name, "is not a method of one round", f"Choose from {choice}, bilaf@<core share>.")
    if method != "bilaf":
        return Contender(name=name, method=method)
    return Contender(name=name, method=method, core_share=_parse_share(name, share) if has_share else DEFAULT_SHARE)


def _parse_share(name: str, text: str) -> float:
    try:
        share = float(text)
    except ValueError:
        share = 0.0
    if not 0.0 < share <= 1.0:
        raise SpecError("--methods", name, "has no core share above 0 and at most 1", "Write bilaf@0.8, for example.")
    return share


def select_budgets(
    contender: Contender, shards: Shards, budgets: list[int], base: SelectionOptions, seed: int
) -> Iterator[Choice]:
    """A choice for each budget, ascending; what is shared between budgets is computed once."""
    if contender.method in PREFIXES and budgets:
        largest = _select(contender, shards, max(budgets), base, seed)
        yield from (replace(largest, rows=largest.rows[:budget]) for budget in sorted(budgets))
        return
    for budget in sorted(budgets):
        yield _select(contender, shards, budget, base, seed)


def _select(contender: Contender, shards: Shards, budget: int, base: SelectionOptions, seed: int) -> Choice:
    began = time.perf_counter()
    selection = methods.select(contender.method, shards, budget, contender.options(base, budget, seed))
    return Choice(rows=selection.rows, seconds=time.perf_counter() - began)
