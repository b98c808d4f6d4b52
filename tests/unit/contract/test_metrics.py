"""What a driver and its workers count: by Prometheus' rules, bounded, and as the docs have it."""

from __future__ import annotations

import pytest
from helpers import metrics_page
from helpers.metrics_page import Family

from afray.contract.metrics import JOB_LABELS, METRICS, RayMetric

UNITS = ("bytes", "seconds", "rows", "iterations", "lost", "repeated")
"""Base units, and what is counted one by one."""
BOUNDED = {"stage", "step", "cause", "state"}
"""Labels whose values are words of the code."""

each_metric = pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)


@each_metric
def test_a_name_tells_its_unit_and_that_it_is_a_counter(metric: RayMetric) -> None:
    assert metric.name.startswith("afray_")
    assert metric.name.endswith("_total")
    assert metric.name.removesuffix("_total").rpartition("_")[2] in UNITS


@each_metric
def test_every_series_belongs_to_a_job_and_a_team_and_no_label_grows_with_the_pool(metric: RayMetric) -> None:
    assert metric.all_labels == (*JOB_LABELS, *metric.labels)
    assert set(metric.labels) <= BOUNDED


def test_names_are_unique_and_none_is_the_operators() -> None:
    names = {metric.name for metric in METRICS}
    assert len(names) == len(METRICS)
    assert not {name for name in names if name.startswith(("afray_job_", "afray_jobs", "afray_operator_"))}


def test_jobs_are_labelled_as_in_the_operators_series() -> None:
    labels = {family.name: set(family.labels) for family in metrics_page.documented()}
    assert labels["afray_job_heartbeat_timestamp_seconds"] == set(JOB_LABELS)


def test_the_docs_list_every_metric_with_its_labels_and_its_help() -> None:
    declared = [Family(each.exposed_name, "counter", tuple(sorted(each.labels)), each.help) for each in METRICS]
    assert metrics_page.documented("ray_afray") == sorted(declared)
