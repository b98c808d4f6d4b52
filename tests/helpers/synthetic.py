"""Pools made to be hard to choose from: plain mixtures, and four kinds full of ties and near-ties."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
I64 = NDArray[np.int64]
BLOCK = 65536
"""Rows that the generator draws at once."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SmallPool:
    """Rows of norm <= 1, core rows (ascending) and a budget that the pool can meet."""

    features: F32
    core_rows: I64
    budget: int


def make(rows: int, clusters: int, seed: int = 0, dim: int = 384, block: int = BLOCK) -> F32:
    """The benchmark pool: unequal anisotropic clusters on the unit sphere, in groups of unequal closeness."""
    return np.concatenate(list(blocks(rows, clusters, seed, dim, block)))


def blocks(rows: int, clusters: int, seed: int = 0, dim: int = 384, block: int = BLOCK) -> Iterator[F32]:
    """The rows of `make`, some at a time. The draws, in this order, are the contract: published ids rest on them."""
    rng = np.random.default_rng(seed)
    group_count = max(1, round(clusters**0.5))
    groups = rng.standard_normal((group_count, dim))
    means = groups[rng.integers(group_count, size=clusters)] + 0.8 * rng.standard_normal((clusters, dim))
    means /= np.linalg.norm(means, axis=1, keepdims=True)
    shares = rng.lognormal(0.0, 0.6, clusters)
    spreads = rng.uniform(0.55, 0.95, clusters)
    axes = np.arange(1, dim + 1) ** -0.35
    axes /= np.linalg.norm(axes)
    labels = rng.choice(clusters, rows, p=shares / shares.sum())
    for start in range(0, rows, block):
        chosen = labels[start : start + block]
        noise = rng.standard_normal((len(chosen), dim)) * axes
        points = means[chosen] + spreads[chosen, None] * noise
        yield (points / np.linalg.norm(points, axis=1, keepdims=True)).astype(np.float32)


def mixture(rng: np.random.Generator, rows: int, dim: int) -> F32:
    """Gaussian clusters on the unit sphere."""
    means = rng.standard_normal((int(rng.integers(2, 12)), dim))
    return _unit(means[rng.integers(len(means), size=rows)] + rng.uniform(0.3, 1.5) * rng.standard_normal((rows, dim)))


def near_copies(rng: np.random.Generator, rows: int, dim: int) -> F32:
    """Half of the rows repeat another one up to noise of 1e-7."""
    features = mixture(rng, rows, dim)
    copies = rng.permutation(rows)[: rows // 2]
    originals = rng.integers(rows, size=len(copies))
    features[copies] = features[originals] + np.float32(1e-7) * rng.standard_normal((len(copies), dim)).astype("f4")
    return features


def half_copies(rng: np.random.Generator, rows: int, dim: int) -> F32:
    """Half of the rows repeat another one exactly."""
    features = mixture(rng, rows, dim)
    copies = rng.permutation(rows)[: rows // 2]
    features[copies] = features[rng.integers(rows, size=len(copies))]
    return features


def twentyfold_copies(rng: np.random.Generator, rows: int, dim: int) -> F32:
    """About twenty exact copies of every row."""
    return mixture(rng, max(2, rows // 20), dim)[rng.integers(max(2, rows // 20), size=rows)]


def lattice(rng: np.random.Generator, rows: int, dim: int) -> F32:
    """Points of a coarse grid: distances tie mathematically, without being copies."""
    active = min(dim, 8)
    features = np.zeros((rows, dim), np.float32)
    features[:, :active] = rng.integers(0, 4, (rows, active))
    return features / np.float32(16.0)


KINDS: dict[str, Callable[[np.random.Generator, int, int], F32]] = {
    "mixture": mixture,
    "near_copies": near_copies,
    "half_copies": half_copies,
    "twentyfold_copies": twentyfold_copies,
    "lattice": lattice,
}


def small_pool(kind: str, seed: int) -> SmallPool:
    """A pool of 60 to 500 rows, 8 to 384 dimensions and 2 to 11 cores, cut from `seed` alone."""
    rng = np.random.default_rng([list(KINDS).index(kind), seed])
    rows, cores = int(rng.integers(60, 500)), int(rng.integers(2, 12))
    dim = int(rng.choice([8, 13, 32, 100, 384]))
    features = KINDS[kind](rng, rows, dim)
    core_rows = np.sort(rng.choice(rows, cores, replace=False)).astype(np.int64)
    return SmallPool(features=features, core_rows=core_rows, budget=int(rng.integers(cores, rows // 2)))


def _unit(points: F64) -> F32:
    return np.asarray(points / np.linalg.norm(points, axis=1, keepdims=True), np.float32)
