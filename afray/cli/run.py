"""`afray run`: the whole job on this machine, or inside the Ray cluster that RAY_ADDRESS names."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from afray.api.job import SelectionJob
from afray.api.loading import load, load_object
from afray.api.rules import Target, unused_by_run
from afray.api.uris import resolve_uris
from afray.cli.display import choose_display
from afray.cli.output import STOPPED, OutputFormat, console, emit, errors_as_exit_codes
from afray.cli.requirements import require_run_extra
from afray.errors import SpecError


def run(
    manifest: Annotated[Path, typer.Argument(help="SelectionJob in YAML.", exists=True, dir_okay=False)],
    workers: Annotated[
        int | None,
        typer.Option(min=1, max=1024, help="Ray workers. Default: one per CPU, or per GPU if there are any."),
    ] = None,
    output: Annotated[str | None, typer.Option("--output", help="URI: write here instead of spec.output.uri.")] = None,
    form: Annotated[OutputFormat, typer.Option("-o", help="Form of the result on stdout.")] = OutputFormat.table,
) -> None:
    """Select rows, and finetune and evaluate if labels are there. Runs again where an interrupted run stopped."""
    with errors_as_exit_codes(stopped=STOPPED):
        if output in set(OutputFormat):
            remedy = f"Write -o {output} for a form of the result, or --output ./{output} for a folder of that name."
            raise SpecError("--output", output, "is a form, and --output of run is a place", remedy)
        job = load_job(manifest, output)
        require_run_extra("afray run")
        from afray.cli.summary import summarize
        from afray.driver.jobs import run_job
        from afray.driver.workspace import RunSettings

        screen = console(stderr=True)
        report = run_job(job, RunSettings(workers=workers), choose_display(screen))
        emit(summarize(report), form)


def load_job(manifest: Path, output: str | None) -> SelectionJob:
    """The manifest with full URIs, by the rules of a run."""
    job = load(manifest, target=Target.run)
    if output is not None:
        changed = job.to_manifest()
        changed["spec"]["output"]["uri"] = output  # type: ignore[index, call-overload]
        job = load_object(changed, str(manifest), target=Target.run)
    if unused := unused_by_run(job):
        console(stderr=True).print(f"{', '.join(unused)} do not apply to a local run; they were checked only.")
    return resolve_uris(job, Path.cwd())
