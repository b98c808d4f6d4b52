"""One API server for all tests of this folder, with the CRDs of KubeRay and Kueue, and a namespace for each test.

Tests that stop or restart an API server start their own: `testbed.apiserver.running_api_server`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from helpers.api_proxy import ApiProxy, proxied
from helpers.operator_process import apply_own_crd
from testbed import gate
from testbed.apiserver import ApiServer, running_api_server
from testbed.crds import apply_crds
from testbed.gomodules import API_SERVER, SOURCES, program, source
from testbed.kubectl import Kubectl
from testbed.namespaces import new_namespace


def prepare() -> None:
    for name in API_SERVER:
        program(name)
    for name in SOURCES:
        source(name)


GATE = gate.Gate("apiserver", gate.no_api_server, prepare)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    GATE.select(config, items)


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> None:
    GATE.open(session)


def pytest_sessionfinish(session: pytest.Session) -> None:
    GATE.excuse(session)


def pytest_unconfigure(config: pytest.Config) -> None:
    GATE.tell(config)


@pytest.fixture(scope="session")
def api_server() -> Iterator[ApiServer]:
    """A running API server that knows RayJobs and Workloads."""
    with running_api_server() as server:
        apply_crds(server.kubectl)
        yield server


@pytest.fixture
def namespace(api_server: ApiServer, request: pytest.FixtureRequest) -> str:
    """A namespace for one test. It stays until the server goes: nothing here deletes namespaces."""
    return new_namespace(api_server.kubectl, request.node.name)


@pytest.fixture
def kubectl(api_server: ApiServer) -> Kubectl:
    """The administrator's, of a server that knows SelectionJobs."""
    apply_own_crd(api_server.kubectl)
    return api_server.kubectl


@pytest.fixture
def proxy(api_server: ApiServer, kubectl: Kubectl, tmp_path: Path) -> Iterator[ApiProxy]:
    """A way to that server on which a test can do harm."""
    with proxied(api_server.kubeconfig, tmp_path) as running:
        yield running
