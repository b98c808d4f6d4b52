"""The driver is killed stage by stage: one story, for each start costs seconds. (Training workers: test_training.)"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from helpers import jobs
from helpers.faults import descendants, end, is_running, started, this_session, wait_until
from helpers.jobs import FinishedJob

from afray.reporting.report import Finetune

pytestmark = pytest.mark.ray
PARTS_OF_POOL = 5
"""246 rows in shards of 50."""
WORKERS = ("ray::Worker", "ray::RayTrainWorker", "ray::TrainController")
"""Titles of processes that work for one driver alone."""
AGENTS = ("ray::DashboardAgent", "ray::RuntimeEnvAgent")
"""Those of Ray's own that take a minute to notice that their node is gone; we do not wait for it."""


class Story:
    """One output, and the drivers that die on it one after the other."""

    def __init__(self, job: FinishedJob, folder: Path) -> None:
        self.output = folder / "out"
        self.made = job.elsewhere(self.output)
        self._manifest = jobs.write_manifest(folder / "job.yaml", self.made)

    def kill_driver(
        self, happened: Callable[[], object], environment: Mapping[str, str] | None = None, *, workers: int = 1
    ) -> None:
        """Start a driver, kill nothing but it once this has happened, and see everything end that it started."""
        with started("run", self._manifest, "--workers", workers, environment=environment) as driver:
            wait_until(lambda: driver.poll() is not None or happened(), "the moment to kill the driver")
            working = [pid for pid, title in descendants(os.getpid()).items() if title.startswith(WORKERS)]
            own = descendants(driver.pid)
            driver.kill()
            _, errors = driver.communicate()
            assert driver.returncode == -signal.SIGKILL, f"the driver was too quick, or failed: {errors}"
            assert working
            agents = [pid for pid, title in own.items() if title.startswith(AGENTS)]
            left_behind = {*working, *own}.difference(agents)
            wait_until(lambda: not any(map(is_running, left_behind)), "the end of what the driver started")
            for pid in agents:
                end(pid)

    def commits(self, folder: str) -> dict[str, int]:
        return jobs.commit_epochs(self.output, folder)

    def has_ended(self, stage: str, epoch: int) -> bool:
        """Whether the driver of this epoch is past a stage."""
        log = self.output / "logs" / f"driver-{epoch}.log"
        return log.exists() and f"stage={stage} " in log.read_text()

    def last_training(self) -> int:
        """When an epoch of the finetune ended, 0 if none has."""
        files = [*(self.output / "finetune").glob("*/progress.json")]
        return max((file.stat().st_mtime_ns for file in files), default=0)


def test_a_driver_killed_in_each_stage_is_resumed_without_repeating_what_was_finished(
    image_job: FinishedJob, tmp_path: Path
) -> None:
    story = Story(image_job, tmp_path)
    story.kill_driver(lambda: len(story.commits("embeddings")) >= 2)
    embedded_first = story.commits("embeddings")
    assert 2 <= len(embedded_first) < PARTS_OF_POOL

    story.kill_driver(lambda: story.has_ended("embed pool", 2), this_session())
    assert len(story.commits("embeddings")) == PARTS_OF_POOL
    assert not story.commits("selection")

    story.kill_driver(story.last_training, this_session(), workers=2)
    assert not story.commits("finetune")

    report = jobs.run(story.made, workers=2)

    epochs = story.commits("embeddings")
    assert {name: epochs[name] for name in embedded_first} == dict.fromkeys(embedded_first, 1)
    assert sorted(epochs.values()) == [1] * len(embedded_first) + [2] * (PARTS_OF_POOL - len(embedded_first)) + [3, 3]
    assert story.commits("selection") == {"selection/files": 3, "selection/rows": 3}
    assert [*story.commits("finetune").values()] == [4]
    assert report.selection_digest == image_job.digest
    assert jobs.vectors_of(story.output) == jobs.vectors_of(image_job.output)
    assert report.evaluation.probe == image_job.report.evaluation.probe
    assert without_seconds(report.evaluation.finetune) == without_seconds(image_job.report.evaluation.finetune)


def without_seconds(finetune: Finetune | None) -> dict[str, object]:
    assert finetune is not None
    return finetune.model_dump(exclude={"seconds"})
