"""One SelectionJob from `kubectl apply` to Complete on a real cluster: operator, Kueue, KubeRay, two nodes, S3."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from helpers.pools import png
from helpers.repository import BUNDLED_TOOLS
from testbed import kueue
from testbed.cluster import Cluster
from testbed.gpus import RESOURCE as GPU
from testbed.jobs import await_complete, laid_over
from testbed.lab import SECRET, Lab
from testbed.s3 import S3, variables

pytestmark = pytest.mark.cluster

IMAGES = 200
SHARDS = 4
COMPLETE_SECONDS = 400
QUEUE = "queue"
QUOTA = {"cpu": "4", "memory": "12Gi", GPU: "2"}


@pytest.mark.timeout(900)
def test_a_job_completes_on_two_nodes_and_selects_what_one_machine_selects(
    cluster: Cluster, storage: S3, operator: str, namespace: str, tmp_path: Path
) -> None:
    kubectl, job = cluster.kubectl, make_job(namespace)
    put_images(storage, namespace, tmp_path / "pool")
    volumes = Lab(cluster, storage).furnish(namespace)
    kubectl.apply(kueue.cluster_queue(namespace, QUOTA), kueue.local_queue(QUEUE, namespace, namespace))
    kubectl.apply(on_two_nodes(laid_over(job, namespace, volumes.template())))

    complete = await_complete(kubectl, "small", namespace, seconds=COMPLETE_SECONDS)

    assert workers_by_node(cluster, namespace) == {"node1": 1, "node2": 1}
    (workload,) = kubectl.list("workload", namespace)
    assert {condition["type"] for condition in workload["status"]["conditions"]} >= {"Admitted", "Finished"}
    assert complete["status"]["attempt"]["number"] == 1
    alone = run_alone(storage, job, tmp_path)
    assert complete["status"]["result"]["digest"] == alone["selectionDigest"]
    assert embedded_shards(storage, namespace, "alone") == embedded_shards(storage, namespace, "out") == SHARDS


def make_job(bucket: str) -> dict[str, Any]:
    return {
        "apiVersion": "afray.dev/v1alpha1",
        "kind": "SelectionJob",
        "metadata": {"name": "small", "labels": {"kueue.x-k8s.io/queue-name": QUEUE}},
        "spec": {
            "pool": {"uri": f"s3://{bucket}/pool", "format": "images"},
            "embedding": {
                "model": "package:efficientnet-lite0",
                "imageSize": 32,
                "batchSize": 25,
                "shardSize": IMAGES // SHARDS,
                "device": "cpu",
            },
            "selection": {"method": "bilaf", "budget": {"count": 20}, "core": {"size": 16}},
            "output": {"uri": f"s3://{bucket}/out"},
            "runtime": {
                "image": "afray:0.1.0",
                "rayVersion": "2.60.0",
                "envFrom": [{"secretRef": {"name": SECRET}}],
            },
            "cluster": {
                "head": {"resources": {"cpu": "300m", "memory": "3Gi"}},
                "workers": [
                    {"name": name, "replicas": 1, "resources": {"cpu": "500m", "memory": "2Gi", GPU: "1"}}
                    for name in ("first", "second")
                ],
            },
        },
    }


def on_two_nodes(job: dict[str, Any]) -> dict[str, Any]:
    for number, group in enumerate(job["spec"]["cluster"]["workers"], start=1):
        group["template"]["spec"]["nodeSelector"] = {"kubernetes.io/hostname": f"node{number}"}
    return job


def put_images(storage: S3, bucket: str, folder: Path) -> None:
    folder.mkdir()
    for number in range(IMAGES):
        (folder / f"{number:04}.png").write_bytes(png(number, size=32))
    storage.create_bucket(bucket)
    assert storage.upload(folder, bucket, "pool") == IMAGES


def workers_by_node(cluster: Cluster, namespace: str) -> dict[str, int]:
    """Count where workers were started, from events: the pods themselves are gone."""
    events = cluster.kubectl.list("events", namespace)
    nodes = [
        event["message"].split()[-1]
        for event in events
        if event["reason"] == "Scheduled" and "-worker-" in event["involvedObject"]["name"]
    ]
    return {node: nodes.count(node) for node in nodes}


def run_alone(storage: S3, job: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Run the same manifest on this machine, into an output of its own, and return its report."""
    manifest = folder / "job.yaml"
    manifest.write_text(yaml.safe_dump(job))
    bucket = job["spec"]["pool"]["uri"].removesuffix("/pool")
    command: list[str | Path] = [BUNDLED_TOOLS / "afray", "run", "--output", f"{bucket}/alone", manifest]
    environment = os.environ | variables(storage.endpoint)
    ended = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    report: dict[str, Any] = json.loads(storage.read(f"{bucket}/alone/report.json"))
    return report


def embedded_shards(storage: S3, bucket: str, output: str) -> int:
    return sum(key.endswith(".ok") for key in storage.list(f"s3://{bucket}/{output}/embeddings/"))
