"""What a status says to a person: where the job stands, what is new, why it waits, how it ended."""

from __future__ import annotations

import pytest
from helpers.job_records import Raw, attempt, condition, job_record, progress

from afray.client.story import Ending, current_progress, duration, ending, news, obstacle, standing, tell_progress

NO_QUOTA = condition("QuotaReserved", "False", "Queued", "couldn't assign flavors: insufficient unused quota for cpu")
ADMITTED = condition("QuotaReserved", "True", "Admitted")
ACCEPTED = condition("Accepted", "True", "Valid")


def waits_for_labels(reason: str, *, generation: int = 1) -> Raw:
    return condition("LabelsReady", "False", reason, "91 of 100 answered", generation=generation)


@pytest.mark.parametrize(
    ("conditions", "expected"),
    [
        ([], None),
        ([ACCEPTED, NO_QUOTA], None),
        ([condition("Complete", "True", "Succeeded")], Ending.complete),
        ([condition("Complete", "False", "Running")], None),
        ([condition("Failed", "True", "PermanentError")], Ending.failed),
        ([waits_for_labels("AwaitingLabels")], Ending.awaits_labels),
        ([waits_for_labels("Rejected")], Ending.labels_refused),
        ([waits_for_labels("Validating")], None),
        ([condition("LabelsReady", "True", "PoolLabels")], None),
        ([condition("PreviousLabelsReady", "False", "AwaitingLabels", "")], Ending.awaits_labels),
        ([condition("PreviousLabelsReady", "False", "Rejected", "")], Ending.labels_refused),
        ([condition("PreviousLabelsReady", "True", "Accepted"), waits_for_labels("Rejected")], Ending.labels_refused),
        ([waits_for_labels("AwaitingLabels"), condition("Failed", "True", "DeadlineExceeded")], Ending.failed),
    ],
)
def test_a_job_ends_when_nothing_more_comes_by_itself(conditions: list[Raw], expected: Ending | None) -> None:
    assert ending(job_record("Running", conditions)) is expected


def test_waiting_for_labels_is_no_ending_before_the_operator_has_seen_the_present_spec() -> None:
    changed = {"generation": 2}
    assert ending(job_record("AwaitingLabels", [waits_for_labels("AwaitingLabels")], metadata=changed)) is None
    seen = [waits_for_labels("AwaitingLabels", generation=2)]
    assert ending(job_record("AwaitingLabels", seen, metadata=changed)) is Ending.awaits_labels


def test_where_a_job_stands_names_the_attempt_once_there_were_several() -> None:
    assert standing(job_record("Queued", attempt=attempt(1))) == "Queued"
    assert standing(job_record("Retrying", attempt=attempt(2))) == "Retrying, attempt 2"
    assert standing(job_record("Running", metadata={"deletionTimestamp": "2026-11-25T12:00:00Z"})) == "being deleted"
    assert standing(job_record()).startswith("not yet seen by the operator")


def test_the_obstacle_is_the_first_thing_that_a_job_lacks() -> None:
    workers = condition("ClusterReady", "False", "WorkersPending", "1 of 2")
    found = obstacle(job_record("Starting", [ACCEPTED, ADMITTED, workers]))
    assert found is not None
    assert (found.type, found.message) == ("ClusterReady", "1 of 2")
    assert obstacle(job_record("Running", [ACCEPTED, ADMITTED])) is None


def test_what_follows_from_another_condition_is_no_obstacle() -> None:
    labels = waits_for_labels("AwaitingLabels")
    waiting = job_record("AwaitingLabels", [condition("QuotaReserved", "False", "AwaitingLabels"), labels])
    assert obstacle(waiting) == waiting.status.conditions[-1]
    not_yet = condition("QuotaReserved", "False", "NotStarted", "The RayJob is not created yet.")
    leaving = condition("ClusterReady", "False", "Stopping", "2 pods of attempt 1 are still there")
    between = obstacle(job_record("Queued", [not_yet, leaving]))
    assert between is not None
    assert between.reason == "Stopping"
    over = condition("QuotaReserved", "False", "Finished")
    assert obstacle(job_record("Succeeded", [over, condition("Complete", "True", "Succeeded")])) is None


def test_the_first_news_is_where_a_job_stands_what_it_waits_for_in_kueues_own_words_and_what_to_do() -> None:
    assert list(news(None, job_record("Queued", [ACCEPTED, NO_QUOTA]))) == [
        "Queued",
        "QuotaReserved=False (Queued): couldn't assign flavors: insufficient unused quota for cpu",
        "next: `kubectl get workloads` shows what is ahead of it.",
    ]


def test_later_news_is_what_changed() -> None:
    head = condition("ClusterReady", "False", "HeadPending", "The head is starting.")
    before = job_record("Queued", [ACCEPTED, NO_QUOTA])
    now = job_record("Starting", [ACCEPTED, ADMITTED, head, condition("Progressing", "False", "Queued", "not started")])
    assert list(news(before, now)) == [
        "Starting",
        "QuotaReserved=True (Admitted)",
        "ClusterReady=False (HeadPending): The head is starting.",
    ]
    assert list(news(now, now)) == []


def test_the_end_tells_the_outcome_and_not_what_ended_with_it() -> None:
    over = [condition(kind, "False", "Finished") for kind in ("QuotaReserved", "ClusterReady", "Progressing")]
    disabled = condition("FinetuneComplete", "False", "Disabled", "spec.finetune is not set.")
    done = condition("Complete", "True", "Succeeded", "100 rows are selected.")
    told = list(news(job_record("Running", [ACCEPTED, ADMITTED]), job_record("Succeeded", [*over, disabled, done])))
    assert told == ["Succeeded", "Complete=True (Succeeded): 100 rows are selected."]


def test_another_reason_to_wait_is_news_and_another_heartbeat_is_not() -> None:
    pending = [condition("ClusterReady", "False", "WorkersPending", text) for text in ("0 of 2", "1 of 2")]
    assert list(news(job_record("Starting", pending[:1]), job_record("Starting", pending[1:]))) == [
        "ClusterReady=False (WorkersPending): 1 of 2"
    ]
    beats = [condition("Progressing", "True", "Heartbeat", text) for text in ("at 12:00", "at 12:01")]
    assert list(news(job_record("Running", beats[:1]), job_record("Running", beats[1:]))) == []


def test_progress_is_told_while_a_driver_works_and_not_after() -> None:
    working = job_record("Running", progress=progress(rate=212.4, etaSeconds=28, step="shard 4"))
    found = current_progress(working)
    assert found is not None
    assert tell_progress(found) == "embed: 4,000/10,000 rows, 212/s, 28 s left (shard 4)"
    assert current_progress(job_record("Queued", progress=progress())) is None


def test_progress_without_a_total_says_what_it_knows() -> None:
    found = current_progress(job_record("Running", progress=progress("index", 1234, total=None, rate=0.25)))
    assert found is not None
    assert tell_progress(found) == "index: 1,234 rows, 0.25/s"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (59.6, "1 min"),
        (28, "28 s"),
        (200, "3 min 20 s"),
        (3600, "1 h"),
        (7500, "2 h 5 min"),
        (3605, "1 h"),
        (273_900, "3 d 4 h"),
    ],
)
def test_a_time_span_is_told_in_its_two_largest_units(seconds: float, text: str) -> None:
    assert duration(seconds) == text
