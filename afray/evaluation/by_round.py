"""What the labels of one round after the other are worth, by labelled rows that predict each other.

The rows of a later round were chosen for being uncertain: a share of right predictions may fall from round to round
while the model gets better. What is comparable are two models on the same rows.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from afray.algorithms import calibration
from afray.algorithms.calibration import Judgement
from afray.evaluation import probe
from afray.evaluation.labels import I64, LabelledRows

Bools = NDArray[np.bool_]
QUANTILE = 1.959963984540054
"""Of the normal distribution, for intervals of 95 %."""
UNSEEN = 3.0
"""Of n rows, what none of them showed has a share of up to UNSEEN / n (the rule of three)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A value and its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RoundedRows:
    """Labelled rows (n,), and the round that each got its label in (n,), from 1."""

    rows: LabelledRows
    rounds: I64

    def up_to(self, number: int) -> RoundedRows:
        """Only those of the first `number` rounds."""
        kept = np.flatnonzero(self.rounds <= number)
        return RoundedRows(rows=self.rows.take(kept), rounds=self.rounds[kept])

    def judge(self) -> Judgement:
        """Each row by models that did not see it."""
        _, codes = np.unique(self.rows.labels, return_inverse=True)
        return calibration.judge(self.rows.vectors, codes.astype(np.int64))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Standing:
    """All labels up to a round."""

    round: int
    rows: RoundedRows
    judgement: Judgement
    """Of these rows, by models that did not see them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gain:
    """Two models on the same rows: one without the last labels, and one with them."""

    rows: int
    without: float
    with_them: float
    difference: Interval


def follow(labelled: RoundedRows) -> Iterator[Standing]:
    """Where the labels stood after every round that has any, from the first two classes on."""
    for number in np.unique(labelled.rounds).tolist():
        rows = labelled.up_to(number)
        if len(np.unique(rows.rows.labels)) > 1:
            yield Standing(round=number, rows=rows, judgement=rows.judge())


def judge_last(last: Standing) -> Gain | None:
    """What the labels of the last round changed for rows such as it chose; None if it is the first one."""
    is_last = last.rows.rounds == last.round
    if is_last.all():
        return None
    before, chosen = (last.rows.rows.take(np.flatnonzero(part)) for part in (~is_last, is_last))
    return compare(probe.predict_linear(before, chosen.vectors) == chosen.labels, last.judgement.is_right[is_last])


def judge_heldout(before: LabelledRows, now: LabelledRows, test: LabelledRows) -> Gain:
    """What the labels of the last round changed for held-out rows, by linear probes."""
    without, with_them = (probe.predict_linear(rows, test.vectors) == test.labels for rows in (before, now))
    return compare(without, with_them)


def compare(without: Bools, with_them: Bools) -> Gain:
    """Paired by row; the interval is that of a mean of independent rows, and not below 3 / n, where none changed."""
    changes = with_them.astype(np.float64) - without
    mean, count = float(changes.mean()), len(changes)
    reach = QUANTILE * float(changes.std(ddof=1)) / math.sqrt(count) if count > 1 else 1.0
    reach = max(reach, UNSEEN / count)
    return Gain(
        rows=count,
        without=float(without.mean()),
        with_them=float(with_them.mean()),
        difference=Interval(value=mean, low=max(mean - reach, -1.0), high=min(mean + reach, 1.0)),
    )


def estimate_share(is_true: Bools) -> Interval:
    """Of how many rows something is true, at least one, by Wilson's interval."""
    count, share = len(is_true), float(is_true.mean())
    weight = QUANTILE**2 / count
    middle = (share + weight / 2) / (1 + weight)
    reach = QUANTILE * math.sqrt(share * (1 - share) / count + weight / (4 * count)) / (1 + weight)
    return Interval(value=share, low=max(middle - reach, 0.0), high=min(middle + reach, 1.0))
