"""`make cluster-demo`: the example for a cluster, on real images, beside the same job run on this machine alone.

Both must choose the same rows: what ends the demo is the comparison of their digests.
"""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from testbed.checkout import ROOT
from testbed.commands import Argument, run
from testbed.gomodules import program
from testbed.jobs import await_complete, laid_over, read_job
from testbed.lab import Lab
from testbed.s3 import variables
from testbed.steps import StepFailed, step

EXAMPLE = ROOT / "examples" / "fashion-mnist-cluster.yaml"
DATA = ROOT / "demo" / "fashion-mnist"
NAMESPACE = QUEUE = BUCKET = "demo"
PREFIX = "fashion-mnist"
JOB_SECONDS = 600.0
HEAD_CPUS = "2"
"""What the head may use of what others leave; the example's half of one is all that two small nodes can set aside."""
READ_THE_MESSAGE = "the message above says what is missing"
EMBED = "embed pool"
"""The stage, as reports name it."""

A_BUG = "this is a bug in afray: please report it"

console = Console(highlight=False, soft_wrap=True)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run chose."""

    digest: str
    funnel: dict[str, int]


def run_demo(lab: Lab) -> None:
    """Run the example on the cluster and on this machine, and compare. Raises StepFailed if they differ."""
    put_images(lab)
    together = _on_the_cluster(lab, furnish(lab))
    alone = _on_this_machine(lab)
    console.print("\nfunnel           ", " > ".join(f"{count} {name}" for name, count in together.funnel.items()))
    console.print(
        f"selectionDigest   {together.digest} on the cluster\n{' ' * 17} {alone.digest} on this machine alone"
    )
    if together != alone:
        raise StepFailed("comparing the selections", f"{together} and {alone} differ", A_BUG)
    console.print("[green]equal[/]: two workers on two nodes chose the rows that one machine chooses")


def put_images(lab: Lab) -> None:
    """Put the images of the example into the S3 server."""
    with step("preparing Fashion-MNIST"):
        run([sys.executable, ROOT / "examples" / "fashion_mnist.py", DATA], remedy=READ_THE_MESSAGE)
    with step("putting the images into the S3 server"):
        lab.s3.create_bucket(BUCKET)
        lab.s3.upload(DATA / "pool", BUCKET, f"{PREFIX}/pool")


def furnish(lab: Lab) -> dict[str, Any]:
    """Make the example's namespace and queue, and return the job as it runs there."""
    volumes = lab.create_namespace(NAMESPACE)
    lab.create_queue(QUEUE, NAMESPACE)
    job = laid_over(read_job(EXAMPLE), NAMESPACE, volumes.template())
    (container,) = job["spec"]["cluster"]["head"]["template"]["spec"]["containers"]
    container["resources"] = {"limits": {"cpu": HEAD_CPUS}}
    return job


def _on_the_cluster(lab: Lab, job: Mapping[str, Any]) -> Outcome:
    """Run the job on the cluster, show it as it goes, and return what it found."""
    kubectl, name = lab.cluster.kubectl, job["metadata"]["name"]
    kubectl.apply(job)
    with _shown(kubectl.kubeconfig):
        complete = await_complete(kubectl, name, NAMESPACE, seconds=JOB_SECONDS)
    console.print(kubectl("get", "pods", "-n", NAMESPACE, "-o", "wide"))
    console.print(kubectl("get", "sj", "-n", NAMESPACE, "-o", "wide"))
    report = _report(lab, job["spec"]["output"]["uri"])
    stored = Outcome(report["selectionDigest"], report["funnel"])
    if stored.digest != complete["status"]["result"]["digest"]:
        raise StepFailed("comparing status and report", f"their digests differ: {complete['status']['result']}", A_BUG)
    return stored


def _on_this_machine(lab: Lab) -> Outcome:
    """Run the same manifest here, with an output of its own, and check that every shard was embedded here."""
    output = f"s3://{BUCKET}/{PREFIX}/local-{uuid.uuid4().hex[:8]}"
    with step("running the same job on this machine alone"):
        command: list[Argument] = [Path(sys.prefix) / "bin" / "afray", "run", "--output", output, "-o", "json", EXAMPLE]
        run(command, remedy=READ_THE_MESSAGE, environment=os.environ | variables(lab.s3.endpoint))
    report = _report(lab, output)
    (embedding,) = (stage for stage in report["stages"] if stage["name"] == EMBED)
    shards, wanted = _shards(lab, output), math.ceil(report["funnel"]["listed"] / _shard_size())
    if embedding["resumed"] or shards != wanted:
        raise StepFailed("checking that this machine embedded all", f"{shards} shards of {wanted}: {embedding}", A_BUG)
    console.print(f"this machine embedded all {shards} shards itself, into {output}")
    return Outcome(report["selectionDigest"], report["funnel"])


@contextmanager
def _shown(kubeconfig: Path) -> Iterator[None]:
    """Show the job as `kubectl get sj --watch` does."""
    command: list[Argument] = [program("kubectl"), "--kubeconfig", kubeconfig, "get", "sj", "-n", NAMESPACE, "--watch"]
    watching = subprocess.Popen(command)
    try:
        yield
    finally:
        watching.kill()
        watching.wait()


def _report(lab: Lab, uri: str) -> dict[str, Any]:
    report: dict[str, Any] = json.loads(lab.s3.read(f"{uri}/report.json"))
    return report


def _shards(lab: Lab, uri: str) -> int:
    """Count the commits of embedded shards."""
    return sum(key.endswith(".ok") for key in lab.s3.list(f"{uri}/embeddings/"))


def _shard_size() -> int:
    size: int = read_job(EXAMPLE)["spec"]["embedding"]["shardSize"]
    return size
