"""`afray submit`: a manifest is checked, then created on the cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from afray.api.job import SelectionJob
from afray.api.rules import Target
from afray.cli.jobs import note, say
from afray.cli.manifests import ManifestArgument, load_manifest
from afray.cli.output import OutputFormat, OutputOption, emit, errors_as_exit_codes
from afray.cli.place import ContextOption, KubeconfigOption, NamespaceOption, jobs_of
from afray.client.faults import JobExists
from afray.client.records import JobRecord
from afray.client.submitting import choose_namespace, explain_conflict, to_body

if TYPE_CHECKING:
    from afray.client.jobs import Jobs


def submit(
    file: ManifestArgument,
    queue: Annotated[
        str | None, typer.Option("--queue", help="Kueue's LocalQueue; sets the label kueue.x-k8s.io/queue-name.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Let the API server check everything and keep nothing.")
    ] = False,
    namespace: NamespaceOption = None,
    context: ContextOption = None,
    kubeconfig: KubeconfigOption = None,
    form: OutputOption = OutputFormat.table,
) -> None:
    """Check a manifest by the rules for a cluster, and create the job.

    Exit codes: 0 created, 64 problems in the manifest, 66 no permission or no such namespace, 67 no usable cluster,
    69 the name is taken (with what to do), 74 no answer.
    """
    with errors_as_exit_codes():
        job = load_manifest(file, Target.cluster, form)
        chosen = choose_namespace(job, namespace)
        with jobs_of("submit", chosen, context, kubeconfig) as jobs:
            created = _create(jobs, job, queue, dry_run)
        where = f"namespace {created.namespace}" + (f", queue {created.queue}" if created.queue else "")
        emit(say(created, f"would be created in {where}" if dry_run else f"created in {where}"), form)
        if not dry_run:
            note(f"follow it with: afray watch {created.name} --namespace {created.namespace}")


def _create(jobs: Jobs, job: SelectionJob, queue: str | None, dry_run: bool) -> JobRecord:
    body = to_body(job, namespace=jobs.cluster.namespace, queue=queue)
    try:
        return jobs.create(body, dry_run=dry_run)
    except JobExists:
        raise JobExists(explain_conflict(job, jobs.get(job.metadata.name))) from None
