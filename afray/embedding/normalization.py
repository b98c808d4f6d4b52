"""From stored vectors to rows of length at most 1, with statistics that do not depend on shards or their order.

    none         x * 2**shift, so that the longest row has a length in (1/2, 1]: all distances keep their ratios exactly
    l2           x / |x|
    standardize  z / |z| with z = (x - mean) / std, mean and std per dimension over the rows that take part

Sums are exact integers: every float32 is an integer times a power of two. So mean and std are those of the real
numbers, rounded once to float64, however the pool is cut.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Self, TypedDict

import numpy as np
from numpy.typing import NDArray

from afray.api.embedding import Normalize
from afray.embedding import exact_sums

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]

NOISE = 2.0**-23
"""A dimension whose std is below this share of its mean holds the rounding of float32 and nothing else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Partial:
    """Exact statistics of some rows, a shard for example. Adding them up in any order gives the same."""

    count: int
    sums: tuple[int, ...]
    """Of the values of each dimension, in units of 2**-149."""
    squares: tuple[int, ...]
    """Of their squares, in units of 2**-298."""
    largest: float
    """The largest squared length of a row."""

    @classmethod
    def of(cls, vectors: F32) -> Self:
        """Statistics of (n, D) finite vectors."""
        sums, squares = exact_sums.sum_columns(vectors)
        return cls(count=len(vectors), sums=sums, squares=squares, largest=exact_sums.largest_square(vectors))

    def merge(self, other: Self) -> Self:
        """Statistics of the rows of both."""
        return type(self)(
            count=self.count + other.count,
            sums=tuple(a + b for a, b in zip(self.sums, other.sums, strict=True)),
            squares=tuple(a + b for a, b in zip(self.squares, other.squares, strict=True)),
            largest=max(self.largest, other.largest),
        )


def merge_all(partials: Iterable[Partial]) -> Partial:
    """Statistics of all rows; at least one partial."""
    first, *others = partials
    for other in others:
        first = first.merge(other)
    return first


class NormalizerFacts(TypedDict):
    """JSON form of a Normalizer; floats survive it to the bit."""

    kind: Normalize
    shift: int
    mean: list[float]
    std: list[float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Normalizer:
    """What is done to every row of the pool, and of a held-out set beside it. Picklable."""

    kind: Normalize
    shift: int = 0
    """none: the power of two."""
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    """standardize: per dimension; 0 for a dimension that is constant, which becomes 0."""

    @classmethod
    def fit(cls, kind: Normalize, statistics: Partial) -> Self:
        """The normalizer of the rows behind `statistics`, of which there is at least one."""
        assert statistics.count > 0
        if kind == "none":
            return cls(kind=kind, shift=_unit_shift(statistics.largest))
        if kind == "l2":
            return cls(kind=kind)
        mean = [total / (statistics.count << exact_sums.SUM_BITS) for total in statistics.sums]
        std = [_std(statistics, d) for d in range(len(mean))]
        std = [0.0 if s <= NOISE * abs(m) else s for m, s in zip(mean, std, strict=True)]
        return cls(kind=kind, mean=tuple(mean), std=tuple(std))

    def apply(self, vectors: F32) -> F32:
        """(n, D) float32 of length at most 1 (to the last bit of float32).

        A zero row stays zero under none and l2 (which it never meets in a job: it is quarantined there); under
        standardize it is the row that equals the mean that becomes zero. It stays in: it is a place like any other.
        """
        if self.kind == "none":
            return np.ldexp(vectors, self.shift)
        unit = np.empty(vectors.shape, np.float32)
        if self.kind == "l2":
            exact_sums.scale_rows(vectors, unit)
        else:
            exact_sums.standardize_rows(vectors, np.array(self.mean), np.array(self.std), unit)
        return unit

    def as_json(self) -> NormalizerFacts:
        """For the certificate, or a file."""
        return {"kind": self.kind, "shift": self.shift, "mean": list(self.mean), "std": list(self.std)}

    @classmethod
    def from_json(cls, facts: NormalizerFacts) -> Self:
        """The normalizer that gave `facts`."""
        return cls(kind=facts["kind"], shift=facts["shift"], mean=tuple(facts["mean"]), std=tuple(facts["std"]))

    @property
    def digest(self) -> str:
        """sha256 of all that it does."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()


def _unit_shift(largest: float) -> int:
    """s such that a row of squared length `largest` has a length in (1/2, 1] after times 2**s."""
    if largest == 0.0:
        return 0
    _, exponent = math.frexp(math.nextafter(largest, 0.0))
    return -((exponent + 1) // 2)


def _std(statistics: Partial, dimension: int) -> float:
    """Population standard deviation; the difference of the two large numbers is exact."""
    count = statistics.count
    spread = count * statistics.squares[dimension] - statistics.sums[dimension] ** 2
    return math.sqrt(spread / (count * count << exact_sums.SQUARE_BITS))
