"""A worker is killed in each step of one selection. (Training workers: test_training.)"""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest
from helpers import jobs
from helpers.faults import descendants, end
from helpers.jobs import FinishedJob, RecordingDisplay
from helpers.lost_workers import run_losing_workers

pytestmark = pytest.mark.ray

MOMENTS = {
    "embedding": ("embed pool", "", 100),
    "statistics": ("select", "", 0),
    "core": ("select", "core", 5),
    "assignment": ("select", "assign", 0),
    "clusters": ("select", "assign", 1),
}
"""The report after which the next task is one of this step: stage, step, how far it has come."""


def test_workers_killed_with_a_task_of_each_step_in_hand_change_nothing(
    vector_job: FinishedJob, tmp_path: Path
) -> None:
    display = RecordingDisplay()
    report = run_losing_workers(vector_job.elsewhere(tmp_path), MOMENTS, display)
    assert sum("worker lost" in note for note in display.notes) == len(MOMENTS)
    assert report.selection_digest == vector_job.digest


def test_a_run_whose_workers_all_die_at_once_gives_up_with_advice(vector_job: FinishedJob, tmp_path: Path) -> None:
    over = threading.Event()

    def kill_them_all() -> None:
        while not over.wait(0.05):
            for pid, title in descendants(os.getpid()).items():
                if title.startswith("ray::Worker"):
                    end(pid)

    murderer = threading.Thread(target=kill_them_all)
    murderer.start()
    try:
        said = jobs.refused(vector_job.elsewhere(tmp_path / "out"), 74, workers=2)
    finally:
        over.set()
        murderer.join()
    assert "workers in a row" in said
    assert "Give workers more memory, or find what kills them in the worker's log." in said
    assert jobs.run(vector_job.elsewhere(tmp_path / "out")).selection_digest == vector_job.digest
