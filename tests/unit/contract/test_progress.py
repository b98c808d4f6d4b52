from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from afray.contract import progress
from afray.contract.names import Stage
from afray.contract.progress import (
    Failure,
    FinetuneResult,
    LabelsResult,
    ProgressPayload,
    SelectionResult,
    UnreadablePayload,
    one_line,
    read_progress,
)

NOON = datetime(2026, 3, 4, 12, 0, 0, 250_000, tzinfo=UTC)
DIGEST = "0123456789abcdef" * 4


def payload(**changes: object) -> ProgressPayload:
    facts: dict[str, object] = {
        "afray_version": "0.1.0",
        "epoch": 3,
        "attempt": 2,
        "task": Stage.select,
        "stage": "embed pool",
        "done": 412,
        "total": 820,
        "rate": 10.5,
        "eta_seconds": 39,
        "device": "cuda",
        "advanced_at": NOON,
        "heartbeat": NOON,
    }
    return ProgressPayload.model_validate({**facts, **changes})


PARTS = {
    "result": SelectionResult(uri="s3://plant/out", digest=DIGEST, selected=20, pool_size=240),
    "finetune": FinetuneResult(accuracy=0.91, macro_recall=0.9, seconds=12.5, biased=True),
    "labels": LabelsResult(sha256=DIGEST, accepted=False, message="no", answered=3, asked=20, unknown=0, classes=2),
    "failure": Failure(exit_code=67, reason="EnvironmentFault", message="no GPU", log_uri="s3://plant/out/logs/1"),
}


@pytest.mark.parametrize("part", [None, *PARTS])
def test_what_a_driver_writes_is_what_the_operator_reads(part: str | None) -> None:
    said = payload(**({part: PARTS[part]} if part else {}))
    heard = read_progress(said.write())
    assert heard == said.model_copy(
        update={"advanced_at": NOON.replace(microsecond=0), "heartbeat": NOON.replace(microsecond=0)}
    )


def test_the_names_on_the_wire_are_those_of_the_api() -> None:
    said = json.loads(payload(failure=PARTS["failure"]).write())
    assert said["etaSeconds"] == 39
    assert said["advancedAt"] == "2026-03-04T12:00:00Z"
    assert said["failure"] == {
        "exitCode": 67,
        "reason": "EnvironmentFault",
        "message": "no GPU",
        "logUri": "s3://plant/out/logs/1",
    }
    assert "result" not in said


def test_times_are_told_in_utc() -> None:
    there = NOON.astimezone(timezone(timedelta(hours=9)))
    assert json.loads(payload(heartbeat=there).write())["heartbeat"] == "2026-03-04T12:00:00Z"


def test_a_field_of_a_newer_driver_is_ignored() -> None:
    said = json.loads(payload().write()) | {"mood": "good"}
    assert read_progress(json.dumps(said)).done == 412


def test_the_largest_payload_can_be_read() -> None:
    largest = payload(
        stage="界" * 64,
        step="界" * 64,
        unit="界" * 64,
        device="界" * 64,
        failure=Failure(exit_code=255, reason="界" * 64, message='"' * 200, log_uri="\N{GRINNING FACE}" * 2200),
    )
    assert read_progress(largest.write()) == largest.model_copy(
        update={"advanced_at": NOON.replace(microsecond=0), "heartbeat": NOON.replace(microsecond=0)}
    )


HOSTILE = {
    "nothing": "",
    "no JSON": "{",
    "a list": "[]",
    "another version": payload().write().replace('"version":1', '"version":2'),
    "a negative count": payload().write().replace('"done":412', '"done":-1'),
    "a count beyond all pools": payload().write().replace('"done":412', f'"done":{2**53 + 1}'),
    "a number that is none": payload().write().replace('"rate":10.5', '"rate":NaN'),
    "control characters": payload(stage="embed").write().replace('"embed"', '"em\\u001b[31mbed"'),
    "a long text": payload(stage="embed").write().replace('"embed"', f'"{"e" * 65}"'),
    "no zone": payload().write().replace("00Z", "00"),
    "a lone surrogate": '{"version": 1, "stage": "\ud800"}',
    "a megabyte": json.dumps({"version": 1, "junk": "x" * 1_000_000}),
    "deep nesting": "[" * 10_000,
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_text_that_says_nothing_is_refused_by_one_error_that_quotes_none_of_it(kind: str) -> None:
    with pytest.raises(UnreadablePayload) as caught:
        read_progress(HOSTILE[kind])
    said = str(caught.value)
    assert 0 < len(said) <= 300
    assert said.isprintable()
    assert "\\u001b" not in said


@given(st.text())
def test_any_text_is_a_payload_or_unreadable(text: str) -> None:
    with pytest.raises(UnreadablePayload):
        read_progress(text)


@given(st.text())
def test_one_line_is_fit_for_a_message(text: str) -> None:
    line = one_line(text)
    assert len(line) <= progress.LONGEST_MESSAGE
    Failure(exit_code=1, reason="Error", message=line)


def test_one_line_keeps_the_first_line_that_says_something() -> None:
    assert one_line("\n  \n  out of memory\tat 3  \nTraceback") == "out of memory at 3"


def test_one_line_keeps_the_start_and_the_end_of_a_long_line() -> None:
    line = one_line("s3://plant: refused " + "x" * 300 + " Set output.uri to an empty place")
    assert len(line) == progress.LONGEST_MESSAGE
    assert line.startswith("s3://plant: refused xxx")
    assert line.endswith("xxx Set output.uri to an empty place")
