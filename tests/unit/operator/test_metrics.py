"""The operator's metrics: those of the docs, counted once, and none outlives its job."""

from __future__ import annotations

import pytest
from afray_operator.kinds import POD, SELECTION_JOB
from helpers import kube_objects
from helpers.kube_objects import NAMESPACE, START
from helpers.metrics_page import documented, exposed
from helpers.operator_metrics import JOB, Metrics, with_every_metric


def test_the_docs_list_what_is_exposed() -> None:
    operator = with_every_metric()
    assert exposed(operator.metrics.registry.collect()) == documented()


def test_a_job_is_told_by_its_status_and_not_at_all_when_it_is_gone() -> None:
    operator = Metrics()
    raw = operator.knows()
    assert operator.value("afray_jobs", namespace=NAMESPACE, queue="team-a", phase="Running") == 1
    assert operator.value("afray_job_phase", **JOB, phase="Running") == 1
    assert operator.value("afray_job_reason", **JOB, phase="Running", reason="Heartbeat") == 1
    assert operator.value("afray_job_progress_ratio", **JOB, stage="embed") == 0.25
    assert operator.value("afray_job_heartbeat_timestamp_seconds", **JOB) == START.timestamp()
    assert operator.value("afray_job_attempt", **JOB) == 2
    assert operator.value("afray_job_failures", **JOB) == 1
    assert operator.value("afray_job_gpus", **JOB) == 2
    assert operator.value("afray_job_gpu_seconds", **JOB) == 7200
    assert operator.value("afray_job_failed_gpu_seconds", **JOB) == 3600
    operator.watches.saw(SELECTION_JOB, "DELETED", raw)
    series = [sample for family in operator.metrics.registry.collect() for sample in family.samples]
    assert [sample for sample in series if sample.labels.get("name") or sample.name == "afray_jobs"] == []


def test_jobs_of_a_phase_are_counted_together() -> None:
    operator = Metrics()
    for name in ("a", "b"):
        operator.knows(name)
    operator.knows("c", phase="Succeeded")
    assert operator.value("afray_jobs", namespace=NAMESPACE, queue="team-a", phase="Running") == 2
    assert operator.value("afray_jobs", namespace=NAMESPACE, queue="team-a", phase="Succeeded") == 1


def test_jobs_that_another_release_serves_are_told_by_it_alone() -> None:
    operator = Metrics()
    operator.knows()
    assert operator.value("afray_operator_namespaces_left") == 0
    operator.left = {NAMESPACE}
    assert operator.value("afray_operator_namespaces_left") == 1
    assert operator.value("afray_job_phase", **JOB, phase="Running") is None
    assert operator.value("afray_jobs", namespace=NAMESPACE, queue="team-a", phase="Running") is None


@pytest.mark.parametrize("done", [41, 10**12])
def test_a_driver_that_has_done_more_than_all_is_done(done: int) -> None:
    operator = Metrics()
    operator.knows(progress={"stage": "embed", "done": done, "total": 40})
    assert operator.value("afray_job_progress_ratio", **JOB, stage="embed") == 1


def test_a_look_that_fails_is_counted_as_an_error() -> None:
    operator = Metrics()
    with operator.metrics.reconciling():
        pass
    with pytest.raises(RuntimeError), operator.metrics.reconciling():
        raise RuntimeError("no answer")
    assert operator.value("afray_operator_reconcile_total", result="done") == 1
    assert operator.value("afray_operator_reconcile_total", result="error") == 1
    assert operator.value("afray_operator_reconcile_duration_seconds_count") == 2


def test_who_leads_what_waits_and_when_a_watch_last_spoke() -> None:
    operator = Metrics()
    operator.watches.saw(POD, "ADDED", kube_objects.pod("head"))
    assert operator.value("afray_operator_leader") == 1
    assert operator.value("afray_operator_queue_depth") == 1
    assert (operator.value("afray_operator_watch_last_event_timestamp_seconds", resource="pods") or 0) > 0
    operator.leads = False
    assert operator.value("afray_operator_leader") == 0
    assert operator.value("afray_operator_resync_timestamp_seconds") == 0
