"""The page that Prometheus reads from the operator, as its linter judges it: names, types, units, help."""

from __future__ import annotations

import pytest
from helpers.operator_metrics import with_every_metric
from helpers.promtool import promtool
from prometheus_client import CollectorRegistry, Gauge, generate_latest
from testbed.steps import StepFailed

pytestmark = pytest.mark.promtool


def test_prometheus_has_nothing_to_complain_of() -> None:
    page = generate_latest(with_every_metric().metrics.registry).decode()
    assert page.count("# TYPE afray_") > 10
    promtool("check", "metrics", given=page)


def test_it_would_complain_of_a_gauge_that_is_named_like_a_counter() -> None:
    registry = CollectorRegistry()
    Gauge("afray_jobs_total", "Number of jobs.", registry=registry)
    with pytest.raises(StepFailed, match="non-counter metrics should not have"):
        promtool("check", "metrics", given=generate_latest(registry).decode())
