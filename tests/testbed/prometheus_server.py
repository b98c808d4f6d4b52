"""A Prometheus in the cluster's network: it keeps the operator's and the jobs' pods as the chart's monitors would."""

from __future__ import annotations

import json
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from testbed import prometheus
from testbed.cluster import Cluster
from testbed.forwarding import forward
from testbed.network import GATEWAY
from testbed.operators import NAMESPACE
from testbed.pod_targets import META, TargetsFile
from testbed.ports import LOOPBACK, HeldPort
from testbed.steps import step

PORT = 9090
INTERVAL = "5s"
START_SECONDS = 60.0
_PLACE = [
    {"source_labels": [f"{META}pod_container_port_name"], "regex": "metrics", "action": "keep"},
    {"source_labels": [f"{META}namespace"], "target_label": "namespace"},
    {"source_labels": [f"{META}pod_name"], "target_label": "pod"},
]
"""What every PodMonitor does: the named port of a pod, and where it is."""


@dataclass(frozen=True, slots=True)
class PrometheusServer:
    """A running server; it lives as long as its cluster."""

    port: HeldPort

    @classmethod
    @contextmanager
    def running(cls, cluster: Cluster, rules: Mapping[str, Any]) -> Iterator[PrometheusServer]:
        """Start it with these groups of rules, and wait until it answers; it looks for pods as long as this lasts."""
        found = TargetsFile(cluster.kubectl, cluster.instance.folder / "prometheus-targets.json")
        found.start()
        try:
            yield cls._start(cluster, rules, found.path)
        finally:
            found.stop()

    @classmethod
    def _start(cls, cluster: Cluster, rules: Mapping[str, Any], targets: Path) -> PrometheusServer:
        folder, port = cluster.instance.folder, HeldPort.hold()
        (folder / "prometheus-rules.yaml").write_text(yaml.safe_dump(dict(rules)))
        (folder / "prometheus.yaml").write_text(yaml.safe_dump(_configuration(str(targets))))
        command = cluster.plane.network.inside(
            prometheus.program("prometheus"),
            f"--config.file={folder / 'prometheus.yaml'}",
            f"--storage.tsdb.path={folder / 'prometheus'}",
            f"--web.listen-address={GATEWAY}:{PORT}",
        )
        with step("starting Prometheus"):
            service = cluster.instance.start("prometheus", command)
            forward(cluster.instance, cluster.plane.network, port, GATEWAY, PORT)
            server = cls(port)
            service.await_ready(server._is_ready, seconds=START_SECONDS)
            port.release()
        return server

    def query(self, expression: str) -> list[dict[str, Any]]:
        """The series of an instant vector now, each with its labels and its value."""
        data = self._get("query", query=expression)
        assert data["resultType"] == "vector", expression
        found: list[dict[str, Any]] = data["result"]
        return found

    def query_range(self, expression: str, *, start: float, end: float, step_seconds: float) -> list[dict[str, Any]]:
        """The series of an expression over a time, each with its labels and its values."""
        times = {"start": str(start), "end": str(end), "step": str(step_seconds)}
        found: list[dict[str, Any]] = self._get("query_range", query=expression, **times)["result"]
        return found

    def firing(self) -> set[str]:
        """Names of the alerts that fire."""
        alerts = self._get("alerts")["alerts"]
        return {alert["labels"]["alertname"] for alert in alerts if alert["state"] == "firing"}

    def _get(self, what: str, **parameters: str) -> dict[str, Any]:
        address = f"http://{LOOPBACK}:{self.port.number}/api/v1/{what}?{urllib.parse.urlencode(parameters)}"
        with urllib.request.urlopen(address) as answer:
            said = json.loads(answer.read())
        data: dict[str, Any] = said["data"]
        return data

    def _is_ready(self) -> bool:
        try:
            urllib.request.urlopen(f"http://{LOOPBACK}:{self.port.number}/-/ready", timeout=1).close()
        except OSError:
            return False
        return True


def _configuration(targets: str) -> dict[str, Any]:
    found = {"file_sd_configs": [{"files": [targets]}]}
    return {
        "global": {"scrape_interval": INTERVAL, "evaluation_interval": INTERVAL},
        "rule_files": ["prometheus-rules.yaml"],
        "scrape_configs": [{**found, **_operator()}, {**found, **_jobs()}],
    }


def _operator() -> dict[str, Any]:
    """As the chart's PodMonitor of the operator."""
    labels = [f"{META}namespace", f"{META}pod_label_app_kubernetes_io_name"]
    own = {"source_labels": labels, "regex": f"{NAMESPACE};afray", "action": "keep"}
    return {"job_name": "afray", "honor_labels": True, "relabel_configs": [own, *_PLACE]}


def _jobs() -> dict[str, Any]:
    """As the chart's PodMonitor of the Ray pods."""
    labels = ("afray_dev_job", "afray_dev_stage", "afray_dev_attempt", "ray_io_node_type")
    meta = f"{META}pod_label_"
    of_jobs = {"source_labels": [f"{meta}afray_dev_job", f"{meta}ray_io_cluster"], "regex": ".+;.+", "action": "keep"}
    named = ({"source_labels": [meta + label], "target_label": label} for label in labels)
    return {"job_name": "afray-jobs", "relabel_configs": [of_jobs, *_PLACE, *named]}
