from __future__ import annotations

import numpy as np
import pytest
import torch
from helpers import core_oracles, synthetic
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from afray.algorithms import activeft, attraction, draws, repulsion, snap
from afray.algorithms.activeft import ActiveFTOptions, Schedule
from afray.algorithms.attraction import Field
from afray.algorithms.descent import TEMPERATURE, Descent
from afray.algorithms.gemm import Compute
from afray.algorithms.shards import LocalShards

LAYOUTS = [
    (1, 1, Compute(block=4096)),
    (2, 2, Compute(block=133)),
    (7, 2, Compute(block=13)),
    (1, 1, Compute(gemm="torch")),
    (2, 1, Compute(gemm="torch", block=50)),
]


def drawn_pool(kind: str, seed: int) -> tuple[NDArray[np.float32], int]:
    pool = synthetic.small_pool(kind, seed)
    return pool.features, min(pool.budget, 30)


@pytest.mark.parametrize(
    ("kind", "steps"), [("mixture", 300), ("half_copies", 300), *((kind, 60) for kind in synthetic.KINDS)]
)
def test_theta_has_the_same_bits_for_any_shards_blocks_threads_and_products(kind: str, steps: int) -> None:
    features, size = drawn_pool(kind, 2)
    options = ActiveFTOptions(seed=1, steps=steps)
    reference = activeft.optimise(LocalShards(features), size, options, Compute())
    for shards, threads, compute in LAYOUTS:
        rows = LocalShards(features, shards=shards, threads=threads)
        assert activeft.optimise(rows, size, options, compute).theta.tobytes() == reference.theta.tobytes()


@pytest.mark.parametrize("seed", range(4))
def test_it_walks_where_autograd_walks_on_the_loss_as_released(seed: int) -> None:
    features, size = drawn_pool("mixture", seed)
    found = activeft.optimise(LocalShards(features, shards=2), size, ActiveFTOptions(seed=seed), Compute())
    with threadpool_limits(1):
        expected = core_oracles.activeft(features, draws.draw(len(features), size, seed, "start"), steps=300)

    pool = torch.from_numpy(features.astype(np.float64))
    loss, expected_loss = (
        float(core_oracles.activeft_loss(torch.from_numpy(theta), pool)) for theta in (found.theta, expected)
    )
    assert loss == pytest.approx(expected_loss, abs=1e-4)
    ids = snap.snap(LocalShards(features), found.units, Compute())
    expected_ids = snap.snap(LocalShards(features), expected.astype(np.float32), Compute())
    assert len(np.intersect1d(ids, expected_ids)) >= 0.99 * size


def test_the_gradient_agrees_with_finite_differences_of_the_loss() -> None:
    features, size = drawn_pool("mixture", 1)
    rows = LocalShards(features)
    descent = Descent(features[:size] * np.float32(0.7))
    push = repulsion.push(rows, descent.units, TEMPERATURE, Compute())
    field = Field(units=descent.units, totals=push.totals, temperature=TEMPERATURE)
    gradient = descent.gradient(attraction.merge(rows.map(attraction.pull, field, None, Compute())), push)

    rng = np.random.default_rng(0)
    for _ in range(5):
        direction = rng.standard_normal(gradient.shape)
        change = _loss(features, descent.theta, 1e-6 * direction) - _loss(features, descent.theta, -1e-6 * direction)
        assert (gradient * direction).sum() == pytest.approx(change / 2e-6, rel=1e-5)


def _loss(features: NDArray[np.float32], theta: NDArray[np.float64], move: NDArray[np.float64]) -> float:
    """The released loss after a move; the held factor of the centre products does not move."""
    moved, held = (t / np.linalg.norm(t, axis=1, keepdims=True) for t in (theta + move, theta))
    similarity = features @ moved.T / TEMPERATURE
    winner = (features @ held.T).argmax(axis=1)
    attraction_term = similarity[np.arange(len(features)), winner]
    repulsion_term = np.exp(held @ moved.T / TEMPERATURE).sum(axis=0)[winner]
    return float((-attraction_term + np.log(np.exp(attraction_term) + repulsion_term)).mean())


def test_sampled_rows_depend_on_the_seed_alone() -> None:
    features, size = drawn_pool("half_copies", 4)
    options = ActiveFTOptions(seed=3, steps=20, rows_per_step=len(features) // 3)
    reference = activeft.optimise(LocalShards(features), size, options, Compute()).theta
    for shards, threads, compute in LAYOUTS:
        rows = LocalShards(features, shards=shards, threads=threads)
        assert activeft.optimise(rows, size, options, compute).theta.tobytes() == reference.tobytes()
    all_rows = ActiveFTOptions(seed=3, steps=20)
    assert activeft.optimise(LocalShards(features), size, all_rows, Compute()).theta.tobytes() != reference.tobytes()


def test_every_step_draws_its_rows_anew() -> None:
    features, size = drawn_pool("mixture", 3)
    total, count = len(features), len(features) // 2
    descent = Descent(features[draws.draw(total, size, 7, "start")])
    for step in range(3):
        drawn = LocalShards(features[draws.draw(total, count, 7, f"activeft/{step}")])
        push = repulsion.push(drawn, descent.units, TEMPERATURE, Compute())
        field = Field(units=descent.units, totals=push.totals, temperature=TEMPERATURE)
        descent.step(descent.gradient(attraction.merge(drawn.map(attraction.pull, field, None, Compute())), push))
    options = ActiveFTOptions(seed=7, steps=3, rows_per_step=count)
    found = activeft.optimise(LocalShards(features, shards=2), size, options, Compute())
    np.testing.assert_array_equal(found.theta, descent.theta)


@pytest.mark.parametrize(
    ("total", "size", "options", "expected"),
    [
        (10_000, 80, ActiveFTOptions(), Schedule(steps=300, rows=10_000)),
        (200_000, 80, ActiveFTOptions(), Schedule(steps=300, rows=200_000)),
        (200_001, 80, ActiveFTOptions(), Schedule(steps=100, rows=100_000)),
        (10**6, 20_000, ActiveFTOptions(), Schedule(steps=100, rows=200_000)),
        (10**6, 80, ActiveFTOptions(steps=7, rows_per_step=500), Schedule(steps=7, rows=500)),
        (300, 80, ActiveFTOptions(rows_per_step=500), Schedule(steps=300, rows=300)),
    ],
)
def test_the_schedule_follows_the_size_of_the_pool_unless_told(
    total: int, size: int, options: ActiveFTOptions, expected: Schedule
) -> None:
    assert activeft.schedule(total, size, options) == expected


@pytest.mark.parametrize("kind", synthetic.KINDS)
def test_cores_are_distinct_and_as_many_as_asked_for(kind: str) -> None:
    pool = synthetic.small_pool(kind, 5)
    steps: list[tuple[str, int, int]] = []
    cores = activeft.cores(
        LocalShards(pool.features, shards=2),
        pool.budget,
        ActiveFTOptions(steps=10),
        Compute(),
        lambda step, done, total: steps.append((step, done, total)),
    )
    assert len(np.unique(cores)) == pool.budget
    assert steps == [("core", done, 10) for done in range(1, 11)]


def test_rows_without_direction_end_in_no_error() -> None:
    cores = activeft.cores(LocalShards(np.zeros((20, 8), np.float32)), 5, ActiveFTOptions(steps=5), Compute())
    np.testing.assert_array_equal(cores, np.arange(5))
