"""`afray watch`: a job to its end, with its progress and the reasons why it waits."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from afray.api.conditions import ConditionType
from afray.api.status import Condition
from afray.cli.durations import TimeoutOption
from afray.cli.jobs import note, say_result
from afray.cli.output import INTERRUPTED, OutputFormat, OutputOption, console, emit, errors_as_exit_codes
from afray.cli.place import ContextOption, KubeconfigOption, NameArgument, NamespaceOption, jobs_of
from afray.cli.screen import Screen, choose_screen
from afray.client.faults import JobDeleted, JobFailed, LabelsRefused, StillUnderWay
from afray.client.records import JobRecord
from afray.client.story import Ending, advice, duration, ending, labels_awaited, news, situation, tell

if TYPE_CHECKING:
    from afray.client.jobs import Jobs


def watch(
    name: NameArgument,
    timeout: TimeoutOption = None,
    namespace: NamespaceOption = None,
    context: ContextOption = None,
    kubeconfig: KubeconfigOption = None,
    form: OutputOption = OutputFormat.table,
) -> None:
    """Follow a job to its end: progress, and why it waits, on stderr; the result on stdout.

    Where people have to label rows first, it ends too, and says how to go on.

    Exit codes: 0 complete, or waiting for labels; 1 failed, 65 its label file is refused, 66 no such job, no permission
    or deleted meanwhile, 67 no usable cluster, 74 not over in time, or no answer for 10 minutes.
    """
    with errors_as_exit_codes(), jobs_of("watch", namespace, context, kubeconfig) as jobs:
        try:
            with choose_screen(console(stderr=True)) as screen:
                record, end = observe(jobs, name, timeout, screen)
        except KeyboardInterrupt:
            note(f"stopped watching; the job goes on. Again: afray watch {name}")
            raise typer.Exit(INTERRUPTED) from None
        conclude(record, end, form)


def observe(jobs: Jobs, name: str, timeout: float | None, screen: Screen) -> tuple[JobRecord, Ending]:
    """Show the job until it ends; raises JobDeleted, StillUnderWay, and what `follow` raises."""
    from afray.client.following import Gone, Lost, Seen, follow

    record: JobRecord | None = None
    for sighting in follow(jobs, name, seconds=timeout):
        match sighting:
            case Seen(now):
                for line in news(record, now):
                    screen.tell(line)
                record = now
                if (end := ending(now)) is not None:
                    return now, end
            case Lost(reason):
                screen.tell(f"connection lost, trying again: {reason}")
            case Gone():
                raise JobDeleted(f"{name} was deleted while it was watched. What it stored stays")
        if record is not None:
            screen.show(record)
    assert record is not None, "what is followed is seen first"
    raise StillUnderWay(
        f"{name} has not ended after {duration(timeout or 0)}: {situation(record)}. It goes on by itself"
    )


def conclude(record: JobRecord, end: Ending, form: OutputFormat) -> None:
    """Give the result, and raise JobFailed or LabelsRefused if it is not what was hoped for."""
    emit(say_result(record), form)
    match end:
        case Ending.complete:
            return
        case Ending.awaits_labels:
            note(_what_to_label(record))
        case Ending.labels_refused:
            refused = labels_awaited(record)
            assert refused is not None, "by it the ending was found"
            raise LabelsRefused(f"{record.name}: {_reason(refused)}")
        case Ending.failed:
            failed = record.status.condition(ConditionType.failed)
            assert failed is not None, "by it the ending was found"
            raise JobFailed(
                f"{record.name}: {_reason(failed)} {_log_address(record)}"
                f"Its driver's words: afray logs {record.name} --namespace {record.namespace}"
            )


def _what_to_label(record: JobRecord) -> str:
    """Which rows people are asked about, and where to name their file."""
    awaited = labels_awaited(record)
    if awaited is not None and awaited.type is ConditionType.previous_labels_ready:
        return (
            "the job waits for the labels of the round before: answer the rows of selection.csv beside "
            "spec.previous.certificate, name the file in spec.previous.labels of the manifest, and kubectl apply it"
        )
    return (
        f"the selection is stored and waits for labels: answer the rows of {record.output.rstrip('/')}/"
        "selection.csv, name the file in spec.labels of the manifest, and kubectl apply it"
    )


def _reason(condition: Condition) -> str:
    """A condition in one line, and what to do about it."""
    return " ".join(filter(None, (tell(condition).rstrip(".") + ".", advice(condition))))


def _log_address(record: JobRecord) -> str:
    """Where the last attempt's log is stored, unless the message says so."""
    failed, attempt = record.status.condition(ConditionType.failed), record.status.attempt
    uri = attempt.last_failure.log_uri if attempt and attempt.last_failure else ""
    return f"Log: {uri}. " if uri and failed and uri not in failed.message else ""
