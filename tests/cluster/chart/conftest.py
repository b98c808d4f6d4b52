"""The chart's own life on the cluster: each test installs what it needs, and leaves some version installed."""

from __future__ import annotations

from pathlib import Path

import pytest
from testbed import gate, operator_image
from testbed.cluster import Cluster
from testbed.installation import FIRST, Installation


@pytest.fixture(scope="session")
def first_environment() -> Path:
    """The Python of the first version's Ray pods."""
    return FIRST.environment()


@pytest.fixture(scope="session")
def installation(cluster: Cluster, request: pytest.FixtureRequest) -> Installation:
    """Nothing is installed yet; the images of both versions are on the nodes."""
    with gate.shown(request.config):
        cluster.load(FIRST.image(), operator_image.operator_image())
    return Installation(cluster)
