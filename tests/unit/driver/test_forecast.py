"""Hours, bytes and money follow from what was measured on a few rows."""

from __future__ import annotations

from dataclasses import replace

import pytest

from afray.algorithms.effort import Effort, Size
from afray.driver.forecast import CLOSING_SECONDS, CLOSING_SECONDS_PER_ROW, Job, Measured, Place, forecast, makespan

SIZE = Size(rows=1_000_000, cores=5000, budget=10_000)
JOB = Job(size=SIZE, dim=384, shard_size=10_000, lists=4, work=Effort(pulled=1e9, assigned=1e9, moved=1e6))
MEASURED = Measured(
    start=5.0,
    loading=2.0,
    index_per_row=1e-6,
    embed_per_row=1e-3,
    prepare_per_row=1e-6,
    pace=Effort(pulled=2e-7, assigned=1e-7, moved=1e-6),
    worker_bytes=2**29,
    driver_bytes=2**28,
)
HERE = Place(name="this machine", workers=2, machines=1, pods={"local": 1}, prices={"local": 3.0})


def test_workers_share_what_is_theirs_and_wait_for_the_driver() -> None:
    found = forecast(JOB, MEASURED, HERE)
    assert found.stages == pytest.approx(
        {
            "start": 5.0,
            "index": 1.0,
            "embed": 2.0 + 500_000 * 1e-3,
            "select": 0.5 + 1.0 + (200.0 + 100.0) / 2,
            "report": CLOSING_SECONDS + 1e6 * CLOSING_SECONDS_PER_ROW,
        }
    )
    assert found.hours == pytest.approx(sum(found.stages.values()) / 3600)


def test_money_is_paid_for_every_pod_as_long_as_the_job_takes() -> None:
    assert forecast(JOB, MEASURED, HERE).money == pytest.approx(3.0 * forecast(JOB, MEASURED, HERE).hours)
    pods = Place(name="", workers=64, machines=8, pods={"head": 1, "gpu": 8}, prices={"head": 0.5, "gpu": 2.0})
    found = forecast(JOB, MEASURED, pods)
    assert found.money == pytest.approx((0.5 + 8 * 2.0) * found.hours)
    assert forecast(JOB, MEASURED, replace(pods, prices={})).money is None


def test_no_number_of_workers_is_faster_than_the_largest_cluster() -> None:
    clusters = replace(JOB, work=Effort(clustered=1e9))
    slow = replace(MEASURED, pace=Effort(clustered=1e-6))
    few, many = (forecast(clusters, slow, replace(HERE, workers=count)).stages["select"] for count in (2, 100_000))
    largest = 1100 * (1100 + 512) * 1e-6
    assert few == pytest.approx(500.5, abs=0.1)
    assert many == pytest.approx(largest, abs=0.1)


def test_processes_of_one_machine_share_the_vectors_and_pods_do_not() -> None:
    vectors, candidates = 4 * 384 * SIZE.rows, SIZE.rows * (12 + 8 * 4)
    found = forecast(JOB, MEASURED, HERE)
    assert found.disk == found.output == vectors
    assert found.memory > vectors + candidates + 2 * 2**29 + found.driver_memory
    pods = Place(name="", workers=4, machines=2, pods={"head": 1, "gpu": 2})
    table = 8 * 1100**2
    assert forecast(JOB, MEASURED, pods).memory == vectors + candidates + 2 * (2**29 + table)


@pytest.mark.parametrize(
    ("rows", "shard", "workers", "busiest"),
    [(100, 10, 1, 100), (100, 10, 2, 50), (25, 10, 2, 15), (5, 10, 4, 5), (30, 10, 2, 20)],
)
def test_a_shard_is_embedded_by_one_worker(rows: int, shard: int, workers: int, busiest: int) -> None:
    assert makespan(rows, shard, workers) == busiest
