from __future__ import annotations

import numpy as np
import pytest
from helpers import round_oracle, synthetic

from afray.algorithms import herding, margins, uherding
from afray.algorithms.gemm import Compute
from afray.algorithms.kernel import WHOLE
from afray.algorithms.margins import LinearModel
from afray.algorithms.shards import LocalShards
from afray.algorithms.uherding import HerdingOptions
from afray.errors import SpecError

LAYOUTS = [
    (1, 1, Compute()),
    (2, 2, Compute(gemm="torch", block=100)),
    (7, 1, Compute(block=13)),
]


def make_model(dim: int, classes: int, seed: int) -> LinearModel:
    rng = np.random.default_rng(seed)
    return LinearModel(weights=rng.normal(0.0, 2.0, (classes, dim)), offsets=rng.normal(0.0, 0.3, classes))


@pytest.mark.parametrize("kind", synthetic.KINDS)
@pytest.mark.parametrize("seed", range(40))
def test_picks_equal_the_rule_in_plain_tables(kind: str, seed: int) -> None:
    pool = synthetic.small_pool(kind, seed)
    features, labelled = pool.features, pool.core_rows
    model = make_model(features.shape[1], 2 + seed % 4, seed)
    options = HerdingOptions(kernel_scale=(0.7, 0.3, 1.5)[seed % 3], neighbours=(16, 2, 1)[seed % 3])
    size = min(pool.budget, 40, len(features) - len(labelled))
    uncertainty = margins.uncertainties(features, model, Compute())
    expected = round_oracle.uherding(features, labelled, uncertainty, size, options.kernel_scale, options.neighbours)
    for shards, threads, compute in LAYOUTS:
        rows = LocalShards(features, shards=shards, threads=threads)
        assert uherding.select(rows, labelled, model, size, options, compute).tolist() == expected


def test_rows_that_run_out_of_the_first_list_are_listed_in_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    features = synthetic.make(700, 12, dim=16)
    labelled = np.arange(0, 700, 90)
    model = make_model(16, 3, 0)
    at_once = uherding.select(LocalShards(features), labelled, model, 300)
    monkeypatch.setattr(herding, "LEADERS", 1)
    monkeypatch.setattr(herding, "LEADERS_PER_PICK", 0)
    in_turn = uherding.select(LocalShards(features), labelled, model, 300)
    assert in_turn.tolist() == at_once.tolist()


@pytest.mark.parametrize("memory", [0, 2000, 20_000])
def test_lists_that_find_no_room_are_made_when_they_are_needed(memory: int) -> None:
    features = synthetic.make(700, 12, dim=16)
    labelled, model = np.arange(0, 700, 90), make_model(16, 3, 0)
    roomy = uherding.select(LocalShards(features), labelled, model, 60)
    tight = uherding.select(LocalShards(features, shards=2), labelled, model, 60, compute=Compute(memory=memory))
    assert tight.tolist() == roomy.tolist()


def test_rows_that_gain_nothing_are_picked_from_the_lowest_on() -> None:
    features = np.full((50, 8), 0.25, np.float32)
    assert uherding.select(LocalShards(features, shards=3), np.array([2, 4]), None, 4).tolist() == [0, 1, 3, 5]


def test_every_row_without_a_label_can_be_picked() -> None:
    pool = synthetic.small_pool("half_copies", 3)
    left = np.setdiff1d(np.arange(len(pool.features)), pool.core_rows)
    picks = uherding.select(LocalShards(pool.features), pool.core_rows, None, len(left))
    assert sorted(picks.tolist()) == left.tolist()


def test_without_a_model_all_rows_weigh_the_same() -> None:
    pool = synthetic.small_pool("mixture", 4)
    even = np.full(len(pool.features), margins.UNCERTAIN)
    expected = round_oracle.uherding(pool.features, pool.core_rows, even, 20)
    assert uherding.select(LocalShards(pool.features), pool.core_rows, None, 20).tolist() == expected


def test_a_model_that_is_sure_of_every_row_left_is_told() -> None:
    model = LinearModel(weights=np.zeros((2, 8)), offsets=np.array([100.0, -100.0]))
    features = np.eye(8, dtype=np.float32)
    with pytest.raises(SpecError, match=r"leave no row uncertain.*method: kmeans"):
        uherding.select(LocalShards(features, shards=2), np.array([0, 5]), model, 2)


@pytest.mark.parametrize(("rows", "bits"), [(1000, 0), (8191, 0), (8192, 1), (2**20, 8)])
def test_uncertainties_lose_as_many_bits_as_sums_need(rows: int, bits: int) -> None:
    assert uherding.spare_bits(rows * margins.UNCERTAIN) == bits
    assert (rows * margins.UNCERTAIN >> bits) * WHOLE < 2**63


def test_with_fewer_bits_a_gain_is_still_one_value(monkeypatch: pytest.MonkeyPatch) -> None:
    pool = synthetic.small_pool("half_copies", 5)
    model = make_model(pool.features.shape[1], 3, 5)
    monkeypatch.setattr(uherding, "spare_bits", lambda _: 25)
    weights = margins.uncertainties(pool.features, model, Compute()) >> 25
    expected = round_oracle.uherding(pool.features, pool.core_rows, weights, 20)
    for shards, threads, compute in LAYOUTS:
        rows = LocalShards(pool.features, shards=shards, threads=threads)
        assert uherding.select(rows, pool.core_rows, model, 20, compute=compute).tolist() == expected
