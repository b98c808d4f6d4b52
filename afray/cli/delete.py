"""`afray delete`: the job and its pods go, what it stored stays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from afray.cli.durations import TimeoutOption
from afray.cli.jobs import note, say
from afray.cli.output import OutputFormat, OutputOption, emit, errors_as_exit_codes
from afray.cli.place import ContextOption, KubeconfigOption, NameArgument, NamespaceOption, jobs_of
from afray.client.faults import StillUnderWay
from afray.client.records import JobRecord
from afray.client.story import duration
from afray.contract.names import JOB_LABEL

if TYPE_CHECKING:
    from afray.client.jobs import Jobs


def delete(
    name: NameArgument,
    wait: Annotated[bool, typer.Option("--wait", help="Return when its pods and everything else are gone.")] = False,
    timeout: TimeoutOption = None,
    namespace: NamespaceOption = None,
    context: ContextOption = None,
    kubeconfig: KubeconfigOption = None,
    form: OutputOption = OutputFormat.table,
) -> None:
    """Delete a job with its pods. Results and finished work in its output stay: the same spec goes on from there.

    Exit codes: 0 deleted, 66 no such job or no permission, 67 no usable cluster, 74 no answer, or not gone in time.
    """
    with errors_as_exit_codes(), jobs_of("delete", namespace, context, kubeconfig) as jobs:
        record = jobs.get(name)
        jobs.delete(record, foreground=wait)
        if wait:
            note(f"waits until the pods of {name} are gone; interrupting does not stop the deletion")
            _await_gone(jobs, record, timeout)
        emit(say(record, "deleted" if wait else "is being deleted"), form)
        note(f"what it stored stays: {record.output}")


def _await_gone(jobs: Jobs, record: JobRecord, timeout: float | None) -> None:
    from afray.client.following import Gone, follow

    for sighting in follow(jobs, record.name, uid=record.uid, seconds=timeout):
        if isinstance(sighting, Gone):
            return
    raise StillUnderWay(
        f"{record.name} is not gone after {duration(timeout or 0)}: its pods still stop. It goes by itself; "
        f"`kubectl get pods -l {JOB_LABEL}={record.name}` shows what is left"
    )
