"""What candidates may cover, beside the distances of all pairs."""

from __future__ import annotations

import numpy as np
import pytest
from helpers import core_oracles, round_oracle, synthetic
from numpy.typing import NDArray

from afray.algorithms import coverage, neighbourhoods, reaches
from afray.algorithms.coverage import ListTask, Scale
from afray.algorithms.gemm import Compute
from afray.algorithms.neighbourhoods import Neighbourhoods
from afray.algorithms.reaches import Reaches
from afray.algorithms.shards import LocalShards

F32 = NDArray[np.float32]
I64 = NDArray[np.int64]

SCALE = Scale(width=0.4 * 2.0**36, shift=0)
NEIGHBOURS = 2


def survey(features: F32, labelled: I64) -> tuple[LocalShards, list[Neighbourhoods]]:
    rows = LocalShards(features, shards=3)
    return rows, rows.hold(
        neighbourhoods.survey_step, labelled, features[labelled], NEIGHBOURS, None, Compute(block=50)
    )


def listed(rows: LocalShards, held: list[Neighbourhoods], room: int) -> Reaches:
    task = ListTask(numbers=np.arange(held[0].labelled), room=room)
    return coverage.list_step(rows, task, held, SCALE, Compute(block=50))


@pytest.mark.parametrize("kind", synthetic.KINDS)
@pytest.mark.parametrize("seed", range(4))
def test_every_pair_that_gains_is_listed_with_a_close_bound_of_its_kernel(kind: str, seed: int) -> None:
    pool = synthetic.small_pool(kind, seed)
    features, labelled = pool.features, pool.core_rows
    rows, held = survey(features, labelled)
    everyone = np.setdiff1d(np.arange(len(features)), labelled)
    to_labelled = core_oracles.ticks(features, features[labelled])
    near = [np.lexsort((range(len(labelled)), distances))[:NEIGHBOURS] for distances in to_labelled]
    covered = round_oracle.kernel(to_labelled.min(axis=1), SCALE.width)
    exact = round_oracle.kernel(core_oracles.ticks(features, features), SCALE.width)
    found = reaches.gather([listed(rows, held, 10**9)], everyone, np.zeros(len(features), np.int64))
    for row, reach in zip(everyone, found, strict=True):
        bounds = dict(zip(reach.rows.tolist(), reach.kernels.tolist(), strict=True))
        local = [other for other in range(len(features)) if near[other][0] in near[row]]
        gaining = {other for other in local if exact[row, other] > covered[other]}
        assert gaining <= bounds.keys() <= set(local)
        assert all(0 <= bound - exact[row, other] < 1000 for other, bound in bounds.items())


def test_lists_without_room_leave_the_sum_of_their_bounds() -> None:
    pool = synthetic.small_pool("mixture", 1)
    rows, held = survey(pool.features, pool.core_rows)
    ticks, weights = neighbourhoods.join(held)
    covered = round_oracle.kernel(ticks, SCALE.width)
    sums = []
    for room in (10**9, 1200, 0):
        some = listed(rows, held, room)
        assert some.list_bytes == sum(array.nbytes for array in (some.entries, some.candidates, some.lengths)) <= room
        gains = np.zeros(len(ticks), np.int64)
        some.add_bounds(covered, weights, gains)
        sums.append(gains.tolist())
    assert sums[0] == sums[1] == sums[2]
    assert max(sums[0]) > 0


@pytest.mark.parametrize("kernel", [1, 2, 16, 17, 2**20 - 1, 2**20])
def test_an_entry_keeps_the_place_and_rounds_the_kernel_up(kernel: int) -> None:
    entry = reaches.to_entry(65_535, kernel)
    assert entry < 2**32
    assert reaches.place_of(entry) == 65_535
    assert kernel <= reaches.bound_of(entry) < kernel + 16
