"""Selection methods as a bench names them: those of the spec, bilaf with a share of cores, rounds of uherding.

activeft, kmeans, kcenter, typiclust, random
bilaf          DEFAULT_SHARE of the budget are cores
bilaf@0.2      a fifth are
uherding@4     four rounds of a quarter each: k-means, then uherding with the labels of the rounds before
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from afray.algorithms import draws, methods
from afray.algorithms.calibration import calibrate
from afray.algorithms.draws import NO_ROWS
from afray.algorithms.methods import Method, SelectionOptions
from afray.algorithms.shards import Shards
from afray.errors import SpecError
from afray.evaluation.labels import I64, Labels

DEFAULT_SHARE = 0.8
MOST_ROUNDS = 100
FIRST_METHOD: Final[Method] = "kmeans"
"""Of the first of several rounds, where there are no labels yet."""
PREFIXES = frozenset({"random", "kcenter"})
"""Methods whose choice for a small budget is the beginning of that for a larger one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Contender:
    """A method as one column of a bench."""

    name: str
    method: Method
    core_share: float = 1.0
    rounds: int = 1
    """Above 1, the budget is spent in so many equal rounds, the first one by k-means."""

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
    method = next((known for known in methods.SELECTORS if known == word), None)
    if method is None or (has_share and method not in ("bilaf", "uherding")):
        choice = ", ".join(known for known in methods.SELECTORS if known not in methods.NEED_LABELS)
        remedy = f"Choose from {choice}, bilaf@<core share>, uherding@<rounds>."
        raise SpecError("--methods", name, "is not a method", remedy)
    if method == "uherding":
        return Contender(name=name, method=method, rounds=_parse_rounds(name, share))
    if method != "bilaf":
        return Contender(name=name, method=method)
    return Contender(name=name, method=method, core_share=_parse_share(name, share) if has_share else DEFAULT_SHARE)


def _parse_rounds(name: str, text: str) -> int:
    if not text.isdecimal() or not 2 <= int(text) <= MOST_ROUNDS:
        problem = f"does not say in how many rounds, from 2 to {MOST_ROUNDS}"
        raise SpecError("--methods", name, problem, "Write uherding@2, for example.")
    return int(text)


def _parse_share(name: str, text: str) -> float:
    try:
        share = float(text)
    except ValueError:
        share = 0.0
    if not 0.0 < share <= 1.0:
        raise SpecError("--methods", name, "has no core share above 0 and at most 1", "Write bilaf@0.8, for example.")
    return share


def select_budgets(
    contender: Contender,
    shards: Shards,
    labels: Labels,
    budgets: list[int],
    base: SelectionOptions,
    seed: int,
    *,
    wrong_labels: float = 0.0,
) -> Iterator[Choice]:
    """A choice for each budget, ascending; what is shared between budgets is computed once.

    `labels` (N,) of all rows: only rounds after the first see any, and those of rows that were chosen before. Of the
    first round they see the share `wrong_labels` wrong.
    """
    if contender.method in PREFIXES and budgets:
        largest = _select(contender, shards, max(budgets), base, seed)
        yield from (replace(largest, rows=largest.rows[:budget]) for budget in sorted(budgets))
        return
    for budget in sorted(budgets):
        if contender.rounds > 1:
            yield _select_in_rounds(contender, shards, labels, budget, base, seed, wrong_labels)
        else:
            yield _select(contender, shards, budget, base, seed)


def mislabel(labels: Labels, rows: I64, share: float, seed: int) -> Labels:
    """The labels (N,), where a share of `rows` has another class, each of the others equally likely."""
    classes, codes = np.unique(labels, return_inverse=True)
    drawn = rows[draws.draw(len(rows), round(share * len(rows)), seed, "bench/wrong labels")]
    others = draws.keys(drawn, draws.salt(seed, "bench/wrong classes")) % np.uint64(max(len(classes) - 1, 1))
    codes[drawn] = (codes[drawn] + 1 + others.astype(np.int64)) % len(classes)
    found: Labels = classes[codes]
    return found


def _select_in_rounds(
    contender: Contender,
    shards: Shards,
    labels: Labels,
    budget: int,
    base: SelectionOptions,
    seed: int,
    wrong_labels: float,
) -> Choice:
    began = time.perf_counter()
    rows, seen = NO_ROWS, labels
    ends = [budget * number // contender.rounds for number in range(1, contender.rounds + 1)]
    for end in ends:
        count = end - len(rows)
        if len(rows) == 0:
            options, method = contender.options(base, budget, seed), FIRST_METHOD
        else:
            labelled = np.sort(rows)
            _, classes = np.unique(seen[labelled], return_inverse=True)
            model = calibrate(shards.take(labelled), classes.astype(np.int64))
            options, method = replace(base, seed=seed, labelled=labelled, model=model), contender.method
        is_first = len(rows) == 0
        if count:
            rows = np.concatenate([rows, methods.select(method, shards, count, options).rows])
        if is_first:
            seen = mislabel(labels, rows, wrong_labels, seed)
    return Choice(rows=rows, seconds=time.perf_counter() - began)


def _select(contender: Contender, shards: Shards, budget: int, base: SelectionOptions, seed: int) -> Choice:
    began = time.perf_counter()
    selection = methods.select(contender.method, shards, budget, contender.options(base, budget, seed))
    return Choice(rows=selection.rows, seconds=time.perf_counter() - began)
