"""Tests of the chart as Helm runs it, without a cluster."""

from __future__ import annotations

import pytest
from testbed import gate, helm
from testbed.gomodules import source


def prepare() -> None:
    helm.program()
    source("monitoring-crds")


GATE = gate.Gate("chart", gate.no_chart, prepare)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    GATE.select(config, items)


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> None:
    GATE.open(session)


def pytest_sessionfinish(session: pytest.Session) -> None:
    GATE.excuse(session)


def pytest_unconfigure(config: pytest.Config) -> None:
    GATE.tell(config)
