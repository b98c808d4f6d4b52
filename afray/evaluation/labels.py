"""Labelled rows as every evaluator sees them, and the one thing that makes labels useless: a single class."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from afray.errors import PoolError

F32 = NDArray[np.float32]
I64 = NDArray[np.int64]
Labels = NDArray[np.str_]
"""Class names, one a row. Numbers that stand for classes are text too, so their order carries no meaning."""


class OneClass(PoolError):
    """All labelled rows are of one class: nothing to learn. Stops the probe and the finetune, never a selection."""

    def __init__(self, rows: int, name: str) -> None:
        super().__init__(rows, name)
        self.rows, self.name = rows, name

    def __str__(self) -> str:
        return (
            f"labels: all {self.rows} labelled rows are of class {self.name!r}, so there is nothing to learn. "
            "Check the label file, or label rows of another class too; the selection itself is not affected."
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LabelledRows:
    """Prepared rows, (n, D) float32 of norm <= 1, and their class names (n,); rows in ascending pool id."""

    vectors: F32
    labels: Labels

    def __post_init__(self) -> None:
        assert len(self.vectors) == len(self.labels), f"{len(self.vectors)} vectors, {len(self.labels)} labels"

    def take(self, rows: I64) -> LabelledRows:
        """The given rows in ascending order, so that no evaluator depends on the order of a selection."""
        ordered = np.sort(rows)
        return LabelledRows(vectors=self.vectors[ordered], labels=self.labels[ordered])


def require_two_classes(labels: Labels) -> None:
    """Raise OneClass where a classifier would have nothing to tell apart."""
    if len(set(labels.tolist())) < 2:
        raise OneClass(len(labels), str(labels[0]) if len(labels) else "")
