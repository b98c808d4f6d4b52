"""A job on a real Ray, and what the metrics page of its node says of it."""

from __future__ import annotations

import json
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
import ray
from helpers import jobs, metrics_page
from helpers.faults import NextTask
from helpers.jobs import RecordingDisplay
from helpers.metrics_page import Family
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families

from afray.contract import metrics
from afray.contract.metrics import METRICS, RayMetric
from afray.driver.jobs import NO_LABELS
from afray.driver.pipeline import run_stages
from afray.driver.workspace import RunSettings, opened

pytestmark = [pytest.mark.ray, pytest.mark.usefixtures("ray_cpus")]

IMAGES, BAD, CORES = 90, 3, 12
STATES = ("listed", "readable", "unique", "kept", "selected")
LABELS = {"namespace": "welding", "name": "metered", "queue": "team-a"}
OF_RAY = {"Component", "NodeAddress", "SessionName", "Version", "WorkerId"}
PATIENCE_SECONDS = 60
"""Workers tell the agent every few seconds."""


def write_job(folder: Path) -> jobs.Manifest:
    """A few images of the pool are none."""
    for row_id in [*jobs.write_images(folder / "pool", IMAGES)][:BAD]:
        (folder / "pool" / row_id).write_bytes(b"no image")
    made = jobs.images_manifest(folder / "pool", folder / "out")
    return jobs.changed(made, {"metadata.name": LABELS["name"], "metadata.namespace": LABELS["namespace"]})


def families() -> Iterator[Metric]:
    """Families of ours on the page of the node, with the series of this job alone."""
    (node,) = (node for node in ray.nodes() if node["Alive"])
    url = f"http://{node['NodeManagerAddress']}:{node['MetricsExportPort']}/metrics"
    with urllib.request.urlopen(url, timeout=10) as page:
        for family in text_string_to_metric_families(page.read().decode()):
            family.samples = [sample for sample in family.samples if LABELS.items() <= sample.labels.items()]
            if family.name.startswith("ray_afray_") and family.samples:
                yield family


def value(page: list[Metric], metric: RayMetric, **labels: str) -> float:
    """Sum over all processes."""
    samples = (sample for family in page for sample in family.samples if sample.name == metric.exposed_name)
    return sum(sample.value for sample in samples if labels.items() <= sample.labels.items())


def figures(page: list[Metric]) -> dict[str, float]:
    """What can be compared with the certificate, or with the files of the pool."""
    states = {state: value(page, metrics.FUNNEL_ROWS, state=state) for state in STATES}
    return states | {
        "rows embedded by workers": value(page, metrics.EMBEDDED_ROWS, stage="embed pool"),
        "rows embedded as the driver saw it": value(page, metrics.STAGE_ROWS, stage="embed pool"),
        "bytes read": value(page, metrics.READ_BYTES),
        "quarantined": value(page, metrics.QUARANTINED_ROWS),
        "steps": value(page, metrics.STAGE_ITERATIONS, stage="select", step="core"),
        "assigned": value(page, metrics.STAGE_ROWS, stage="select", step="assign"),
        "scored": value(page, metrics.SCORED_ROWS),
        "outliers": value(page, metrics.OUTLIER_ROWS),
        "picked": value(page, metrics.PICKED_ROWS),
        "workers lost": value(page, metrics.LOST_WORKERS, cause="died"),
        "tasks repeated": value(page, metrics.REPEATED_TASKS),
    }


def expected(folder: Path) -> dict[str, float]:
    certificate = json.loads((folder / "out" / "certificate.json").read_text())
    funnel: dict[str, float] = certificate["counters"]
    return funnel | {
        "rows embedded by workers": certificate["index"]["rows"],
        "rows embedded as the driver saw it": certificate["index"]["rows"],
        "bytes read": sum(path.stat().st_size for path in (folder / "pool").rglob("*.png")),
        "quarantined": funnel["listed"] - funnel["readable"],
        "steps": 20,
        "assigned": funnel["unique"],
        "scored": funnel["kept"] - CORES,
        "outliers": funnel["unique"] - funnel["kept"],
        "picked": funnel["selected"],
        "workers lost": 1,
        "tasks repeated": 1,
    }


def await_figures(wanted: dict[str, float]) -> list[Metric]:
    """The page once every process has told all that it counted, or once patience has come to its end."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while figures(page := list(families())) != wanted and time.monotonic() < deadline:
        time.sleep(0.5)
    return page


def labels_of_ours(family: Family) -> Family:
    """Without the labels that Ray adds, and without those that any exporter by OpenTelemetry does."""
    ours = tuple(label for label in family.labels if label not in OF_RAY and not label.startswith("otel_"))
    return Family(family.name, family.kind, ours, family.meaning)


def test_every_metric_of_a_job_is_on_the_page_of_its_node_and_agrees_with_the_certificate(tmp_path: Path) -> None:
    job, kill = jobs.parse(write_job(tmp_path)), NextTask()
    with opened(job, RunSettings(workers=2, queue=LABELS["queue"]), RecordingDisplay()) as workspace:
        # Before it has done anything: a worker that dies takes with it what it has not told yet.
        kill.start(workspace.crew)
        run_stages(workspace, NO_LABELS)
        kill.join()
        page = await_figures(wanted := expected(tmp_path))
    assert figures(page) == wanted
    assert (wanted["listed"], wanted["quarantined"], wanted["outliers"] > 0) == (IMAGES, BAD, True)
    assert [labels_of_ours(family) for family in metrics_page.exposed(page)] == sorted(
        Family(each.exposed_name, "counter", tuple(sorted(each.all_labels)), each.help) for each in METRICS
    )
    assert 0 < value(page, metrics.MODEL_SECONDS) <= value(page, metrics.EMBEDDING_SECONDS)
    assert value(page, metrics.DECODE_SECONDS) > 0
    assert value(page, metrics.STAGE_SECONDS, stage="embed pool") > 0
