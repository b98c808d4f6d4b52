"""Where the jobs of one test run, and places at which they stand still until the test lets them go on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from testbed.cluster import Cluster
from testbed.followed_jobs import FollowedJob
from testbed.jobs import KIND, laid_over
from testbed.kubectl import Kubectl
from testbed.lab import Lab
from testbed.s3 import S3
from testbed.s3_faults import Fault
from testbed.small_jobs import IMAGES, SHARDS, make_job, put_images

PATIENT = {"name": "AFRAY_STORE_SILENCE_SECONDS", "value": "3600"}
"""The driver's own patience with an answer that is held back; without it a minute."""

KINDS = (
    "selectionjobs", "rayjobs", "rayclusters", "jobs", "pods", "services", "endpointslices",
    "configmaps", "secrets", "serviceaccounts", "roles", "rolebindings", "workloads",
)  # fmt: skip
"""What a job, KubeRay or Kueue makes in a namespace."""


@dataclass(frozen=True, slots=True)
class Ground:
    """A namespace with all that pods need, and a bucket of the same name with the pool."""

    cluster: Cluster
    storage: S3
    namespace: str
    template: Mapping[str, Any]

    @classmethod
    def prepare(cls, cluster: Cluster, storage: S3, namespace: str, environment: Path | None = None) -> Ground:
        """Furnish a namespace that is there, with the Python environment of this checkout or another."""
        put_images(storage, namespace)
        return cls(cluster, storage, namespace, Lab(cluster, storage).furnish(namespace, environment).template())

    @property
    def kubectl(self) -> Kubectl:
        """The administrator's."""
        return self.cluster.kubectl

    def job(self, name: str = "small", **labels: str) -> dict[str, Any]:
        """Return the smallest job: one worker, and no labels but those given, such as queue_name."""
        job = make_job(self.namespace, name)
        job["metadata"]["labels"] = {f"kueue.x-k8s.io/{key.replace('_', '-')}": value for key, value in labels.items()}
        del job["spec"]["cluster"]["workers"][1:]
        job["spec"]["output"]["uri"] = f"s3://{self.namespace}/{name}"
        job["spec"]["runtime"]["env"] = [PATIENT]
        return job

    def start(self, job: Mapping[str, Any], *, nowhere: str = "") -> FollowedJob:
        """Apply a job, with the template of this ground in all its pods; head or workers may be bound to no node."""
        laid = laid_over(job, self.namespace, self.template)
        parts = {"head": [laid["spec"]["cluster"]["head"]], "workers": laid["spec"]["cluster"]["workers"]}
        for part in parts.get(nowhere, ()):
            part["template"]["spec"]["nodeSelector"] = {"kubernetes.io/hostname": "nowhere"}
        return FollowedJob.apply(self.kubectl, laid)

    def hold_last_shard(self) -> str:
        """Hold back the images of the last shard; returns the pattern to lift."""
        names = "|".join(f"{number:04}" for number in range(IMAGES - IMAGES // SHARDS, IMAGES))
        fault = Fault(pattern=f"/{self.namespace}/pool/({names})")
        self.storage.inject(fault)
        return fault.pattern

    def await_held(self, job: FollowedJob, pattern: str) -> None:
        """Wait until all a job can still do is to wait for what is held back."""
        others = SHARDS - 1
        job.wait_until(f"a worker of {job.name} at {pattern}", lambda: self.storage.met(pattern).waiting)
        job.wait_until(f"{others} shards", lambda: len(self.shard_epochs(job.name)) == others)

    def shard_epochs(self, output: str = "small") -> list[int]:
        """Return the epochs of the drivers that committed an output's shards, shard by shard."""
        uri = f"s3://{self.namespace}/{output}/embeddings/"
        keys = sorted(key for key in self.storage.list(uri) if key.endswith(".ok"))
        return [self.storage.read_json(f"s3://{self.namespace}/{key}")["epoch"] for key in keys]

    def inventory(self) -> set[str]:
        """Return everything in the namespace that a job could have made."""
        found = self.kubectl("get", ",".join(KINDS), "-n", self.namespace, "-o", "name", "--ignore-not-found")
        return set(found.split())

    def await_inventory(self, wanted: set[str]) -> None:
        """Wait until the namespace has only that."""
        nobody = FollowedJob(self.kubectl, self.namespace)
        nobody.wait_until("nothing to be left", lambda: self.inventory() == wanted)

    def delete(self, job: FollowedJob) -> None:
        """Delete a job and do not wait."""
        self.kubectl("delete", KIND, job.name, "-n", self.namespace, "--wait=false")

    def working_pods(self) -> list[str]:
        """Return the pods that have not ended."""
        found = self.kubectl.list("pods", self.namespace)
        return [pod["metadata"]["name"] for pod in found if pod["status"]["phase"] not in ("Succeeded", "Failed")]
