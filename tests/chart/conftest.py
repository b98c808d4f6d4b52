"""Tests of the chart as Helm runs it, without a cluster."""

from __future__ import annotations

import pytest
from testbed import gate, helm, prometheus
from testbed.gomodules import program, source


def prepare() -> None:
    helm.program()
    source("monitoring-crds")


GATES = (
    gate.Gate("chart", gate.no_chart, prepare),
    gate.Gate("promtool", prometheus.missing, lambda: prometheus.program("promtool")),
    gate.Gate("grafana", gate.no_go, lambda: program("grafana-check")),
)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for one in GATES:
        one.select(config, items)


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> None:
    for one in GATES:
        one.open(session)


def pytest_sessionfinish(session: pytest.Session) -> None:
    for one in GATES:
        one.excuse(session)


def pytest_unconfigure(config: pytest.Config) -> None:
    for one in GATES:
        one.tell(config)
