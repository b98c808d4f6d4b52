"""Counting for Ray's exporter, where there is no Ray session. (Where there is one: tests/ray/test_metrics.py.)"""

from __future__ import annotations

import pickle
import subprocess
import sys

import numpy as np
from helpers.meters import RecordingMeter

from afray.algorithms.clusters import Outcome
from afray.contract import metrics
from afray.contract.metrics import JobLabels
from afray.runtime.counting import count_clusters
from afray.runtime.meters import RayMeter

ALONE = """
import sys
from afray.contract.metrics import EMBEDDED_ROWS, JobLabels
from afray.runtime.meters import RayMeter
RayMeter(JobLabels(name="welds")).count(EMBEDDED_ROWS, 3, stage="embed pool")
assert "ray" not in sys.modules
"""


def test_without_ray_nothing_is_counted_and_nothing_is_loaded() -> None:
    ended = subprocess.run([sys.executable, "-c", ALONE], capture_output=True, text=True, timeout=120)
    assert ended.returncode == 0, ended.stderr


def test_a_meter_travels_to_workers_without_what_it_made_here() -> None:
    meter = RayMeter(JobLabels(namespace="welding", name="welds", queue="team-a"))
    meter._instruments["made here"] = lambda: None  # instruments belong to one process
    there = pickle.loads(pickle.dumps(meter))
    assert (there._job, there._instruments) == (meter._job, {})


def test_clusters_count_what_they_scored_picked_and_removed() -> None:
    meter = RecordingMeter()
    count_clusters(meter, outcome(scored=90, picked=7, removed=10))
    count_clusters(meter, outcome(scored=8, picked=1, removed=0))
    assert meter.of(metrics.SCORED_ROWS) == {(): 98}
    assert meter.of(metrics.PICKED_ROWS) == {(): 8}
    assert meter.of(metrics.OUTLIER_ROWS) == {(): 10}


def outcome(*, scored: int, picked: int, removed: int) -> Outcome:
    rows, values = np.arange(picked), np.zeros(picked)
    excluded, limits = np.arange(removed), np.zeros(removed)
    return Outcome(
        rows=rows,
        distance=values,
        score=values,
        opponent=rows,
        excluded_rows=excluded,
        excluded_cluster=excluded,
        excluded_density=limits,
        excluded_limit=limits,
        score_counts=np.array([scored - 5, 5]),
    )
