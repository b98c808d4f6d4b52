"""Products in every precision that a device may use, on the CPU: the same code, and the same ids."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from helpers import oracle, selections, synthetic
from helpers.selections import Way
from helpers.synthetic import F32, I64

from afray.algorithms import activeft, candidates, kmeans, precisions
from afray.algorithms.activeft import ActiveFTOptions
from afray.algorithms.clusters import Tuning
from afray.algorithms.devices import DeviceScores
from afray.algorithms.gemm import Compute
from afray.algorithms.precisions import FLOAT32, PRECISIONS, TF32
from afray.algorithms.shards import LocalShards

COARSE = [name for name in PRECISIONS if name != FLOAT32.name]


def scores(rows: F32, centres: F32, name: str) -> F32:
    if not (compute := Compute(proposals=name)).scores_there:
        found = np.empty((len(rows), len(centres)), np.float32)
        compute.proposal_product(rows, np.ascontiguousarray(centres.T), found)
        return found
    _, values, everything = DeviceScores(centres, None, Compute(proposals=name)).top(rows, 1)
    taken: F32 = DeviceScores(centres, None, Compute(proposals=name)).take(everything, np.arange(len(rows)))
    np.testing.assert_array_equal(taken.max(axis=1), values[:, 0])
    return taken


def awkward(count: int, dim: int) -> F32:
    """Rows of norm <= 1 whose entries lie just below the middle between two neighbours, or are cut off the most."""
    rng = np.random.default_rng(dim)
    steps = 2.0 ** rng.choice([-7.0, -8.0, -10.0, -11.0], (count, dim))
    entries = (1.0 + steps * rng.choice([0.999, 1.999], (count, dim))) * rng.choice([-1.0, 1.0], (count, dim))
    scaled: F32 = (entries * 2.0 ** rng.integers(-30, 0, (count, 1)) / 2.0 / np.sqrt(dim)).astype(np.float32)
    return scaled


@pytest.mark.parametrize("name", COARSE)
@pytest.mark.parametrize("dim", [8, 100, 384])
def test_no_product_is_further_off_than_its_bound(name: str, dim: int) -> None:
    for rows in (awkward(60, dim), synthetic.mixture(np.random.default_rng(dim), 60, dim)):
        wide = rows.astype(np.float64)
        norms = np.linalg.norm(wide, axis=1)
        error = np.abs(scores(rows, rows, name) - wide @ wide.T)
        allowed = [[precisions.bound(dim, a, b, PRECISIONS[name]) for b in norms] for a in norms]
        assert (error <= np.array(allowed)).all()


@pytest.mark.parametrize("name", COARSE)
def test_the_bound_is_not_far_above_what_happens(name: str) -> None:
    one = np.zeros((1, 8), np.float32)
    one[0, 0] = 1.0 - 2.0**-7 + {"tf32": 2.0**-11, "float16": 2.0**-12, "bfloat16": 2.0**-9}[name] * 0.999
    error = abs(float(scores(one, one, name)[0, 0]) - float(one[0, 0]) ** 2)
    assert error > precisions.bound(8, 1.0, 1.0, PRECISIONS[name]) / 8


def with_copies(rows: int, clusters: int) -> tuple[F32, I64]:
    features = synthetic.make(rows, clusters).copy()
    rng = np.random.default_rng(1)
    features[rng.permutation(rows)[: rows // 5]] = features[rng.integers(rows, size=rows // 5)]
    return features, np.sort(rng.choice(rows, clusters, replace=False))


@pytest.mark.parametrize("name", COARSE)
def test_a_fifth_of_exact_copies_selects_the_same_rows_in_every_precision(name: str) -> None:
    features, cores = with_copies(3000, 60)
    reference = selections.select(features, cores, 300)
    way = Way(shards=3, threads=2, compute=Compute(proposals=name, block=700))
    same = selections.select(features, cores, 300, way=way)
    for field in ("rows", "score", "distance", "opponent", "excluded_rows", "excluded_density", "score_counts"):
        np.testing.assert_array_equal(getattr(same, field), getattr(reference, field), err_msg=field)


@pytest.mark.parametrize("name", COARSE)
@pytest.mark.parametrize("kind", synthetic.KINDS)
def test_every_precision_selects_what_the_paper_says(kind: str, name: str) -> None:
    for seed in range(3):
        pool = synthetic.small_pool(kind, seed)
        way = Way(shards=2, compute=Compute(proposals=name, block=97), tuning=Tuning(lists=2))
        found = selections.select(pool.features, pool.core_rows, pool.budget, way=way)
        assert found.rows.tolist() == oracle.bilaf(pool.features, pool.core_rows, pool.budget)


@pytest.mark.parametrize("name", COARSE)
@pytest.mark.parametrize("kind", ["mixture", "half_copies", "lattice"])
def test_every_precision_gives_activeft_the_same_bits_and_kmeans_the_same_centres(kind: str, name: str) -> None:
    features = synthetic.small_pool(kind, 1).features
    coarse = Compute(proposals=name, block=50)
    thetas = [
        activeft.optimise(LocalShards(features), 9, ActiveFTOptions(steps=6), compute).theta.tobytes()
        for compute in (Compute(), coarse)
    ]
    assert thetas[0] == thetas[1]
    centres = kmeans.centres(LocalShards(features), 9, 0, Compute())
    np.testing.assert_array_equal(kmeans.centres(LocalShards(features), 9, 0, coarse), centres)


@pytest.mark.parametrize("length", [1, 3, 16, 40])
@pytest.mark.parametrize("width", [1, 15, 16, 17, 100])
def test_lists_hold_the_best_scores_the_lower_centre_first(length: int, width: int) -> None:
    rng = np.random.default_rng(length)
    products = rng.integers(0, 30, (50, 3 * width)).astype(np.float32)
    halves = rng.integers(0, 3, 3 * width).astype(np.float32)
    centres, scores = np.full((50, length), -1, np.int32), np.full((50, length), -np.inf, np.float32)
    for first in range(0, 3 * width, width):
        tile = np.ascontiguousarray(products[:, first : first + width])
        candidates.merge_tile(tile, halves[first : first + width], first, centres, scores)
    wanted = np.argsort(-(products - halves), axis=1, kind="stable")[:, :length]
    np.testing.assert_array_equal(centres[:, : wanted.shape[1]], wanted)
    np.testing.assert_array_equal(scores[:, : wanted.shape[1]], np.take_along_axis(products - halves, wanted, axis=1))
    assert (centres[:, wanted.shape[1] :] == -1).all()


@pytest.mark.parametrize("kind", synthetic.KINDS)
def test_scores_that_err_as_much_as_they_may_change_nothing(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A device much worse than this one: half of what is allowed, on top of its own error."""
    plain, rng = DeviceScores._score, np.random.default_rng(3)

    def err(self: DeviceScores, block: F32) -> Any:
        found = plain(self, block)
        largest = float(self._centres.norm(dim=0).max())
        allowed = [precisions.bound(block.shape[1], norm, largest, TF32) for norm in np.linalg.norm(block, axis=1)]
        noise = rng.choice([-0.5, 0.5], found.shape) * np.array(allowed)[:, None]
        return found + found.new_tensor(noise)

    monkeypatch.setattr(DeviceScores, "_score", err)
    monkeypatch.setattr(candidates, "COARSE_SHARE", 0.0)
    monkeypatch.setattr(candidates, "COARSE_SPARE", 1)
    for seed in range(4):
        pool = synthetic.small_pool(kind, seed)
        way = Way(shards=2, compute=Compute(proposals="tf32", block=97), tuning=Tuning(lists=2))
        found = selections.select(pool.features, pool.core_rows, pool.budget, way=way)
        assert found.rows.tolist() == oracle.bilaf(pool.features, pool.core_rows, pool.budget)


def test_one_centre_and_one_row_need_no_list() -> None:
    row = synthetic.make(1, 1, dim=16)
    for name in COARSE:
        labels, found = candidates.Scorer(row, Compute(proposals=name)).nearest(row, 4)
        assert (labels.tolist(), found.centres.tolist()) == ([0], [[0]])
        cores = activeft.cores(LocalShards(row), 1, ActiveFTOptions(steps=2), Compute(proposals=name))
        assert cores.tolist() == [0]
