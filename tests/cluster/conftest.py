"""One Kubernetes of two nodes for all tests of this folder, with KubeRay, Kueue and S3; a namespace for each test.

Two stand-in GPUs a node. Tests that break a node mend it; tests of the testbed itself start clusters of their own.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from testbed import base_image, gate, gpus, helm, images, kuberay, kueue, operator_image, operators
from testbed import cluster as clusters
from testbed.cluster import NODES, Cluster, running_cluster
from testbed.environment import EnvironmentVolumes, environment_volumes, remove_volumes
from testbed.gomodules import SOURCES, source
from testbed.grounds import Ground
from testbed.lab import Lab
from testbed.namespaces import new_namespace
from testbed.s3 import S3
from testbed.small_jobs import furnish, make_job, put_images, run_alone

GPUS_PER_NODE = 2


def prepare() -> None:
    clusters.prepare()
    helm.program()
    for name in SOURCES:
        source(name)
    for image in (images.kuberay, images.kueue, base_image.base, operator_image.operator_image):
        image()


GATE = gate.Gate("cluster", gate.no_cluster, prepare)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    GATE.select(config, items)
    items.sort(key=_needs_operator)  # others write the status of SelectionJobs by hand, which an operator would undo


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> None:
    GATE.open(session)


def pytest_sessionfinish(session: pytest.Session) -> None:
    GATE.excuse(session)


def pytest_unconfigure(config: pytest.Config) -> None:
    GATE.tell(config)


def _needs_operator(item: pytest.Item) -> bool:
    return "operator" in getattr(item, "fixturenames", ())


@pytest.fixture(scope="session")
def cluster(request: pytest.FixtureRequest) -> Iterator[Cluster]:
    """Two nodes with KubeRay, Kueue, GPUs and the image of Ray pods."""
    with running_cluster() as running:
        with gate.shown(request.config):
            _install(running)
        yield running


@pytest.fixture(scope="session")
def operator(cluster: Cluster, request: pytest.FixtureRequest) -> str:
    """The operator of this checkout, installed by its chart; the value is its namespace."""
    with gate.shown(request.config):
        operators.install(cluster)
    return operators.NAMESPACE


@pytest.fixture(scope="session")
def storage(cluster: Cluster) -> S3:
    """An S3 server that pods and this process reach."""
    return S3.start(cluster)


@pytest.fixture
def namespace(cluster: Cluster, request: pytest.FixtureRequest) -> Iterator[str]:
    """A namespace for one test; it goes in the background when the test has ended."""
    name = new_namespace(cluster.kubectl, request.node.name)
    yield name
    cluster.kubectl("delete", "namespace", name, "--wait=false")
    remove_volumes(cluster.kubectl, name)


@pytest.fixture
def python_environment(cluster: Cluster, namespace: str) -> EnvironmentVolumes:
    """This Python with all its packages, for pods of the test's namespace."""
    return environment_volumes(cluster.kubectl, namespace)


@pytest.fixture(scope="session")
def undisturbed(storage: S3) -> str:
    """The digest of what the small job selects where nothing happens to it: on this machine, alone."""
    put_images(storage, "undisturbed")
    digest: str = run_alone(storage, make_job("undisturbed"))["selectionDigest"]
    return digest


@pytest.fixture
def small_job(cluster: Cluster, storage: S3, namespace: str) -> dict[str, Any]:
    """The small job as it runs in the test's namespace, where everything that it needs is there; not applied."""
    return furnish(Lab(cluster, storage), namespace)


@pytest.fixture
def ground(cluster: Cluster, storage: S3, operator: str, namespace: str) -> Ground:
    """Where the small jobs of one test run."""
    return Ground.prepare(cluster, storage, namespace)


def _install(cluster: Cluster) -> None:
    kuberay.install(cluster)
    kueue.install(cluster)
    for number in NODES:
        gpus.set_gpus(cluster, number, GPUS_PER_NODE)
    cluster.load(base_image.base())
