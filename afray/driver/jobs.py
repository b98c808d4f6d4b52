"""One job, run or found finished. Light to import: a job that is done is answered without the libraries that do it."""

from __future__ import annotations

from pydantic import JsonValue

from afray.api.job import SelectionJob
from afray.driver import workspace as workspaces
from afray.driver.labelling import Labels, load_labels
from afray.driver.progress import Display
from afray.driver.workspace import RunSettings, Workspace
from afray.reporting import report as reports
from afray.reporting.digests import content_digest
from afray.reporting.report import Report
from afray.storage.canonical import canonical_json
from afray.storage.commits import commit, committed, read_blob


def run_job(job: SelectionJob, settings: RunSettings, display: Display) -> Report:
    """Run a job whose locations are resolved, or what is left of it.

    Raises any AfrayError; whatever was committed before stays usable.
    """
    with workspaces.opened(job, settings, display) as workspace:
        labels = load_labels(job)
        report = finished_report(workspace, labels)
        if report is None:
            from afray.driver.pipeline import run_stages

            report = run_stages(workspace, labels)
            commit(
                workspace.output,
                _name(workspace, labels),
                {reports.NAME: reports.write(report)},
                {},
                fence=workspace.fence,
            )
    return report


def finished_report(workspace: Workspace, labels: Labels) -> Report | None:
    """The report of a run that had nothing left to do, None if there is work to do."""
    stored = committed(workspace.output, _name(workspace, labels))
    return reports.read(read_blob(workspace.output, stored.blobs[reports.NAME])) if stored else None


def _name(workspace: Workspace, labels: Labels) -> str:
    """Changes with everything that the report depends on besides the spec of the selection."""
    spec = workspace.job.spec
    blocks = (spec.labels, spec.finetune, spec.evaluation)
    asked: list[JsonValue] = [block.model_dump(mode="json") if block else None for block in blocks]
    return f"report/{content_digest(canonical_json([*asked, labels.digest]))[:32]}"
