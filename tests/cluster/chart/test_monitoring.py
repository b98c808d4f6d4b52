"""Every query of the dashboards and every alert, asked of a real Prometheus while jobs run, stall, fail and wait."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from helpers.promtool import rendered_rules
from testbed import kueue
from testbed.checkout import ROOT
from testbed.cluster import Cluster
from testbed.dashboard_pictures import STEP_SECONDS
from testbed.faults import remove_pod
from testbed.followed_jobs import FollowedJob
from testbed.grounds import Ground
from testbed.installation import Installation
from testbed.operators import NAMESPACE, RELEASE
from testbed.prometheus_server import PrometheusServer
from testbed.s3 import S3
from testbed.s3_faults import Fault
from testbed.small_jobs import QUEUE

pytestmark = [pytest.mark.cluster, pytest.mark.nightly]

FOLDER = ROOT / "charts" / "afray" / "files" / "dashboards"
BOARDS = {path.stem: json.loads(path.read_text()) for path in sorted(FOLDER.glob("*.json"))}
SHORT: dict[str, Any] = {
    "jobStalled": {"afterSeconds": 60, "for": "0s"},
    "jobFailed": {"for": "0s"},
    "queueWaitLong": {"for": "10s"},
    "operatorNoLeader": {"for": "10s"},
    "watchStale": {"afterSeconds": 30, "for": "0s"},
    "reconcileErrors": {"errors": 0, "windowSeconds": 60, "for": "0s"},
    "quarantineHigh": {"percent": 5, "minRows": 20, "for": "0s"},
}
"""The chart's own values, so that each alert fires within minutes."""
ONE_JOB = {"cpu": "2", "memory": "8Gi", "nvidia.com/gpu": "1"}
BROKEN = 12
"""Images of 200 that are none."""
RECORD = ROOT / "build" / "dashboards-seen.json"
"""What the queries found, for the pictures of the docs."""


class Seen:
    """What each query of the dashboards found, in any of the situations."""

    def __init__(self, server: PrometheusServer, namespace: str) -> None:
        self.server, self.namespace = server, namespace
        self.started = time.time()
        self.found: dict[str, dict[str, Any]] = {}

    def ask_all(self, job: str) -> None:
        """Ask every query now, with that job chosen; what found numbers is kept: a quantile of nothing is none."""
        for place, expression in queries({"$namespace": self.namespace, "$job": job}):
            if found := [one for one in self.server.query(expression) if not math.isnan(float(one["value"][1]))]:
                self.found[place] = {"expression": expression, "result": found}

    def record(self) -> None:
        """Write down what each query found last, and what it would have found all the while."""
        told = {
            place: {**found, "over time": self._over_time(found["expression"])} for place, found in self.found.items()
        }
        RECORD.parent.mkdir(exist_ok=True)
        RECORD.write_text(json.dumps(told, indent=1))

    def _over_time(self, expression: str) -> list[dict[str, Any]]:
        return self.server.query_range(expression, start=self.started, end=time.time(), step_seconds=STEP_SECONDS)

    def empty(self) -> list[str]:
        """Queries that never found anything."""
        return [place for place, _ in queries({}) if place not in self.found]


def queries(chosen: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Every query by its board, panel and letter, as Grafana would ask it."""
    fixed = {"$__rate_interval": "1m", "$__range": "1h", "$queue": ".*"}
    for name, board in BOARDS.items():
        for panel in board["panels"]:
            for target in panel.get("targets", ()):
                expression = target["expr"]
                for variable, value in {**fixed, **chosen}.items():
                    expression = expression.replace(variable, value)
                yield f"{name}: {panel['title']}: {target['refId']}", expression


def await_alert(server: PrometheusServer, name: str, job: FollowedJob) -> None:
    job.wait_until(f"the alert {name}", lambda: name in server.firing())


@pytest.fixture
def installed(installation: Installation) -> Iterator[Installation]:
    """This version, whose rights and replicas a test may take away."""
    installation.install()
    yield installation
    installation.uninstall()


@pytest.fixture
def server(cluster: Cluster) -> Iterator[PrometheusServer]:
    """With the chart's rules."""
    with PrometheusServer.running(cluster, rendered_rules(SHORT)) as running:
        yield running


@pytest.mark.timeout(2400)
def test_panels_show_and_alerts_fire_while_jobs_run_stall_fail_and_wait(
    installed: Installation, server: PrometheusServer, cluster: Cluster, storage: S3, namespace: str
) -> None:
    seen = Seen(server, namespace)
    ground = Ground.prepare(cluster, storage, namespace)
    for number in range(BROKEN):
        storage.write(f"s3://{namespace}/pool/{number:04}.png", b"no image")
    cluster.kubectl.apply(kueue.cluster_queue(namespace, ONE_JOB), kueue.local_queue(QUEUE, namespace, namespace))

    report = Fault(pattern=f"/{namespace}/runs/report.json", method="PUT")
    storage.inject(report)
    # A rate needs counters that grew between two looks: the work of a moment would show none.
    storage.inject(Fault(pattern=f"/{namespace}/pool/(0060|0110)", seconds=15))
    held = ground.hold_last_shard()
    runs = ground.start(enduring(ground.job("runs", queue_name=QUEUE)))
    runs.await_condition("QuotaReserved", "True", "Admitted")
    waits = ground.start(enduring(ground.job("waits", queue_name=QUEUE)))
    lacking = ground.job("fails")
    lacking["spec"]["pool"]["uri"] = f"s3://{namespace}/nothing"
    fails = ground.start(lacking)
    waits.await_condition("QuotaReserved", "False", "Queued")
    ground.await_held(runs, held)
    seen.ask_all("runs")
    await_alert(server, "QueueWaitLong", waits)
    await_alert(server, "QuarantineHigh", runs)  # of what its living workers read
    seen.ask_all("runs")
    (worker,) = runs.pods("worker")
    remove_pod(cluster.kubectl, worker)
    await_alert(server, "JobStalled", runs)
    seen.ask_all("runs")
    seen.ask_all("waits")
    fails.await_condition("Failed", "True", "PermanentError")
    await_alert(server, "JobFailed", fails)
    await_alert(server, "WatchStale", fails)
    seen.ask_all("fails")

    storage.lift(held)
    runs.wait_until("the selection, and its report", lambda: storage.met(report.pattern).waiting)
    time.sleep(20)  # scraped a few times, as it would be on a pool that takes longer
    seen.ask_all("runs")
    storage.lift(report.pattern)
    runs.await_complete()
    waits.await_condition("QuotaReserved", "True", "Admitted")
    time.sleep(10)
    seen.ask_all("runs")
    seen.record()

    take_status_away(cluster)
    waits.suspend(True)
    await_alert(server, "ReconcileErrors", waits)
    cluster.kubectl("scale", f"deployment/{RELEASE}", "--replicas=0", "-n", NAMESPACE)
    await_alert(server, "OperatorNoLeader", waits)

    assert seen.empty() == []


def enduring(job: dict[str, Any]) -> dict[str, Any]:
    """A job that goes on in spite of the broken images."""
    job["spec"]["pool"]["maxBadFraction"] = 0.5
    return job


def take_status_away(cluster: Cluster) -> None:
    """From the operator: the right to store what it finds."""
    role = json.loads(cluster.kubectl("get", "clusterrole", RELEASE, "-o", "json"))
    kept = [rule for rule in role["rules"] if "selectionjobs/status" not in rule["resources"]]
    cluster.kubectl("patch", "clusterrole", RELEASE, "--type=merge", "-p", json.dumps({"rules": kept}))
