"""`afray logs`: what a driver wrote, from its pod while there is one, else from the job's output."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Final

import typer

from afray.api.stages import Stage
from afray.cli.jobs import note
from afray.cli.output import errors_as_exit_codes
from afray.cli.place import ContextOption, KubeconfigOption, NameArgument, NamespaceOption, jobs_of
from afray.client.attempts import Attempt, choose_attempt, is_over
from afray.client.faults import ClusterFault, NothingLogged, ServerUnreachable
from afray.client.records import JobRecord
from afray.client.stored_logs import StoredLog, find_epochs
from afray.client.story import standing
from afray.contract.outputs import LOG_FOLDER
from afray.storage.store import Store

if TYPE_CHECKING:
    from afray.client.jobs import Jobs

POLL_SECONDS: Final = 5.0


def logs(
    name: NameArgument,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until the attempt ends.")] = False,
    attempt: Annotated[
        int | None, typer.Option("--attempt", min=1, help="Default: the current one.", show_default=False)
    ] = None,
    stage: Annotated[Stage | None, typer.Option("--stage", help="Default: the current one.")] = None,
    namespace: NamespaceOption = None,
    context: ContextOption = None,
    kubeconfig: KubeconfigOption = None,
) -> None:
    """Show the log of a driver: of its pod while there is one, else as it is stored in the job's output.

    The output is read with the credentials of your environment, as `afray report` does.

    Exit codes: 0 shown, 66 no such job, no log or no permission, 67 no usable cluster, 74 no answer.
    """
    with errors_as_exit_codes(), jobs_of("logs", namespace, context, kubeconfig) as jobs:
        record = jobs.get(name)
        wanted = choose_attempt(record, stage, attempt)
        count = 0
        for count, line in enumerate(_lines(jobs, record, wanted, follow), 1):  # noqa: B007 (the last one is the count)
            typer.echo(line)
        if not count:
            raise NothingLogged(
                f"nothing is logged of {wanted} of {name} ({standing(record)}), neither in a pod nor at "
                f"{record.output.rstrip('/')}/{LOG_FOLDER}. See what it waits for: afray watch {name}"
            )


def _lines(jobs: Jobs, record: JobRecord, wanted: Attempt, follow: bool) -> Iterator[str]:
    """Lines of the pod's log; where none can be had, those of the stored one."""
    from afray.client.pods import Pods

    pods, shown = Pods(jobs.cluster), False
    try:
        log = pods.find(record.name, wanted.stage, wanted.number)
        if log is not None:
            what = "" if log.is_driver else ", Ray's head: the driver has not started"
            note(f"{wanted}, from pod {log.pod}{what}")
            for line in pods.follow(log) if follow else pods.lines(log):
                shown = True
                yield line
    except (ClusterFault, ServerUnreachable) as error:
        if shown:
            raise
        note(f"no log from a pod: {error}")
    if not shown:
        yield from _stored_lines(jobs, record, wanted, follow)


def _stored_lines(jobs: Jobs, record: JobRecord, wanted: Attempt, follow: bool) -> Iterator[str]:
    """Lines of the logs in the output; with `follow` those that are added, until the attempt is over."""
    output = Store.open(record.output)
    logs: dict[int, StoredLog] = {}
    while True:
        # Asked before reading, so that what is written at the very end is read.
        ended = not follow or is_over(jobs.get(record.name), wanted)
        for epoch in find_epochs(output, record.uid, wanted):
            if epoch not in logs:
                logs[epoch] = StoredLog(output, epoch)
                note(f"{wanted}, from {logs[epoch].uri}")
            yield from logs[epoch].new_lines(ended=ended)
        if ended:
            return
        time.sleep(POLL_SECONDS)
