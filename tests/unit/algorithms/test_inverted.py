"""A search in a few groups finds what a transcription of its rule finds, in any way of computing; and its error."""

from __future__ import annotations

import numpy as np
import pytest
from helpers import selections, synthetic
from helpers.selections import PLAIN, WAYS
from helpers.synthetic import F32, I64, SmallPool

from afray.algorithms import inverted, pairs
from afray.algorithms.assignment import LABEL_LIST
from afray.algorithms.candidates import Scorer
from afray.algorithms.clusters import BilafOptions
from afray.algorithms.gemm import Compute
from afray.algorithms.inverted import Groups
from afray.algorithms.shards import LocalShards

POOLS = [synthetic.small_pool(kind, seed) for kind in synthetic.KINDS for seed in range(4)]
IDS = [f"{kind} {seed}" for kind in synthetic.KINDS for seed in range(4)]
EVERYTHING = 10**6


def ticks(a: F32, b: F32) -> I64:
    """Canonical distances of all to all."""
    both = np.concatenate([a, b])
    return np.array([pairs.measure_row(both, i)[len(a) :] for i in range(len(a))])


def transcribe(rows: F32, centres: F32, groups: Groups, probes: int) -> list[list[int]]:
    """Per row the cores of its nearest groups, nearest first, ties to the lower number."""
    to_groups, to_cores = ticks(rows, groups.centres), ticks(rows, centres)
    found = []
    for i in range(len(rows)):
        nearest = sorted(range(len(groups.centres)), key=lambda g: (to_groups[i, g], g))[:probes]
        world = [int(m) for g in nearest for m in groups.members[groups.bounds[g] : groups.bounds[g + 1]]]
        found.append(sorted(world, key=lambda core: (to_cores[i, core], core)))
    return found


def many_cores(pool: SmallPool) -> F32:
    """A third of the rows, so that there are groups to leave out."""
    return np.ascontiguousarray(pool.features[::3])


@pytest.mark.parametrize("pool", POOLS, ids=IDS)
@pytest.mark.parametrize("probes", [1, 3])
def test_a_row_knows_the_nearest_cores_of_its_nearest_groups(pool: SmallPool, probes: int) -> None:
    centres = many_cores(pool)
    groups = inverted.group(centres, Compute())
    expected = transcribe(pool.features, centres, groups, probes)
    for compute in (Compute(), Compute(gemm="torch", block=97)):
        labels, found = inverted.search(pool.features, centres, groups, probes, compute)
        assert labels.tolist() == [world[0] for world in expected]
        for listed, world in zip(found.centres.tolist(), expected, strict=True):
            wanted = world[: inverted.LISTED]
            assert sorted(listed) == sorted(wanted + [-1] * (len(listed) - len(wanted)))


@pytest.mark.parametrize("pool", POOLS, ids=IDS)
def test_every_core_is_in_one_group(pool: SmallPool) -> None:
    centres = many_cores(pool)
    groups = inverted.group(centres, Compute())
    assert sorted(groups.members.tolist()) == list(range(len(centres)))
    assert (np.diff(groups.bounds) > 0).all()
    assert groups.bounds[-1] == len(centres)


@pytest.mark.parametrize("pool", POOLS, ids=IDS)
def test_looking_into_all_groups_is_exact(pool: SmallPool) -> None:
    centres = many_cores(pool)
    groups = inverted.group(centres, Compute())
    labels, _ = inverted.search(pool.features, centres, groups, EVERYTHING, Compute())
    exact, _ = Scorer(centres, Compute()).nearest(pool.features, LABEL_LIST)
    assert labels.tolist() == exact.tolist()
    rows = np.arange(0, len(pool.features), 3)
    assert inverted.recall(LocalShards(pool.features), rows, groups, EVERYTHING, Compute()) == 1.0


def test_recall_is_the_share_of_rows_that_found_their_nearest_core() -> None:
    features = np.random.default_rng(0).standard_normal((900, 24)).astype(np.float32)
    features /= np.linalg.norm(features, axis=1, keepdims=True)
    rows = np.arange(0, 900, 9)
    centres = features[rows]
    groups = inverted.group(centres, Compute())
    worlds, nearest = transcribe(features, centres, groups, 2), ticks(features, centres).argmin(axis=1)
    share = float(np.mean([world[0] == best for world, best in zip(worlds, nearest, strict=True)]))
    assert inverted.recall(LocalShards(features), rows, groups, 2, Compute()) == share
    assert 0.2 < share < 0.9


@pytest.mark.parametrize("pool", POOLS, ids=IDS)
def test_an_approximate_selection_is_the_same_however_it_is_computed(pool: SmallPool) -> None:
    options = BilafOptions(probes=1, intra="rms")
    cores = np.arange(0, len(pool.features), 4)
    budget = len(cores) + len(pool.features) // 6
    chosen = {
        name: selections.select(pool.features, cores, budget, options, way).rows.tolist() for name, way in WAYS.items()
    }
    assert len({tuple(rows) for rows in chosen.values()}) == 1
    assert len(set(next(iter(chosen.values())))) == budget


def test_an_approximate_selection_says_its_error_and_an_exact_one_has_none() -> None:
    features = synthetic.make(3000, 60, dim=32)
    cores = np.arange(0, 3000, 50)
    exact = selections.select(features, cores, 300, way=PLAIN)
    assert np.isnan([exact.recall, exact.changed_picks]).all()
    near = selections.select(features, cores, 300, BilafOptions(probes=1))
    assert 0.0 < near.recall < 1.0
    assert np.isnan(near.changed_picks)
    wide = selections.select(features, cores, 300, BilafOptions(probes=EVERYTHING))
    assert wide.recall == 1.0
    assert wide.cluster_sizes.tolist() == exact.cluster_sizes.tolist()


def test_changed_picks_are_counted_against_exact_ones() -> None:
    features = synthetic.make(3000, 60, dim=32)
    cores = np.arange(0, 3000, 50)
    exact, rough = (selections.select(features, cores, 600, BilafOptions(intra=kind)) for kind in ("mean", "rms"))
    picks = rough.rows[~rough.is_core]
    assert rough.changed_picks == pytest.approx(float(np.isin(picks, exact.rows, invert=True).mean()))
    assert 0.0 < rough.changed_picks < 0.5
