"""The driver as KubeRay starts it: a process on a head without CPUs, told by its environment, its workers in two nodes.

Each start costs seconds, so one output sees several drivers: killed, told to stop, resumed, and the stages after.
"""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from helpers import jobs
from helpers.cluster_driver import DriverProcess, on_cluster, started_driver, variables
from helpers.faults import is_running, wait_until
from helpers.image_jobs import without_labels
from helpers.jobs import FinishedJob, Manifest
from helpers.processes import cpu_seconds
from helpers.ray_cluster import NO_TOKEN, RayCluster, running_ray_cluster

from afray.contract.names import Stage
from afray.pool.labels import read_labels

pytestmark = [pytest.mark.ray, pytest.mark.nightly]

PLAIN = {"name": "cpu", "replicas": 1, "resources": {"cpu": "1", "memory": "4Gi"}}
WITH_GPU = {"name": "gpu", "replicas": 1, "resources": {"cpu": "1", "memory": "4Gi", "nvidia.com/gpu": "1"}}
STEADY_SECONDS = 3
"""After which a worker is in the midst of its part."""
SHARDS = 5
"""246 rows in shards of 50."""


@pytest.fixture(scope="module")
def cluster() -> Iterator[RayCluster]:
    """A head and two nodes of different groups. The GPU is one by name only."""
    with running_ray_cluster() as running:
        running.join("one", "cpu")
        running.join("two", "gpu", gpus=1)
        yield running


def both_groups(made: Manifest, **changes: object) -> Manifest:
    return on_cluster(made, **{"spec.cluster.workers": [PLAIN, WITH_GPU], "spec.embedding.device": "cpu", **changes})


def parts(output: Path) -> dict[str, int]:
    return jobs.commit_epochs(output, "embeddings") if output.exists() else {}


@pytest.mark.timeout(1500)  # on however busy a machine
def test_a_job_goes_through_its_stages_whatever_happens_to_its_drivers(
    cluster: RayCluster, image_job: FinishedJob, tmp_path: Path
) -> None:
    output = tmp_path / "out"
    made = both_groups(
        image_job.elsewhere(output), **{"spec.finetune": {"epochs": 4, "workers": {"group": "cpu", "replicas": 1}}}
    )
    told = variables(made, Stage.select, progress="x")

    with started_driver(told, cluster.address, tmp_path / "first") as driver:
        wait_for(driver, lambda: len(parts(output)) >= 1)
        driver.process.kill()
    embedded = parts(output)

    with started_driver(told, cluster.address, tmp_path / "second") as driver:
        wait_for(driver, lambda: len(parts(output)) > len(embedded))
        working = {name: cluster.workers(name) for name in ("head", "one", "two")}
        assert [len(pids) for pids in working.values()] == [0, 1, 1], "a worker in each pod, and none on the head"
        require_quick_end(driver)
        assert all(said.failure is None for said in driver.progress.read())
    stored = (output / "logs" / "driver-2.log").read_text()
    assert "ended: Terminated" in stored
    assert json.loads((output / "owner" / "2.beat").read_text())["released"]
    embedded = parts(output)

    with started_driver(told, cluster.address, tmp_path / "third") as driver:
        assert driver.wait() == 0, driver.said()
    last = driver.progress.last
    assert last.result is not None
    assert last.result.digest == image_job.digest
    assert (last.result.uri, last.result.selected, last.result.pool_size) == (f"file://{output}", 20, 240)
    assert (last.epoch, last.stage, last.device) == (3, "finished", "cpu")
    assert "workers" in {said.stage for said in driver.progress.read()}
    assert jobs.vectors_of(output).items() <= jobs.vectors_of(image_job.output).items()
    assert {name: parts(output)[name] for name in embedded} == embedded, "a finished part was embedded again"
    assert len(parts(output)) == SHARDS
    report = json.loads((output / "report.json").read_text())
    assert (report["selectionDigest"], report["evaluation"]["finetune"]) == (image_job.digest, None)
    assert (output / "report.html").exists()

    check_labels(cluster, made, image_job, tmp_path)
    finetune(cluster, made, image_job, tmp_path)


def check_labels(cluster: RayCluster, made: Manifest, job: FinishedJob, folder: Path) -> None:
    """A file that is refused is a result like one that is accepted; neither needs a worker."""
    block = jobs.parse(job.manifest).spec.pool.labels
    assert block is not None
    known = read_labels(block)
    chosen = [row["id"] for row in csv_rows(folder / "out" / "selection.csv")]
    for count, is_accepted in ((12, False), (20, True)):
        answers = jobs.write_labels(folder / f"{count}.csv", {row_id: known[row_id] for row_id in chosen[:count]})
        labelled = jobs.changed(made, {"spec.labels": {"uri": str(answers), "format": "csv"}})
        told = variables(labelled, Stage.labels, progress="x")
        with started_driver(told, "127.0.0.1:9", folder / "labels") as driver:
            assert driver.wait() == 0, driver.said()
        found = driver.progress.last.labels
        assert found is not None
        assert (found.accepted, found.answered, found.asked, found.unknown) == (is_accepted, count, 20, 0)
        assert bool(found.message) is not is_accepted


