"""What is stalled and what is not: a worker wedged on one row is replaced by its driver, a slow one left in peace."""

from __future__ import annotations

import time

import pytest
from testbed.grounds import Ground
from testbed.s3_faults import Fault
from testbed.small_jobs import IMAGES, SHARDS

pytestmark = [pytest.mark.cluster, pytest.mark.nightly, pytest.mark.timeout(1500)]


def test_a_worker_wedged_on_one_row_loses_its_lease_and_not_the_attempt(ground: Ground) -> None:
    wedge = Fault(pattern=f"/{ground.namespace}/pool/0160", times=1)
    ground.storage.inject(wedge)
    manifest = ground.job()
    manifest["spec"]["policy"] = {"stallTimeoutSeconds": 180}
    job = ground.start(manifest)
    complete = job.await_complete()
    assert ground.storage.met(wedge.pattern).waiting == 1, "nobody was wedged"
    assert (complete["attempt"]["number"], complete["attempt"].get("failures", 0)) == (1, 0)
    assert driver_log(ground).count("worker lost (no progress for 60 s)") == 1
    assert len(ground.shard_epochs()) == SHARDS


def test_a_slow_shard_that_advances_row_by_row_is_not_stalled(ground: Ground) -> None:
    stall_seconds, slow = 75, Fault(pattern=f"/{ground.namespace}/pool/00", seconds=3)
    ground.storage.inject(slow)
    manifest = ground.job()
    manifest["spec"]["embedding"] |= {"shardSize": IMAGES, "batchSize": 8}
    manifest["spec"]["policy"] = {"stallTimeoutSeconds": stall_seconds}
    job = ground.start(manifest)
    job.wait_until("the slow rows", lambda: ground.storage.met(slow.pattern).requests)
    began = time.monotonic()
    job.wait_until("the only shard", ground.shard_epochs)
    assert time.monotonic() - began > stall_seconds, "it was not slow enough to tell"
    complete = job.await_complete()
    assert (complete["attempt"]["number"], complete["attempt"].get("failures", 0)) == (1, 0)
    assert "worker lost" not in driver_log(ground)


def driver_log(ground: Ground) -> str:
    return ground.storage.read(f"s3://{ground.namespace}/small/logs/driver-1.log").decode()
