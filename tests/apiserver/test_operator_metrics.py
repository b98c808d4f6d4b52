"""What a running operator exposes, from the first listing to a job's end and deletion. Other controllers are played."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from helpers import selection_jobs
from helpers.api_proxy import ApiProxy
from helpers.metrics_page import Family, documented, exposed
from helpers.operator_process import OperatorProcess, await_that
from helpers.played_lives import NAME, living, options
from helpers.recorded_lives import Step, read_life
from prometheus_client.parser import text_string_to_metric_families
from testbed.kubectl import Kubectl

pytestmark = pytest.mark.apiserver

WAITING = "waiting"


def families(operator: OperatorProcess) -> list[Family]:
    return exposed(text_string_to_metric_families(operator.page("/metrics")))


def named(operator: OperatorProcess, name: str) -> set[str]:
    """Metrics that have a series of that job."""
    metrics = text_string_to_metric_families(operator.page("/metrics"))
    return {metric.name for metric in metrics if any(sample.labels.get("name") == name for sample in metric.samples)}


def test_metrics_are_those_of_the_docs_and_the_series_of_a_job_go_with_it(
    kubectl: Kubectl, proxy: ApiProxy, namespace: str, tmp_path: Path
) -> None:
    with living(kubectl, proxy, namespace, tmp_path / "log") as (life, _):
        pages: list[list[Family]] = []
        told: set[str] = set()

        def looked_at(steps: Iterable[Step]) -> Iterator[Step]:
            for step in steps:
                yield step
                if ((step.state or {}).get("progress") or {}).get("total"):  # not every word of a driver is stored
                    await_that(lambda: "afray_job_progress_ratio" in named(life.operator, NAME))
                pages.append(families(life.operator))
                told.update(named(life.operator, NAME))

        kubectl.apply(selection_jobs.make_manifest(namespace, WAITING, labels={}))
        life.begin()
        life.play(looked_at(read_life("complete")))
        life.await_end()
        pages.append(families(life.operator))

        known = documented()
        assert all([family.name for family in page] == [family.name for family in known] for page in pages)
        with_series = {family for page in pages for family in page if family.labels or family in known}
        assert sorted(with_series) == known
        assert told == {family.name for family in known if "name" in family.labels}
        assert life.operator.metric("afray_job_run_seconds_count") == 1
        assert life.operator.metric("afray_job_queue_wait_seconds_count") == 2

        kubectl("delete", "sj", NAME, "-n", namespace)
        await_that(lambda: named(life.operator, NAME) == set())
        assert "afray_job_phase" in named(life.operator, WAITING)
        assert life.operator.metric("afray_job_run_seconds_count") == 1


def test_leader_and_standby_are_healthy_and_ready_and_one_of_them_leads(
    kubectl: Kubectl, proxy: ApiProxy, namespace: str, tmp_path: Path
) -> None:
    with living(kubectl, proxy, namespace, tmp_path / "log") as (life, _):
        standby = OperatorProcess.start(proxy.kubeconfig, *options(namespace), log=tmp_path / "standby")
        try:
            await_that(lambda: standby.page("/readyz") == "ok")
            for operator, leads in ((life.operator, 1), (standby, 0)):
                assert [operator.page(path) for path in ("/readyz", "/healthz")] == ["ok", "ok"]
                assert operator.metric("afray_operator_leader") == leads
        finally:
            standby.stop()
