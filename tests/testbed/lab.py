"""A cluster with all that a SelectionJob needs: KubeRay, Kueue, the operator, stand-in GPUs and an S3 server."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from testbed import base_image, gpus, images, kuberay, kueue, operator_image, operators
from testbed import cluster as clusters
from testbed import helm as helms
from testbed.cluster import NODES, Cluster
from testbed.environment import EnvironmentVolumes, environment_volumes
from testbed.gomodules import source
from testbed.namespaces import RESTRICTED
from testbed.s3 import S3, variables
from testbed.steps import StepFailed

SECRET = "s3"
"""Of every namespace: how its pods reach the S3 server."""
GPUS = 1
"""Of each node: two workers with one each must run on different nodes."""
QUOTA = {"cpu": "8", "memory": "32Gi", gpus.RESOURCE: str(GPUS * len(NODES))}


@dataclass(frozen=True, slots=True)
class Lab:
    """The cluster and its S3 server."""

    cluster: Cluster
    s3: S3

    @classmethod
    def up(cls, *, stays: bool = False) -> Lab:
        """Start everything and wait until it works."""
        prepare()
        cluster = Cluster.up(stays=stays)
        try:
            server = S3.start(cluster)
            for number in NODES:
                gpus.set_gpus(cluster, number, GPUS)
            kuberay.install(cluster)
            kueue.install(cluster)
            operators.install(cluster)
        except BaseException:
            cluster.down()
            raise
        return cls(cluster, server)

    def create_namespace(self, name: str) -> EnvironmentVolumes:
        """Make a namespace in which SelectionJobs can run."""
        self.cluster.kubectl.create(
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": RESTRICTED}}
        )
        return self.furnish(name)

    def furnish(self, namespace: str, environment: Path | None = None) -> EnvironmentVolumes:
        """Put into a namespace what pods need: the Secret of the S3 server, and the volumes of their environment."""
        metadata = {"name": SECRET, "namespace": namespace}
        self.cluster.kubectl.create(
            {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": variables()}
        )
        return environment_volumes(self.cluster.kubectl, namespace, environment)

    def create_queue(self, name: str, namespace: str) -> None:
        """Make a queue over the whole cluster, and the way of a namespace into it."""
        self.cluster.kubectl.apply(kueue.cluster_queue(name, QUOTA), kueue.local_queue(name, namespace, name))

    def down(self) -> None:
        """Take everything away."""
        self.cluster.down()


@contextmanager
def running_lab() -> Iterator[Lab]:
    """Start everything and take it down afterwards."""
    lab = Lab.up()
    try:
        yield lab
    except StepFailed as error:
        if ended := lab.cluster.instance.ended():
            reason = f"{error.reason}\nThese had ended before: {', '.join(ended)}"
            raise StepFailed(error.step, reason, "see what killed them (-9: SIGKILL), then run this again") from error
        raise
    finally:
        lab.down()


def prepare() -> None:
    """Make all that takes minutes."""
    clusters.prepare()
    helms.program()
    for name in ("kuberay-config", "kueue-chart"):
        source(name)
    for make in (images.kuberay, images.kueue, base_image.base, operator_image.operator_image):
        make()
