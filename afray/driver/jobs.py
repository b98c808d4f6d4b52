"""One job, run or found finished. Light to import: a job that is done is answered without the libraries that do it."""

from __future__ import annotations

from collections.abc import Callable

from pydantic import BaseModel, JsonValue

from afray.api.job import SelectionJob
from afray.driver import workspace as workspaces
from afray.driver.given_cores import require_same_cores
from afray.driver.labelling import Labels, load_labels
from afray.driver.progress import Display
from afray.driver.workspace import RunSettings, Workspace
from afray.reporting import report as reports
from afray.reporting.digests import content_digest
from afray.reporting.report import Report
from afray.storage.canonical import canonical_json
from afray.storage.commits import commit, committed, read_blob

NO_LABELS = Labels(pool=None, selected=None, heldout=None)


def run_job(job: SelectionJob, settings: RunSettings, display: Display) -> Report:
    """Run a job whose locations are resolved, or what is left of it.

    Raises any AfrayError; whatever was committed before stays usable.
    """
    with workspaces.opened(job, settings, display) as workspace:
        labels = load_labels(job)

        def work() -> Report:
            from afray.driver.pipeline import run_stages

            return run_stages(workspace, labels)

        return finish(workspace, name_report(job, labels), work)


def run_selection(workspace: Workspace, labels: Labels) -> Report:
    """The job up to its selection, with a report of that; labels are only held against the pool."""

    def work() -> Report:
        from afray.driver.pipeline import measure_nothing, run_stages

        return run_stages(workspace, labels, measure=measure_nothing)

    return finish(workspace, name_report(None, NO_LABELS), work)


def run_evaluation(workspace: Workspace, labels: Labels) -> Report:
    """The job from its selection on. Raises Unlabelled and OneClass where there is nothing to learn from."""

    def work() -> Report:
        from afray.driver.evaluating import evaluate_strictly
        from afray.driver.pipeline import run_stages

        return run_stages(workspace, labels, measure=evaluate_strictly)

    name = name_report(workspace.job, labels)
    found = find_finished(workspace, name)
    # A run that was content without figures may have finished here before.
    return work() if found is not None and found.evaluation.finetune is None else finish(workspace, name, work)


def finish(workspace: Workspace, name: str, work: Callable[[], Report]) -> Report:
    """The report called `name`: found, or made by `work` and kept for whoever asks again."""
    report = find_finished(workspace, name)
    if report is None:
        report = work()
        commit(workspace.output, name, {reports.NAME: reports.write(report)}, {}, fence=workspace.fence)
    return report


def find_finished(workspace: Workspace, name: str) -> Report | None:
    """The report of a run that had nothing left to do, None if there is work to do.

    Raises SpecError if the file of given cores is another one by now.
    """
    require_same_cores(workspace)
    stored = committed(workspace.output, name)
    return reports.read(read_blob(workspace.output, stored.blobs[reports.NAME])) if stored else None


def name_report(job: SelectionJob | None, labels: Labels) -> str:
    """Changes with everything that the report depends on besides the spec of the selection; no job: nothing does."""
    blocks: tuple[BaseModel | None, ...] = (None, None, None)
    if job is not None:
        blocks = (job.spec.labels, job.spec.finetune, job.spec.evaluation)
    asked: list[JsonValue] = [block.model_dump(mode="json") if block else None for block in blocks]
    return f"report/{content_digest(canonical_json([*asked, labels.digest]))[:32]}"
