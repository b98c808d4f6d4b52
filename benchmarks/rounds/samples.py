"""Labelled vectors of a set, and how a seed parts them into a pool and held-out rows."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import harness  # noqa: F401 - puts the testbed on the path
import numpy as np
from numpy.typing import NDArray
from testbed.cache import DIGITS, cached

from afray.evaluation.labels import F32, I64, LabelledRows, Labels


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Samples:
    """Rows that belong together, such as those of one person, are of one group: no split parts them."""

    vectors: F32
    """(N, D), as they come: a job standardises them by the pool that it sees."""
    labels: Labels
    groups: I64

    def split(self, seed: int, share: float) -> tuple[LabelledRows, LabelledRows]:
        """Pool and held-out rows; `share` of the groups is held out, drawn by `seed`."""
        groups = np.unique(self.groups)
        drawn = np.random.RandomState(seed).permutation(groups)[: round(share * len(groups))]
        is_held_out = np.isin(self.groups, drawn)
        return self._rows(~is_held_out), self._rows(is_held_out)

    def _rows(self, among: NDArray[np.bool_]) -> LabelledRows:
        return LabelledRows(vectors=self.vectors[among], labels=self.labels[among])

    @property
    def digest(self) -> str:
        """Of the vectors, enough of it to name a folder."""
        return hashlib.sha256(self.vectors.tobytes()).hexdigest()[:DIGITS]

    def write(self, folder: Path) -> None:
        for name in self.__slots__:
            np.save(folder / f"{name}.npy", getattr(self, name))

    @classmethod
    def read(cls, folder: Path) -> Self:
        return cls(**{name: np.load(folder / f"{name}.npy") for name in cls.__slots__})


def kept(name: str, defined_by: list[str | bytes], make: Callable[[], Samples]) -> Samples:
    """The samples of a set: made once, kept outside the checkout under the hash of what defines them."""
    return Samples.read(cached(f"samples-{name}", defined_by, lambda folder: make().write(folder)))
