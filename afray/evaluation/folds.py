"""Which rows are trained on and which are predicted, phase by phase.

    with an evaluation set      one phase: train on all rows
    without                     FOLDS phases: train on the others, predict the fold; then train on all rows

Either way the last phase trains the network that is handed out.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from afray.evaluation.labels import I64, Labels

FOLDS = 5


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Phase:
    """One training from the start; `held_out` is empty in the last phase."""

    train: I64
    held_out: I64


def plan(labels: Labels, *, has_evaluation: bool) -> tuple[Phase, ...]:
    """The phases for labelled rows in ascending pool id. Each class is dealt out evenly over the folds."""
    everything = np.arange(len(labels), dtype=np.int64)
    last = Phase(train=everything, held_out=everything[:0])
    if has_evaluation:
        return (last,)
    count = min(FOLDS, len(labels))
    fold = np.empty(len(labels), np.int64)
    fold[np.argsort(labels, kind="stable")] = everything % count
    folds = [Phase(train=everything[fold != k], held_out=everything[fold == k]) for k in range(count)]
    return (*folds, last)
