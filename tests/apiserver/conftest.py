"""One API server for all tests of this folder, with the CRDs of KubeRay and Kueue, and a namespace for each test.

Tests that stop or restart an API server start their own: `testbed.apiserver.running_api_server`.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from testbed import gate
from testbed.apiserver import ApiServer, running_api_server
from testbed.crds import apply_crds
from testbed.gomodules import API_SERVER, SOURCES, program, source
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