def finetune(cluster: RayCluster, made: Manifest, job: FinishedJob, folder: Path) -> None:
    """with the labels of the pool; the driver is killed once an epoch is over, and the next one goes on from there."""
    output, told = folder / "out", variables(made, Stage.finetune, progress="x")

    def epochs() -> int:
        files = [*(output / "finetune").glob("*/progress.json")]
        return max((json.loads(file.read_text())["done"] for file in files), default=0)

    with started_driver(told, cluster.address, folder / "finetune-1") as driver:
        wait_for(driver, lambda: epochs() >= 1)
        driver.process.kill()
    with started_driver(told, cluster.address, folder / "finetune-2") as driver:
        assert driver.wait() == 0, driver.said()
    found = driver.progress.last.finetune
    assert found is not None
    assert not found.biased
    report = json.loads((output / "report.json").read_text())
    assert report["selectionDigest"] == job.digest
    assert report["evaluation"]["finetune"]["accuracy"] == found.accuracy
    assert job.report.evaluation.probe is not None
    assert report["evaluation"]["probe"]["selected"] == job.report.evaluation.probe.selected


@pytest.mark.timeout(1500)
def test_a_worker_that_stands_still_loses_its_lease_and_its_life(
    cluster: RayCluster, image_job: FinishedJob, tmp_path: Path
) -> None:
    # All rows in one part, and large ones: it takes seconds, and the other worker has nothing to do.
    large = {"spec.embedding.shardSize": 1000, "spec.embedding.imageSize": 480}
    made = both_groups(without_labels(image_job, tmp_path / "out"), **large)
    told = variables(made, Stage.select, lease_seconds=10, progress="x")
    with started_driver(told, cluster.address, tmp_path / "driver") as driver:
        wait_for(driver, lambda: any(said.stage == "embed pool" for said in driver.progress.read()))
        time.sleep(STEADY_SECONDS)
        wedged = busiest([*cluster.workers("one"), *cluster.workers("two")])
        os.kill(wedged, signal.SIGSTOP)
        wait_for(driver, lambda: "worker lost (no progress for 10 s)" in driver.said())
        wait_until(lambda: not is_running(wedged), "the end of the worker that stood still")
        assert driver.wait() == 0, driver.said()
    assert driver.progress.last.result is not None
    assert driver.said().count("worker lost") == 1


def test_a_gpu_that_was_asked_for_and_is_not_seen_is_a_permanent_error(
    cluster: RayCluster, image_job: FinishedJob, tmp_path: Path
) -> None:
    made = both_groups(without_labels(image_job, tmp_path / "out"), **{"spec.embedding.device": "auto"})
    told = variables(made, Stage.select, progress="x")
    with started_driver(told, cluster.address, tmp_path / "driver") as driver:
        assert driver.wait() == 67, driver.said()
    failure = driver.progress.last.failure
    assert failure is not None
    assert failure.reason == "EnvironmentFault"
    assert "set device: cpu" in failure.message
    assert failure.log_uri == f"file://{tmp_path}/out/logs/driver-1.log"


CREW = """
import sys, time
import ray
from afray.runtime.crew import Crew, Task
from afray.runtime.session import cluster_session
from afray.runtime.slots import GROUP_LABEL, Slot

def where(_context):
    time.sleep(0.5)
    return ray.get_runtime_context().get_node_labels()[GROUP_LABEL]

ray.cloudpickle.register_pickle_by_value(sys.modules["__main__"])
with cluster_session(), Crew([Slot(group="cpu"), Slot(group="gpu", gpus=1)]) as crew:
    for needs_gpu in (True, False):
        print(*sorted(set(crew.run([Task(name="", function=where, needs_gpu=needs_gpu) for _ in range(4)]))))
"""


def test_what_needs_a_gpu_is_given_to_those_who_have_one_and_all_else_to_everybody(cluster: RayCluster) -> None:
    environment = {**os.environ, **NO_TOKEN, "RAY_ADDRESS": cluster.address}
    ended = subprocess.run([sys.executable, "-c", CREW], env=environment, capture_output=True, text=True, timeout=240)
    assert ended.stdout.splitlines() == ["gpu", "cpu gpu"], ended.stderr


@pytest.mark.nightly
def test_a_node_that_is_lost_costs_what_it_had_in_hand(
    cluster: RayCluster, vector_job: FinishedJob, tmp_path: Path
) -> None:
    output = tmp_path / "out"
    made = both_groups(vector_job.elsewhere(output))
    told = variables(made, Stage.select, progress="x")
    with started_driver(told, cluster.address, tmp_path / "driver") as driver:
        wait_for(driver, lambda: parts(output))
        cluster.lose("two")
        assert driver.wait() == 0, driver.said()
    assert driver.progress.last.result is not None
    assert driver.progress.last.result.digest == vector_job.digest


def wait_for(driver: DriverProcess, happened: Callable[[], object]) -> None:
    """Wait until something has happened while the driver works."""
    wait_until(lambda: driver.process.poll() is not None or happened(), "what the driver should do")
    assert driver.process.poll() is None, driver.said()


def busiest(pids: list[int]) -> int:
    """The process that works most just now."""
    before = {pid: cpu_seconds(pid) for pid in pids}
    time.sleep(0.5)
    return max(pids, key=lambda pid: cpu_seconds(pid) - before[pid])


def require_quick_end(driver: DriverProcess) -> None:
    began = time.monotonic()
    driver.process.send_signal(signal.SIGTERM)
    assert driver.wait() == 143, driver.said()
    assert time.monotonic() - began < 10
    assert "told to stop (SIGTERM)" in driver.said()


def csv_rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))
