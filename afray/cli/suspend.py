"""`afray suspend` and `afray resume`: give a job's pods back, and go on where it stopped."""

from __future__ import annotations

from afray.cli.jobs import note, say
from afray.cli.output import OutputFormat, OutputOption, emit, errors_as_exit_codes
from afray.cli.place import ContextOption, KubeconfigOption, NameArgument, NamespaceOption, jobs_of
from afray.client.records import JobRecord
from afray.client.story import Ending, ending


def suspend(
    name: NameArgument,
    namespace: NamespaceOption = None,
    context: ContextOption = None,
    kubeconfig: KubeconfigOption = None,
    form: OutputOption = OutputFormat.table,
) -> None:
    """Stop a job and give its pods and quota back. Finished work is kept; `afray resume` goes on with it.

    Exit codes: 0 also if it was suspended already, 66 no such job or no permission, 67 no usable cluster, 74 no answer.
    """
    with errors_as_exit_codes(), jobs_of("suspend", namespace, context, kubeconfig) as jobs:
        before = jobs.get(name)
        after = before if before.suspend else jobs.suspend(name, wanted=True)
        emit(say(after, "is suspended already" if before.suspend else "suspended; its pods are being stopped"), form)
        _note_if_over(after)


def resume(
    name: NameArgument,
    namespace: NamespaceOption = None,
    context: ContextOption = None,
    kubeconfig: KubeconfigOption = None,
    form: OutputOption = OutputFormat.table,
) -> None:
    """Let a suspended job go on where it stopped; with Kueue it queues again.

    Exit codes: 0 also if it was not suspended, 66 no such job or no permission, 67 no usable cluster, 74 no answer.
    """
    with errors_as_exit_codes(), jobs_of("resume", namespace, context, kubeconfig) as jobs:
        before = jobs.get(name)
        after = jobs.suspend(name, wanted=False) if before.suspend else before
        emit(say(after, "resumed" if before.suspend else "is not suspended"), form)
        _note_if_over(after)


def _note_if_over(record: JobRecord) -> None:
    if ending(record) in (Ending.complete, Ending.failed):
        note(f"{record.name} has ended ({record.status.phase}): this changes nothing any more")
