"""The smallest SelectionJob that has everything: a pool of 200 images in 4 shards, two workers, a queue, S3.

Tests on the real cluster share it, and compare what it selects with what one machine alone selects.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from helpers.pools import png
from helpers.repository import BUNDLED_TOOLS
from testbed import kueue
from testbed.commands import Argument, run
from testbed.gpus import RESOURCE as GPU
from testbed.jobs import laid_over
from testbed.kubectl import Kubectl
from testbed.lab import SECRET, Lab
from testbed.s3 import S3, variables

from afray import __version__

IMAGES = 200
SHARDS = 4
QUEUE = "queue"
"""The name of the local queue, in every namespace."""
QUOTA = {"cpu": "4", "memory": "12Gi", GPU: "2"}
"""Of a cluster queue: enough for one job and not for two."""


def make_job(bucket: str, name: str = "small") -> dict[str, Any]:
    """Return the manifest of the job; its output is s3://<bucket>/out."""
    return {
        "apiVersion": "afray.dev/v1alpha1",
        "kind": "SelectionJob",
        "metadata": {"name": name, "labels": {"kueue.x-k8s.io/queue-name": QUEUE}},
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
                "image": f"afray:{__version__}",
                "rayVersion": "2.60.0",
                "envFrom": [{"secretRef": {"name": SECRET}}],
            },
            "cluster": {
                "head": {"resources": {"cpu": "300m", "memory": "3Gi"}},
                "workers": [
                    {"name": group, "replicas": 1, "resources": {"cpu": "500m", "memory": "2Gi", GPU: "1"}}
                    for group in ("first", "second")
                ],
            },
        },
    }


def on_two_nodes(job: dict[str, Any]) -> dict[str, Any]:
    """Bind the first group of workers to node1 and the second to node2, in a job that has templates."""
    for number, group in enumerate(job["spec"]["cluster"]["workers"], start=1):
        group["template"]["spec"]["nodeSelector"] = {"kubernetes.io/hostname": f"node{number}"}
    return job


def put_images(storage: S3, bucket: str) -> None:
    """Make a bucket with the pool."""
    storage.create_bucket(bucket)
    with tempfile.TemporaryDirectory() as folder:
        for number in range(IMAGES):
            (Path(folder) / f"{number:04}.png").write_bytes(png(number, size=32))
        assert storage.upload(Path(folder), bucket, "pool") == IMAGES


def furnish(lab: Lab, namespace: str) -> dict[str, Any]:
    """Put all that the job needs into a namespace, a bucket of that name with it; returns the job as it runs there."""
    put_images(lab.s3, namespace)
    create_queue(lab.cluster.kubectl, namespace)
    return laid_over(make_job(namespace), namespace, lab.furnish(namespace).template())


def create_queue(kubectl: Kubectl, namespace: str, quota: Mapping[str, str] = QUOTA, *, name: str = QUEUE) -> None:
    """Make a cluster queue named like the namespace, and the way into it."""
    kubectl.apply(kueue.cluster_queue(namespace, quota), kueue.local_queue(name, namespace, namespace))


def run_alone(storage: S3, job: Mapping[str, Any], output: str = "alone") -> dict[str, Any]:
    """Run a manifest on this machine into an output of its bucket, and return its report."""
    bucket = job["spec"]["pool"]["uri"].removesuffix("/pool")
    with tempfile.TemporaryDirectory() as folder:
        manifest = Path(folder) / "job.yaml"
        manifest.write_text(yaml.safe_dump(dict(job)))
        command: list[Argument] = [BUNDLED_TOOLS / "afray", "run", "--output", f"{bucket}/{output}", manifest]
        environment = os.environ | variables(storage.endpoint)
        run(command, remedy="its message says what is wrong", environment=environment)
    report: dict[str, Any] = json.loads(storage.read(f"{bucket}/{output}/report.json"))
    return report


def embedded_shards(storage: S3, bucket: str, output: str = "out") -> int:
    """Count the committed shards of an output."""
    return sum(key.endswith(".ok") for key in storage.list(f"s3://{bucket}/{output}/embeddings/"))
