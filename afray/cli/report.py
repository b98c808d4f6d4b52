"""`afray report`: the figures of a finished run, read from its output."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from afray.cli.output import OutputFormat, OutputOption, emit, errors_as_exit_codes
from afray.cli.requirements import require_run_extra


def report(
    output: Annotated[str, typer.Argument(help="Output of a run: a folder or a URI.")],
    form: OutputOption = OutputFormat.table,
) -> None:
    """Show what a finished run found; report.html is put back if it is missing."""
    with errors_as_exit_codes():
        require_run_extra("afray report")
        from afray.api.locations import resolve
        from afray.cli.summary import summarize
        from afray.driver.rereading import read_report

        emit(summarize(read_report(resolve(output, Path.cwd()))), form)
