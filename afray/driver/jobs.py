"""One job, run or found finished. Light to import: a job that is done is answered without the libraries that do it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from pydantic import BaseModel, JsonValue

from afray.api.job import SelectionJob
from afray.driver import workspace as workspaces
from afray.driver.given_cores import require_same_cores
from afray.driver.labelling import Labels, load_labels
from afray.driver.progress import Display
from afray.driver.publishing import REPORTS, publish_commits
from afray.driver.rounds.unchanged import require_same_labels
from afray.driver.workspace import RunSettings, Workspace
from afray.reporting import report as reports
from afray.reporting.digests import content_digest
from afray.reporting.report import Report
from afray.storage.canonical import canonical_json
from afray.storage.commits import Commit, commit, committed, read_blob

ReportFiles = Mapping[str, bytes]
"""report.json and report.html."""
NO_LABELS = Labels(pool=None, selected=None, heldout=None)


def run_job(job: SelectionJob, settings: RunSettings, display: Display) -> Report:
    """Run a job whose locations are resolved, or what is left of it.

    Raises any AfrayError; whatever was committed before stays usable.
    """
    with workspaces.opened(job, settings, display) as workspace:
        labels = load_labels(job)

        def work() -> ReportFiles:
            from afray.driver.pipeline import run_stages

            return run_stages(workspace, labels)

        return finish(workspace, name_report(job, labels), work)


def run_selection(workspace: Workspace, labels: Labels) -> Report:
    """The job up to its selection, with a report of that; labels are only held against the pool."""

    def work() -> ReportFiles:
        from afray.driver.pipeline import run_stages

        return run_stages(workspace, labels, measure=None)

    return finish(workspace, name_report(None, NO_LABELS), work)


def run_evaluation(workspace: Workspace, labels: Labels) -> Report:
    """The job from its selection on. Raises Unlabelled and OneClass where there is nothing to learn from."""

    def work() -> ReportFiles:
        from afray.driver.evaluating import evaluate_strictly
        from afray.driver.pipeline import run_stages

        return run_stages(workspace, labels, measure=evaluate_strictly)

    name = name_report(workspace.job, labels)
    stored = find_finished(workspace, name)
    if stored is not None and read_report(workspace, stored).evaluation.finetune is None:
        work()  # a run that was content without figures finished here before; this one says what is missing
    return finish(workspace, name, work)


def finish(workspace: Workspace, name: str, work: Callable[[], ReportFiles]) -> Report:
    """The report called `name`: found, or made by `work` and kept for whoever asks again; now the published one."""
    stored = find_finished(workspace, name)
    if stored is None:
        stored = commit(workspace.output, name, work(), {}, fence=workspace.fence)
    publish_commits(workspace.output, stored, fence=workspace.fence)
    return read_report(workspace, stored)


def find_finished(workspace: Workspace, name: str) -> Commit | None:
    """The report of a run that had nothing left to do, None if there is work to do.

    Raises SpecError if the file of given cores, or of an earlier round's labels, is another one by now.
    """
    require_same_cores(workspace)
    require_same_labels(workspace)
    return committed(workspace.output, name)


def read_report(workspace: Workspace, stored: Commit) -> Report:
    """The figures of a committed report."""
    return reports.read(read_blob(workspace.output, stored.blobs[reports.NAME]))


def name_report(job: SelectionJob | None, labels: Labels) -> str:
    """Changes with everything that the report depends on besides the spec of the selection; no job: nothing does."""
    blocks: tuple[BaseModel | None, ...] = (None, None, None)
    if job is not None:
        blocks = (job.spec.labels, job.spec.finetune, job.spec.evaluation)
    asked: list[JsonValue] = [block.model_dump(mode="json") if block else None for block in blocks]
    return f"{REPORTS}/{content_digest(canonical_json([*asked, labels.digest]))[:32]}"
