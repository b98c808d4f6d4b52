"""Log lines: one JSON object each, with the job as namespace/name wherever a job is spoken of."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from io import StringIO
from typing import Any

import pytest
from afray_operator.cache import Cache, JobKey
from afray_operator.decide.event_kinds import Event, EventReason
from afray_operator.kinds import EVENT
from afray_operator.leader import Leadership
from afray_operator.lease import LeaseSettings
from afray_operator.logs import JsonFormatter, set_up
from afray_operator.manifests.ownership import Owner
from afray_operator.metrics import OperatorMetrics
from afray_operator.telling import Teller
from afray_operator.watching import Watches
from afray_operator.workqueue import WorkQueue
from helpers.small_api import SmallApi, forbidden

WELDS = JobKey("plant", "welds")


@contextmanager
def logged() -> Iterator[list[dict[str, Any]]]:
    """Everything that is said meanwhile, as it is written."""
    said, lines = StringIO(), list[dict[str, Any]]()
    handler = logging.StreamHandler(said)
    handler.setFormatter(JsonFormatter())
    root = logging.getLogger()
    root.addHandler(handler)
    try:
        yield lines
    finally:
        root.removeHandler(handler)
        lines += map(json.loads, said.getvalue().splitlines())


def test_a_line_has_time_level_logger_message_and_whatever_else_was_given() -> None:
    with logged() as lines:
        logging.getLogger("afray_operator.x").warning(
            "%d pods\nleft", 3, extra={"job": WELDS, "object": "welds-s1", "_lib_ns": 1}
        )
    (line,) = lines
    assert line.pop("time").endswith("+00:00")
    assert line == {
        "level": "warning",
        "logger": "afray_operator.x",
        "message": "3 pods\nleft",
        "job": "plant/welds",
        "object": "welds-s1",
    }


def test_a_traceback_is_part_of_its_line() -> None:
    with logged() as lines:
        try:
            raise ValueError("no such pod")
        except ValueError:
            logging.getLogger("x").exception("failed")
    (line,) = lines
    assert line["level"] == "error"
    assert line["traceback"].endswith("ValueError: no such pod")


def test_work_that_failed_names_the_job() -> None:
    async def fail(_: JobKey) -> None:
        raise RuntimeError("no answer")

    async def work() -> None:
        queue: WorkQueue[JobKey] = WorkQueue()
        queue.add(WELDS)
        working = asyncio.create_task(queue.work(fail))
        await asyncio.wait({working}, timeout=0.1)
        working.cancel()

    with logged() as lines:
        asyncio.run(work())
    assert [line["job"] for line in lines if line["logger"] == "afray_operator.workqueue"] == ["plant/welds"]


def test_an_event_that_was_refused_names_the_job() -> None:
    api = SmallApi()
    api.errors["create", EVENT, "plant"] = forbidden("events are not yours")
    settings = LeaseSettings(name="afray", namespace="afray-system", identity="here")

    async def tell() -> None:
        leadership = Leadership(api, settings)
        watches = Watches(api=api, cache=Cache(), queue=WorkQueue())
        teller = Teller(api, leadership, OperatorMetrics(watches, lambda: True, tuple), "here")
        event = Event(reason=EventReason.accepted, note="The job is taken on.", key="1")
        await leadership.run(lambda: teller.tell(Owner(namespace="plant", name="welds", uid="u"), event))

    with logged() as lines:
        asyncio.run(tell())
    (line,) = (line for line in lines if line["logger"] == "afray_operator.telling")
    assert line["job"] == "plant/welds"
    assert "events are not yours" in line["message"]


@pytest.mark.parametrize(("as_json", "begin"), [(True, "{"), (False, "2")])
def test_logs_go_to_stderr_in_the_form_that_was_asked_for(
    capsys: pytest.CaptureFixture[str], *, as_json: bool, begin: str
) -> None:
    before = logging.getLogger().handlers[:]
    try:
        set_up(as_json=as_json, level="info")
        logging.getLogger("afray_operator").info("here")
    finally:
        logging.basicConfig(level=logging.WARNING, handlers=before or [logging.NullHandler()], force=True)
    said = capsys.readouterr()
    assert (said.out, said.err[0]) == ("", begin)
